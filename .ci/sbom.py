"""Holds lists of what is in a program against the schema of CycloneDX."""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for name in sys.argv[1:]:
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(name).read_text(encoding="utf-8")):
        raise SystemExit(f"{name} is no CycloneDX 1.6: {fault}")
print(f"{len(sys.argv) - 1} lists are CycloneDX 1.6")
