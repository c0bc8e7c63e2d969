"""Checks the last line of `cargo demo -- --json`: the numbers of both nights add up."""

import json
import sys

night = json.loads(sys.stdin.readlines()[-1])
for numbers in (night, night["second_night"]):
    total = numbers["backed_up"] + numbers["skipped"] + numbers["failed"]
    assert numbers["listed"] == total, numbers
assert night["listed"] >= 1000, night
assert 0 < night["second_night"]["backed_up"] < 10, night
