"""The whole run as XML: each key an element, each item of a list an element of its key's name."""

import re
from collections.abc import Iterator
from typing import Any, TextIO
from xml.sax.saxutils import escape

from watchkeeper.evals.promptfoo.documents import as_text
from watchkeeper.evals.promptfoo.envelopes.documents import VERSION
from watchkeeper.evals.promptfoo.envelopes.head import Head
from watchkeeper.evals.promptfoo.envelopes.stripping import stripped, stripped_prompts
from watchkeeper.evals.promptfoo.results import Results

_NOT_NAME = re.compile(r"[^\w.-]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(file: TextIO, head: Head, results: Results) -> None:
    """Write XML, one result at a time."""
    file.write("<promptfoo>\n")
    file.writelines(_element("evalId", head.run, 1))
    file.write("  <results>\n")
    file.writelines(_element("version", VERSION, 2))
    file.writelines(_element("timestamp", head.created, 2))
    file.writelines(_element("prompts", stripped_prompts(head.prompts, head.env), 2))
    for record in results:
        file.writelines(_element("results", stripped(record, head.env), 2))
    file.writelines(_element("stats", head.stats, 2))
    file.write("  </results>\n")
    file.writelines(_element("config", head.config, 1))
    file.write("  <shareableUrl></shareableUrl>\n</promptfoo>\n")


def _element(name: str, value: Any, depth: int) -> Iterator[str]:
    tag = _NOT_NAME.sub("_", name) or "_"
    tag = tag if tag[0].isalpha() or tag[0] == "_" else f"_{tag}"
    indent = "  " * depth
    if isinstance(value, list):
        for item in value:
            yield from _element(name, item, depth)
    elif isinstance(value, dict):
        yield f"{indent}<{tag}>\n"
        for key, item in value.items():
            yield from _element(str(key), item, depth + 1)
        yield f"{indent}</{tag}>\n"
    else:
        text = "" if value is None else as_text(value)
        yield f"{indent}<{tag}>{escape(_NOT_XML.sub('', text))}</{tag}>\n"
