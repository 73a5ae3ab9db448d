"""The page on the gateway names every error that a client can get, and after which the next target is tried."""

import re
from collections.abc import Iterator

from tests.tidy.tree import PACKAGE, ROOT, sources

from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.gateway.judge import FALLS_BACK
from watchkeeper.gateway.refusals import Refusal
from watchkeeper.gateway.wire.client import WireFault
from watchkeeper.gateway.wire.rejections import Rejection

PAGE = (ROOT / "docs/gateway.md").read_text("utf-8")
ERRORS = PAGE.partition("## Errors")[2]


def codes(*roots: type[WatchkeeperError]) -> Iterator[str]:
    """The codes of every error below some classes."""
    for root in roots:
        for error in root.__subclasses__():
            yield error.code
            yield from codes(error)


def test_every_code_is_in_the_table_of_errors() -> None:
    rows = [line for line in ERRORS.splitlines() if line.startswith("|")][2:]
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[3])}
    text = next(source.text for source in sources(PACKAGE) if source.module == "watchkeeper.gateway.judge")
    judged = set(re.findall(r'Failure\(\s*"\w+", "(\w+)"', text))
    assert len(judged) > 5
    made = judged | {Rejection.code, *codes(Refusal, Rejection, WireFault)}
    assert named == made


def test_what_falls_back_is_what_the_page_says() -> None:
    said = ERRORS.partition("When a route has several targets")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", said)) == FALLS_BACK
