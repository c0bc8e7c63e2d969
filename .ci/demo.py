"""Checks the last line of `cargo demo -- --json`: the numbers of both nights, of the restores and of
retention add up, the HSM came through, what failed in every night is still restored, and what was damaged
in storage was found and replaced."""

import json
import sys

night = json.loads(sys.stdin.readlines()[-1])
for numbers in (night, night["second_night"]):
    total = numbers["backed_up"] + numbers["skipped"] + numbers["failed"]
    assert numbers["listed"] == total, numbers
# README.md and docs quote these.
assert (night["listed"], night["backed_up"], night["skipped"]) == (1300, 998, 300), night
# One object with 501 versions, and one that may not be backed up until the second night.
assert (night["failed"], night["second_night"]["failed"]) == (2, 1), night
assert 0 < night["second_night"]["backed_up"] < 10, night

restore = night["restore"]
assert restore["planned"] == restore["restored"] + restore["failed"], restore
assert restore["failed"] == 0 and restore["equal"] is True, restore
# The object with 501 versions, which no restore brings back; the restore of the whole vault says so.
assert restore["never_backed_up"] == 1, restore
# Three that were lost, and everything that has a backup: what the nights backed up, less what was deleted.
assert restore["restored"] >= 3 + night["backed_up"], restore

hsm = night["hsm"]
assert [hsm[of] for of in ("backup", "selective_restore", "full_restore")] == ["Succeeded"] * 3, hsm
assert hsm["starts_sent"] == 1 and hsm["equal"] is True, hsm

retention = night["retention"]
assert retention["points"] == retention["kept"] + retention["dropped"], retention
# A first night and forty more.
assert retention["points"] == 41 and retention["dropped"] > 0 and retention["kept"] > 0, retention
assert retention["last_good_kept"] is True, retention

assert night["verify"] == {"damaged": 1, "found": 1, "replaced": 1}, night["verify"]
