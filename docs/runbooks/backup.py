#!/usr/bin/env python3
"""Backs a vault or some of its objects up now, and follows the run to its end.

For Azure Automation (Python 3.8 or newer, no packages), a pipeline or a terminal.

KEYVAULT_BACKUP_URL    the function app, such as https://my-backup.azurewebsites.net; or --url
KEYVAULT_BACKUP_KEY    the key of the function Backups; in Azure Automation the encrypted variable KeyVaultBackupBackupsKey
KEYVAULT_BACKUP_TOKEN  an access token of the app, where it also has authentication switched on; or --audience

Exit code: 0 everything is backed up or rightly skipped, 1 part of it, 2 nothing is, or the result is not known. In Azure
Automation everything but 0 fails the job.
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
    parser.add_argument("--vault", required=True, help="the vault; without names the whole of it, as in the night")
    return common(parser).parse_args()


def follow(app, vault, begun):
    """The run in this vault, once it has ended."""
    path, look = begun.body["links"]["run"], begun
    # 200: it has ended within the request.
    if begun.status == 202:
        app.sleep(begun)
    while True:
        look = app.call("GET", path)
        if look.status != 200:
            stop(2, f"{app.problem(look)}\nIt is not known how the run ended; it continues without this runbook. Poll it again: GET {path}")
        here = next(of for of in look.body["sources"] if of["source"] == vault)
        if here["state"] != "Running":
            return here
        say(f"{here['progress']['done']} of {here['progress'].get('planned', '…')} done")
        app.sleep(look)


def main():
    args = arguments()
    order = {"vault": args.vault}
    if named := objects(args):
        order["objects"] = named
    app = App(args, "KeyVaultBackupBackupsKey")
    begun = app.call("POST", "/api/backups", order)
    if begun.status not in (200, 202):
        unknown = "\nIt is not known whether a run began: GET /api/backups/runs shows it. A second one is harmless."
        stop(2, app.problem(begun) + (unknown if begun.may_pass else ""))
    say(f"Run {begun.body['run']}")
    run = follow(app, args.vault, begun)
    numbers = run["numbers"]
    skipped = numbers["unchanged"] + numbers["managed"] + numbers["disappeared"]
    say(f"{run['state']}: {numbers['listed']} listed = {numbers['backedUp']} backed up + {skipped} skipped + {numbers['failed']} failed")
    for kind in run["unlisted"]:
        complain(f"{kind['kind']}s could not be listed: {kind['failure']['code']}: {kind['failure']['text']}")
    for of in run["objects"]:
        if of["fared"] == "failed":
            complain(f"{of['kind']} {of['name']}: {of['failure']['code']}: {of['failure']['text']}")
    if run["state"] == "Succeeded":
        stop(0)
    stop(*((1, "Part of it was not backed up.") if run["state"] == "PartiallyFailed" else (2, "Nothing was backed up.")))


if __name__ == "__main__":
    main()
