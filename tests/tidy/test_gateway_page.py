"""The page on the gateway names every error that a client can get, and after which the next target is tried."""

import re
from collections.abc import Iterator

from tests.tidy.tree import PACKAGE, ROOT, sources

from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.gateway.failover import DEFAULTS
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
    gateway = [source for source in sources(f"{PACKAGE}gateway/") if "/surfaces/" not in source.path]
    judged = {code for source in gateway for code in re.findall(r'(?:Failure|Failed)\(\s*"\w+", "(\w+)"', source.text)}
    judged |= {f"{limit}_timeout" for limit in ("first_token", "reply", "idle", "total")}
    assert len(judged) > 12
    made = judged | {Rejection.code, *codes(Refusal, Rejection, WireFault)}
    assert named == made


def test_what_is_done_by_default_is_what_the_page_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (\d) \| (yes|no) \| (yes|no) \|$", PAGE, re.MULTILINE)
    said = {name: (int(retries), falls == "yes", counts == "yes") for name, retries, falls, counts in rows}
    assert said == {name: tuple(default) for name, default in DEFAULTS.items()}
