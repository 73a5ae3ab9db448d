"""Makes cases of recorded calls, and keeps them in a suite."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from watchkeeper.api.auth import Operator
from watchkeeper.api.labelling import newest_calls
from watchkeeper.api.replays import found_for_replay
from watchkeeper.api.services import Services
from watchkeeper.core.conversation import read_conversation
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.from_calls import MadeCase, NothingAsked, RecordedCall, case_of, variables_sent
from watchkeeper.evals.labelling import GOOD
from watchkeeper.evals.suite import CASES_MAX, Case, Suite
from watchkeeper.store.rows import CallDetail, CallFilter
from watchkeeper.store.suites import SuiteRow, SuiteUnknown

CASES_AT_ONCE = 200

Referring = Literal["none", "answer", "labelled"]
"""What becomes the reference. labelled: the answer, where people have found it good."""


class CasesRefused(CallerError):
    """The cases cannot be added; the suite is as it was."""

    code = "cases_refused"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """Cases that were made, and calls of which none was."""

    made: Sequence[MadeCase]
    left_out: Sequence[tuple[str, str]]
    """Call, and why."""


async def harvest(
    parts: Services,
    by: Operator,
    calls: Sequence[str],
    *,
    referring: Referring = "none",
    tags: Sequence[str] = (),
    is_redacted: bool = True,
) -> Harvest:
    """Make a case of each call; that they are read is noted.

    Raises:
        CallUnknown: there is no such call.
        NotAllowed: its text may not be read.
    """
    good = await parts.control.labels.values_of_calls(calls) if referring == "labelled" else {}
    made, left_out = list[MadeCase](), list[tuple[str, str]]()
    for call in dict.fromkeys(calls):
        recorded = recorded_call(await found_for_replay(call, parts, by), tags)
        is_reference = referring == "answer" or good.get(call, -1.0) >= GOOD
        try:
            made.append(case_of(recorded, is_reference=is_reference, is_redacted=is_redacted))
        except NothingAsked as why:
            left_out.append((call, str(why)))
    return Harvest(made=made, left_out=left_out)


async def matching(parts: Services, chosen: CallFilter, most: int) -> list[str]:
    """Return the ids of the newest calls that match."""
    return [row.id for row in await newest_calls(parts, chosen, most)]


def recorded_call(found: CallDetail, tags: Sequence[str] = ()) -> RecordedCall:
    """Read a call as a case is made of it."""
    row = found.row
    return RecordedCall(
        id=row.id,
        conversation=read_conversation(
            found.request_body, found.response_body, surface=row.surface, is_stream=row.is_stream
        ),
        variables=variables_sent(found.request_body),
        session=row.session,
        tags=tags,
    )


async def added(
    parts: Services, feature: str, name: str, cases: Sequence[Case], *, by: str, message: str = ""
) -> tuple[SuiteRow, int]:
    """Keep a version of a suite with cases beside those it has; return it, and how many are new.

    A case whose id it has already is left out. Where there is no suite of that name, one of these cases is made.

    Raises:
        CasesRefused: it would hold too many.
    """
    try:
        _, held = await parts.control.suites.get(f"{feature}/{name}")
    except SuiteUnknown:
        held = Suite(feature=feature, name=name, cases=())
    fresh = new_cases(cases, {case.id for case in held.cases})
    if len(held.cases) + len(fresh) > CASES_MAX:
        raise CasesRefused(f"The suite would hold more than {CASES_MAX:,} cases; nothing was added. Split it.")
    suite = msgspec.structs.replace(held, cases=(*held.cases, *fresh))
    said = message or f"{len(fresh)} cases from calls"
    row, _ = await parts.control.suites.save(suite, by=by, message=said)
    return row, len(fresh)


def new_cases(cases: Sequence[Case], known: Collection[str]) -> list[Case]:
    """Return those whose ids are not known, each once."""
    return list({case.id: case for case in cases if case.id not in known}.values())
