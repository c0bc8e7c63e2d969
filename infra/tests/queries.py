#!/usr/bin/env python3
"""Every query: those of the alerts and of the workbook, as each parameter file deploys them, and those in the pages. Prints them as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pages import FENCE, files
from policies import LOG_RULE, Subject, alert_name, query, workbook_queries

ROOT = Path(__file__).resolve().parent.parent


def alerts(subject: Subject) -> dict[str, str]:
    """By the parameter file and the name of the alert."""
    return {f"{view.name}: {alert_name(alert)}": query(alert) for view in subject.views for alert in view.of(LOG_RULE)}


def in_workbook(subject: Subject) -> dict[str, str]:
    """By the parameter file and the name in the workbook."""
    return {f"{view.name}: {name}": text for view in subject.views for name, text in workbook_queries(view).items()}


def in_pages() -> dict[str, str]:
    """By the page and the heading above; a second one under the same heading has a number."""
    found: dict[str, str] = {}
    for path in files():
        text = path.read_text(encoding="utf-8")
        for block in FENCE.finditer(text):
            if block[1] != "kusto":
                continue
            heading = text[: block.start()].rsplit("\n## ", 1)
            name = f"{path.name}: {heading[1].splitlines()[0] if len(heading) > 1 else 'top'}"
            found[name if name not in found else f"{name} {len(found)}"] = block[2]
    return found


if __name__ == "__main__":
    subject = Subject(ROOT)
    json.dump(alerts(subject) | in_workbook(subject) | in_pages(), sys.stdout)
