#!/usr/bin/env python3
"""Restores backups into a vault: plans, shows the plan, asks, carries it out, follows it to its end.

For Azure Automation (Python 3.8 or newer, no packages), a pipeline or a terminal. It cannot ask in Azure Automation: run it with
--what-if, read the plan, then run it with --plan and the plan's digest, or with --yes.

KEYVAULT_BACKUP_URL    the function app, such as https://my-restore.azurewebsites.net; or --url
KEYVAULT_BACKUP_KEY    the key of the function Restores; in Azure Automation the encrypted variable KeyVaultBackupRestoresKey
KEYVAULT_BACKUP_TOKEN  an access token of the app, where it also has authentication switched on; or --audience

Exit code: 0 everything is restored, or was there already as its backup has it; 1 part of it; 2 nothing is, or the result is not
known. With --what-if: how the plan ends if each of its steps succeeds. In Azure Automation everything but 0 fails the job.
"""

import argparse
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

# -- The same in backup.py and restore.py: Azure Automation runs single files. --

TRIES = 5
LOOK_AGAIN = 30.0
KINDS = ("secret", "key", "certificate")

try:
    import automationassets  # only in Azure Automation
except ImportError:
    automationassets = None


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key must not go to another address than the one that was given."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


class Answer:
    """What came of a call. Status 0 is none of HTTP: there was no answer, or not a whole one."""

    def __init__(self, status, text, retry_after=""):
        self.status, self.text = status, text
        try:
            self.body = json.loads(text) if status else None
        except ValueError:
            self.body = None
        self.is_problem = isinstance(self.body, dict) and "type" in self.body and "detail" in self.body
        # Without a problem it was not the app that answered.
        self.may_pass = status in (0, 429, 503) or (status >= 500 and not self.is_problem)
        # It may be a date.
        self.wait = float(retry_after) if re.fullmatch("[0-9]+", retry_after or "") else None


class App:
    """The function app, as it is called: with its key and, where authentication is on, a token."""

    def __init__(self, args, variable):
        key = os.environ.get("KEYVAULT_BACKUP_KEY")
        if not key and automationassets:
            key = automationassets.get_automation_variable(variable)
        if not args.url or not key:
            stop(2, "Say --url or set KEYVAULT_BACKUP_URL, and set KEYVAULT_BACKUP_KEY to the function key.")
        self.url, self.key, self.audience, self.poll = args.url.rstrip("/"), key, args.audience, args.poll
        # Without what may stand before and after the host in an address.
        self.host = re.sub("[/?#].*$", "", re.sub(r"^\w+://", "", self.url)).rpartition("@")[2]

    def call(self, method, path, body=None, **headers):
        """What the app answered. Calls again when there was no answer, or one that says "later": what is posted is safe to repeat."""
        for left in reversed(range(TRIES)):
            answer = self.call_once(method, path, body, headers)
            if not answer.may_pass or not left:
                return answer
            complain(f"{self.what_came(answer)}; trying again.")
            self.sleep(answer, 10.0)

    def call_once(self, method, path, body, headers):
        data = None if body is None else json.dumps(body).encode()
        headers = {"x-functions-key": self.key, "Content-Type": "application/json", **self.token(), **headers}
        try:
            request = urllib.request.Request(self.url + path, data, headers, method=method)
            with OPENER.open(request, timeout=300) as answer:
                return Answer(answer.status, answer.read().decode(errors="replace"), answer.headers["Retry-After"])
        except urllib.error.HTTPError as answer:
            try:
                return Answer(answer.code, answer.read().decode(errors="replace"), answer.headers["Retry-After"])
            except (OSError, http.client.HTTPException) as error:
                return Answer(0, str(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(0, str(getattr(error, "reason", error)))

    def token(self):
        """A token of the managed identity, or the one that the caller has."""
        token = os.environ.get("KEYVAULT_BACKUP_TOKEN")
        if self.audience:
            query = urllib.parse.urlencode({"api-version": "2019-08-01", "resource": self.audience})
            headers = {"X-IDENTITY-HEADER": os.environ.get("IDENTITY_HEADER", ""), "Metadata": "true"}
            try:
                request = urllib.request.Request(f"{os.environ.get('IDENTITY_ENDPOINT', '')}?{query}", headers=headers)
                with OPENER.open(request, timeout=60) as answer:
                    token = json.load(answer)["access_token"]
            except (OSError, http.client.HTTPException, ValueError) as error:
                stop(2, f"The managed identity gave no token for {self.audience}: {error}\nNext: check that this machine or Automation "
                        "account has a managed identity.")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def sleep(self, answer, otherwise=LOOK_AGAIN):
        """As long as the app says, unless the caller says otherwise."""
        time.sleep(next(seconds for seconds in (self.poll, answer.wait, otherwise) if seconds is not None))

    def what_came(self, answer):
        if answer.status:
            return f"{self.host} answers HTTP {answer.status}"
        return f"No answer from {self.host}: {answer.text}"

    def problem(self, answer):
        """Why the app refused, what to do next, and what an Azure service said."""
        if not answer.status:
            return (f"{self.what_came(answer)}\nNext: check that the address is that of the app, that the app runs, and that this "
                    "machine reaches it: its name, a proxy, a firewall, a private endpoint.")
        if answer.is_problem:
            of = answer.body
            service = of.get("service")
            said = f"\nThe service: {service['code']}, HTTP {service['status']}" if service else ""
            return f"{of['title']} (HTTP {of['status']})\n{of['detail']}\nNext: {of['next']}{said}"
        if answer.status in (401, 403):
            return f"HTTP {answer.status}: the key or the token does not open this function."
        return f"HTTP {answer.status}: {answer.text or 'nothing else was said'}"


def say(text):
    print(text, flush=True)


def complain(text):
    print(text, file=sys.stderr, flush=True)


def stop(code, why=""):
    """Ends the runbook. Azure Automation has no exit codes: there, everything but 0 fails the job."""
    if automationassets and code:
        raise RuntimeError(f"{why} (exit code {code})")
    if why:
        complain(why)
    sys.exit(code)


def split(option, lists):
    """The names in an option that may be repeated. One word may have several, with commas between them or as a JSON list, with its
    quotes or without. A list of nothing is refused: it must not mean everything."""
    names = []
    for word in lists:
        bracketed = re.fullmatch(r"\s*\[(.*)\]\s*", word, re.S)
        for name in (bracketed[1] if bracketed else word).split(","):
            name = name.strip()
            quoted = re.fullmatch("([\"'])(.*)\\1", name, re.S)
            name = quoted[2] if quoted else name
            if not re.fullmatch("[0-9a-zA-Z-]{1,127}", name):
                stop(2, f"--{option}: \"{name}\" cannot be a name: a name has 1 to 127 letters, digits and hyphens, and several have "
                        "commas between them.")
            names.append(name)
    return names


def objects(args):
    return [{"kind": kind, "name": name} for kind in KINDS for name in split(kind, getattr(args, kind))]


def common(parser):
    """The options that both runbooks have."""
    for kind in KINDS:
        parser.add_argument(f"--{kind}", action="append", default=[], metavar="NAME", help="may be repeated, or have several: NAME,NAME")
    parser.add_argument("--url", default=os.environ.get("KEYVAULT_BACKUP_URL"), help="the function app")
    parser.add_argument("--audience", help="where the app has authentication switched on: its application id URI, for a token of the "
                                           "managed identity")
    parser.add_argument("--poll", type=float, metavar="SECONDS", help="between two polls and two tries, instead of what the app says")
    return parser

# -- End of what is the same. --


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--source", help="the vault whose backups are restored")
    parser.add_argument("--target", help="the vault that they are restored into; the same one when it is left out")
    parser.add_argument("--kind", action="append", default=[], help="only this kind: secret, key, certificate")
    parser.add_argument("--name", help="only names that match; * stands for any characters")
    parser.add_argument("--everything", action="store_true", help="the whole vault")
    parser.add_argument("--gone", action="store_true", help="also objects that were gone from the vault by then")
    parser.add_argument("--other-place", action="store_true", help="also what was taken in another place, by the settings")
    parser.add_argument("--at", metavar="TIME", help="as the backups were then, such as 2026-11-22T10:00:00Z")
    parser.add_argument("--on-conflict", choices=("fail", "skip", "recoverDeleted", "purgeDeleted"), help="for names that are taken")
    parser.add_argument("--what-if", action="store_true", help="show the plan and its digest, and stop")
    parser.add_argument("--plan", metavar="DIGEST", help="carry out this plan, which a person has read and approved, without asking")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--repeat", metavar="KEY", default=f"runbook-{uuid.uuid4()}",
                        help="the Idempotency-Key: a second run with the same one follows the first one's restore")
    return common(parser).parse_args()


def request(args):
    kinds = split("kind", args.kind)
    for kind in kinds:
        if kind not in KINDS:
            stop(2, f"--kind: \"{kind}\" is no kind: say secret, key or certificate.")
    asked = {
        "source": args.source, "target": args.target, "objects": objects(args), "kinds": kinds, "name": args.name, "at": args.at,
        "everything": args.everything, "gone": args.gone, "otherPlace": args.other_place, "onConflict": args.on_conflict,
    }
    return {name: value for name, value in asked.items() if value}


def age(seconds):
    for unit, least, of in (("days", 172800, 86400), ("hours", 7200, 3600)):
        if seconds >= least:
            return f"{seconds // of} {unit}"
    return f"{seconds // 60} minutes"


ACTIONS = {"purgeAndRestore": "PURGE for good, then restore", "recover": "recover as deleted, not from the backup"}


def show_step(step):
    say(f"{ACTIONS.get(step['action'], step['action'])}: {step['kind']} {step['name']}")
    say(f"    from: {step['run']}, age: {age(step['ageSeconds'])}, versions: {step['versions']}")


def show_plan(plan):
    """Every object, its action first, its whole name on that line: its reader may be about to have it destroyed. What is purged
    stands last, next to the question."""
    purging = [step for step in plan["steps"] if step["action"] == "purgeAndRestore"]
    for step in plan["steps"]:
        if step not in purging:
            show_step(step)
    for left in plan["left"]:
        how = "NEVER BACKED UP" if left["reason"] == "never-backed-up" else "skip" if left["skipped"] else "IN THE WAY"
        say(f"{how}: {left['kind']} {left['name']}\n    because: {left['why']}")
    for step in purging:
        show_step(step)
    skipped = sum(1 for left in plan["left"] if left["skipped"] and left["reason"] != "never-backed-up")
    purged = f", {plan['purges']} of them purged for good first" if plan["purges"] else ""
    there = f" ({plan['alreadyThere']} there already)" if plan["alreadyThere"] else ""
    never = f", {plan['neverBackedUp']} never backed up" if plan["neverBackedUp"] else ""
    say(f"{plan['source']} into {plan['target']}: {len(plan['steps'])} to restore{purged}, {skipped} skipped{there}, "
        f"{plan['inTheWay']} in the way{never}")
    say(f"digest {plan['digest']}")


def agree(digest):
    if automationassets or not sys.stdin.isatty():
        stop(2, f"Nothing was restored: there is no terminal to ask on. Read the plan, then say --yes or --plan {digest}.")
    if not input("Restore? [y/N] ").lower().startswith("y"):
        stop(2, "Nothing was restored.")


def begin(app, digest, repeat):
    begun = app.call("POST", "/api/restores", {"plan": digest}, **{"Idempotency-Key": repeat})
    if begun.status in (200, 202):
        return begun
    why = app.problem(begun)
    if begun.may_pass:
        why += ("\nIt is not known whether the restore began. This finds it, or begins it once: "
                f"restore.py --plan {digest} --repeat {repeat}")
    if begun.is_problem and "plan" in begun.body:
        say("\nThe plan as it would be now:")
        show_plan(begun.body["plan"])
    stop(2, why)


def follow(app, look):
    """The restore, once it has ended."""
    path = f"/api/restores/{look.body['id']}"
    while look.body["state"] == "Running":
        numbers = look.body["numbers"]
        say(f"{numbers['restored']} restored, {numbers['failed']} failed, {numbers['pending']} to go")
        app.sleep(look)
        look = app.call("GET", f"{path}?limit=1")
        if look.status != 200:
            stop(2, f"{app.problem(look)}\nIt is not known how the restore ended; it continues without this runbook. Poll it again: "
                    f"GET {path}")
    return look.body


def show_failures(app, restore):
    """What did not come back, page by page."""
    after = ""
    while True:
        look = app.call("GET", f"/api/restores/{restore}?limit=1000{after}")
        if look.status != 200:
            return complain(app.problem(look))
        for of in look.body["objects"]:
            if of["outcome"] in ("failed", "differs"):
                failure = of.get("failure")
                why = f"{failure['code']}: {failure['text']}" if failure else of.get("difference", "")
                complain(f"{of['kind']} {of['name']}: {of['outcome']}{': ' if why else ''}{why}")
        for left in look.body["left"]:
            if left["reason"] != "already-there":
                complain(f"{left['kind']} {left['name']}: {left['reason'] if left['skipped'] else 'in the way'}: {left['why']}")
        if "continue" not in look.body:
            return None
        after = "&continue=" + urllib.parse.quote(look.body["continue"], safe="")


def main():
    args = arguments()
    asked = request(args)
    app = App(args, "KeyVaultBackupRestoresKey")
    digest = args.plan
    if not digest:
        if not args.source:
            stop(2, "Say --source; see --help.")
        planned = app.call("POST", "/api/restores/plan", asked)
        if planned.status != 200:
            stop(2, app.problem(planned))
        show_plan(planned.body)
        digest = planned.body["digest"]
        if args.what_if:
            foreseen = {"Succeeded": (0,), "PartiallyFailed": (1, "Part of it would be restored.")}
            stop(*foreseen.get(planned.body["foreseen"], (2, "Nothing would be restored.")))
        if not args.yes:
            agree(digest)
    begun = begin(app, digest, args.repeat)
    say(f"Restore {begun.body['id']}")
    restore = follow(app, begun)
    numbers = restore["numbers"]
    say(f"{restore['state']}: {numbers['planned']} planned = {numbers['restored']} restored + {numbers['skipped']} skipped + "
        f"{numbers['failed']} failed + {numbers['neverBackedUp']} never backed up")
    if restore["state"] == "Succeeded":
        stop(0)
    show_failures(app, restore["id"])
    stop(*((1, "Part of it was not restored.") if restore["state"] == "PartiallyFailed" else (2, "Nothing was restored.")))


if __name__ == "__main__":
    main()
