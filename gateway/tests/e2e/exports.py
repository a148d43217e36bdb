"""Reads exports of the audit log with programs that others wrote: OCSF by models of its schema, CSV by Python."""

import csv
import json
import sys

from ocsf.v1_7_0 import events

CLASSES = {
    3002: events.Authentication,
    3003: events.AuthorizeSession,
    3004: events.EntityManagement,
    4005: events.RdpActivity,
    6002: events.ApplicationLifecycle,
    6003: events.ApiActivity,
}

log = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]

ocsf = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
assert len(ocsf) == len(log) > 5
for event, line in zip(ocsf, log):
    CLASSES[event["class_uid"]].model_validate(event)
    assert event["metadata"]["sequence"] == line["seq"] and event["metadata"]["event_code"] == line["kind"]
    assert event["unmapped"]["detail"] == line.get("detail", {})

with open(sys.argv[3], encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file, strict=True))
assert len(rows) == len(log)
for row, line in zip(rows, log):
    assert row["seq"] == str(line["seq"]) and row["kind"] == line["kind"] and row["prev"] == line["prev"]
    assert row["technician"] == line.get("technician", "")
    assert json.loads(row["detail"] or "{}") == line.get("detail", {})
print(len(log))
