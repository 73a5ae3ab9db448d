"""Code in fences, as Markdown has it."""

import re

_LINES = re.compile(r"\r\n?|\n")
_FENCE = re.compile(r"[ \t]{0,3}(?P<mark>`{3,}|~{3,})(?P<info>.*)", re.DOTALL)


def sql_blocks(source: str) -> list[str]:
    """Return what stands in closed fences that name SQL or no language, in order."""
    blocks: list[str] = []
    mark, wanted, body = "", False, list[str]()
    for line in _LINES.split(source):
        fence = _FENCE.fullmatch(line)
        if not mark:
            if fence:
                mark, wanted, body = fence["mark"], fence["info"].strip().lower() in ("", "sql"), []
        elif fence and not fence["info"].strip(" \t") and fence["mark"].startswith(mark):
            if wanted:
                blocks.append("\n".join(body).strip())
            mark = ""
        else:
            body.append(line)
    return blocks
