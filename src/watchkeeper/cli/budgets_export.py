"""`watchkeeper budgets export`."""

import sys

import yaml

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json


def export(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Print the budgets in force as YAML for the configuration file: the file's, edited, and those that were added."""
    found = client.get(data, "/api/v1/budgets/definitions")
    if json:
        show.document(found)
        return
    for budget in found["budgets"]:
        if budget["source"] != "file":
            show.note(f"{budget['name']}: {budget['source']} by {budget['by']}; {budget['reason']}")
    definitions = [budget["definition"] for budget in found["budgets"]]
    sys.stdout.write(yaml.safe_dump({"budgets": definitions}, sort_keys=False, allow_unicode=True))
