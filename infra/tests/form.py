"""The form of the portal against the template that it fills in."""

from __future__ import annotations

import json
import re
from pathlib import Path

from policies import Subject
from ties import TIE_MUTATIONS, Code, code_with, templates, tie

ROOT = Path(__file__).resolve().parent.parent
FORM = (ROOT / "portal/form.json").read_text(encoding="utf-8")


def text_of(subject: Subject, file: str) -> str:
    return subject.changed.get(file) or (subject.root / file).read_text(encoding="utf-8")


@tie
def the_form_fills_in_the_template(subject: Subject, code: Code):
    """It gives every parameter that is required and none that is not there, the fields of each by their types, and asks for just that."""
    form = json.loads(code.extra.get("form", FORM))["view"]
    outputs, steps = form["outputs"]["parameters"], form["properties"]["steps"]
    params = dict(re.findall(r"^param (\w+) ([^\n]*)$", text_of(subject, "main.bicep"), re.M))
    required = {name for name, rest in params.items() if "=" not in rest and not rest.endswith("?")}
    yield from (f"the form gives {name}, which main.bicep does not take" for name in sorted(outputs.keys() - params.keys()))
    yield from (f"the form does not give {name}" for name in sorted(required - outputs.keys()))

    elements = {(step["name"], element["name"]): element for step in steps for element in step["elements"]}
    columns = elements["what", "vaults"]["constraints"]["columns"]
    for name, given in (("vaultTarget", {column["id"] for column in columns}), ("retentionSettings", set(outputs["retention"]))):
        body = re.search(rf"^type {name} = {{\n(.*?)^}}$", text_of(subject, "types.bicep"), re.M | re.S)[1]
        fields = dict(re.findall(r"^  (\w+): ([^\n]*)$", body, re.M))
        needed = {field for field, of in fields.items() if not of.endswith(("?", "{"))}
        yield from (f"{name} has no {field}, which the form gives" for field in sorted(given - fields.keys()))
        yield from (f"{name} needs {field}, which the form does not give" for field in sorted(needed - given))

    used = set(re.findall(r"steps\('(\w+)'\)\.(\w+)", json.dumps(form["outputs"])))
    asked = {key for key, element in elements.items() if element["type"] != "Microsoft.Common.InfoBox"}
    yield from (f"the form does not ask for {step}.{name}, which it uses" for step, name in sorted(used - asked))
    yield from (f"the form asks for {step}.{name}, and does not use it" for step, name in sorted(asked - used))


def of_the_form(old: str, new: str):
    if old not in FORM:
        raise SystemExit(f"the form does not hold the text that a mutation changes: {old!r}")
    return code_with(form=FORM.replace(old, new, 1))


TIE_MUTATIONS["the_form_fills_in_the_template"] = [
    of_the_form('"alertEmails":', '"emails":'),
    of_the_form('"id": "resourceGroup"', '"id": "group"'),
    of_the_form('"logDays": 90', '"days": 90'),
    of_the_form("steps('basics').environmentName", "steps('basics').environment"),
    of_the_form("[array(steps('what').alertEmail)]", "[parse('[]')]"),
    templates("main.bicep", "param redundancy 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS' | 'Standard_RAGZRS' = 'Standard_GRS'",
              "param redundancy string"),
]
