"""The whole run as one document: `{evalId, results{version, timestamp, prompts, results, stats}, config, ...}`."""

import platform
from typing import Any, TextIO

import yaml

from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.envelopes.stripping import stripped, stripped_prompts
from watchkeeper.evals.promptfoo.results import Results

VERSION = 3
"""Of the form, as promptfoo counts."""


def write_json_document(file: TextIO, head: Head, results: Results) -> None:
    """Write JSON, one result at a time."""
    prompts = write_json(stripped_prompts(head.prompts, head.env))
    file.write(f'{{"evalId":{write_json(head.run)},"results":{{"version":{VERSION},')
    file.write(f'"timestamp":{write_json(head.created)},"prompts":{prompts},"results":[')
    for index, record in enumerate(results):
        file.write(",\n" if index else "\n")
        file.write(write_json(stripped(record, head.env)))
    file.write(f'\n],"stats":{write_json(head.stats)}}},')
    file.write(f'"config":{write_json(head.config)},"shareableUrl":null,"metadata":{write_json(_metadata(head))}}}\n')


def write_yaml_document(file: TextIO, head: Head, results: Results) -> None:
    """Write YAML; the results are held in memory."""
    whole = {
        "evalId": head.run,
        "results": {
            "version": VERSION,
            "timestamp": head.created,
            "prompts": stripped_prompts(head.prompts, head.env),
            "results": [stripped(record, head.env) for record in results],
            "stats": dict(head.stats),
        },
        "config": dict(head.config),
        "shareableUrl": None,
        "metadata": _metadata(head),
    }
    yaml.dump(whole, file, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)


class _Plain(yaml.SafeDumper):
    """Without anchors, which few readers expect."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


def _metadata(head: Head) -> dict[str, Any]:
    return {
        "watchkeeperVersion": head.version,
        "platform": platform.system().lower(),
        "arch": platform.machine(),
        "exportedAt": head.exported,
        "evaluationCreatedAt": head.created,
    }
