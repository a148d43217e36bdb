"""Reads metrics as another program would, and prints every sample as JSON."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = text_string_to_metric_families(sys.stdin.read())
json.dump([[sample.name, sample.labels, sample.value] for family in families for sample in family.samples], sys.stdout)
