"""The query parameters that choose calls, the same for lists, counts and charts."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated, get_args

from pydantic import AfterValidator, Field

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.call import Origin, OutputStatus, ServedFrom
from watchkeeper.core.ids import is_call_id
from watchkeeper.core.money import nusd
from watchkeeper.store.rows import YEARS, CallFilter

SPAN_MAX = timedelta(days=36_500)
DOLLARS_MAX = 1_000_000
PAGE_MAX = 1_000
STEPS_MAX = 1_000
_SPAN = re.compile(r"(\d{1,9})(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _moment(text: str) -> str:
    read_moment(text, datetime(2000, 1, 1, tzinfo=UTC))
    return text


def _call_id(text: str) -> str:
    if text and not is_call_id(text):
        raise ValueError(f"{text[:40]!r} is not the id of a call: 26 digits and capital letters")
    return text


def _status(text: str) -> str:
    if text not in ("", "ok", "error", "cancelled"):
        raise ValueError(f"{text[:40]!r} is no status; it may be ok, error or cancelled")
    return text


def _served_from(text: str) -> str:
    if text and text not in get_args(ServedFrom):
        raise ValueError(f"{text[:40]!r} is no source; it may be {', '.join(filter(None, get_args(ServedFrom)))}")
    return text


def _origin(text: str) -> str:
    if text and text not in get_args(Origin):
        raise ValueError(f"{text[:40]!r} is no origin; it may be {', '.join(get_args(Origin))}")
    return text


def _output_status(text: str) -> str:
    known = [one for one in get_args(OutputStatus) if one]
    if text and text not in known:
        raise ValueError(f"{text[:40]!r} says nothing of an output; it may be {', '.join(known)}")
    return text


Word = Annotated[str, Field(max_length=200)]
Moment = Annotated[str, AfterValidator(_moment), Field(max_length=40)]
Status = Annotated[str, AfterValidator(_status)]
Source = Annotated[str, AfterValidator(_served_from)]
CallIdText = Annotated[str, AfterValidator(_call_id)]


class CallQuery(Strict):
    """Which calls: an empty value does not restrict, and all that are set must hold."""

    since: Annotated[Moment, Field(description="ISO 8601 time, or a span back from now: 90s, 15m, 1h, 7d, 2w.")] = ""
    until: Annotated[Moment, Field(description="As `since`; the end is not included.")] = ""
    feature: Word = ""
    tenant: Word = ""
    subject: Annotated[
        Word, Field(description="A pseudonym, or a person as the client named them, together with the tenant.")
    ] = ""
    session: Word = ""
    key: Annotated[Word, Field(description="The public part of a key.")] = ""
    environment: Word = ""
    release: Annotated[Word, Field(description="The whole id of a release.")] = ""
    rollout: Annotated[Word, Field(description="Id of the rollout that chose the release.")] = ""
    origin: Annotated[
        Word, AfterValidator(_origin), Field(description="client, shadow or replay; all of them when not given.")
    ] = ""
    output_status: Annotated[
        Word,
        AfterValidator(_output_status),
        Field(description="ok, repaired or failed: the answer against its schema."),
    ] = ""
    route: Word = ""
    provider: Word = ""
    model: Annotated[Word, Field(description="As sent upstream.")] = ""
    status: Annotated[Status, Field(description="ok, error or cancelled.")] = ""
    error_class: Word = ""
    tag: Word = ""
    trace: Annotated[Word, Field(description="Trace id, 32 hex digits.")] = ""
    served_from: Annotated[Source, Field(description="upstream, cache, stale_cache or set_answer.")] = ""
    fault: Annotated[Word, Field(description="Id of a fault that was injected.")] = ""
    document: Annotated[str, Field(max_length=500, description="A document that was found for it.")] = ""
    is_stream: bool | None = None
    min_cost: Annotated[Decimal | None, Field(ge=0, le=DOLLARS_MAX, description="US dollars.")] = None
    min_duration_ms: Annotated[float | None, Field(ge=0, le=1e9)] = None
    search: Annotated[Word, Field(description="Words of the question or the answer; all must occur.")] = ""

    def call_filter(self, services: Services) -> CallFilter:
        """Return the store's form; a person's name becomes the pseudonym under which the gateway recorded it."""
        now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
        subject = self.subject
        if subject and not is_pseudonym(subject):
            subject = services.pseudonyms.of(self.tenant, subject)
        return CallFilter(
            since=read_moment(self.since, now),
            until=read_moment(self.until, now),
            feature=self.feature,
            tenant=self.tenant,
            subject=subject,
            session=self.session,
            key_id=self.key,
            environment=self.environment,
            release=self.release,
            rollout=self.rollout,
            origin=self.origin,
            output_status=self.output_status,
            route=self.route,
            provider=self.provider,
            model=self.model,
            status=self.status,
            error_class=self.error_class,
            tag=self.tag,
            trace_id=self.trace.lower(),
            served_from=self.served_from,
            fault=self.fault,
            document=self.document,
            is_stream=self.is_stream,
            min_cost_nusd=nusd(self.min_cost) if self.min_cost is not None else None,
            min_duration_ms=self.min_duration_ms,
            search=self.search,
        )


class ListQuery(CallQuery):
    """Which calls, and which page of them."""

    before: Annotated[CallIdText, Field(description="`next_before` of the page before.")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 50


class FollowQuery(CallQuery):
    """Which calls, and from where on."""

    after: Annotated[Word, Field(description="`after` of the answer before; without one, begin now.")] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 200


class OverviewQuery(CallQuery):
    """Which calls, and into how many steps their window is cut."""

    steps: Annotated[int, Field(ge=1, le=STEPS_MAX)] = 60


def read_moment(text: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """Read a time, or a span back from now; a time without an offset is the zone's, and nothing is None.

    Raises:
        ValueError: it is neither; the message says what it may be.
    """
    text = text.strip()
    if not text:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        length = timedelta(seconds=min(int(span[1]) * _SECONDS[span[2]], SPAN_MAX.total_seconds()))
        return now - length
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:40]!r} is not a time; write a span back from now such as 90s, 15m, 1h or 7d, "
            "or a time such as 2026-11-03T14:05"
        ) from None
    if found.year not in YEARS:
        raise ValueError(f"{text[:40]!r} is outside the years {YEARS[0]} to {YEARS[-1]}")
    return found
