"""The query parameters that choose calls, the same for lists, counts and charts."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated

from fastapi import Query, Request

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.auth import services_of
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import nusd
from watchkeeper.store.rows import CallFilter

_SPAN = re.compile(r"(\d+)(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN_DAYS_MAX = 36_500
STATUSES = ("ok", "error", "cancelled")


class FilterFault(CallerError):
    """A filter's value cannot be understood."""

    code = "bad_filter"
    http_status = 422


def call_filter(
    request: Request,
    since: Annotated[str, Query(description="ISO 8601 time, or a span back from now: 90s, 15m, 1h, 7d, 2w.")] = "",
    until: Annotated[str, Query(description="As `since`; the end is not included.")] = "",
    feature: str = "",
    tenant: str = "",
    subject: Annotated[
        str, Query(description="A person as the client named them, with the tenant, or a pseudonym.")
    ] = "",
    session: str = "",
    key: str = "",
    environment: str = "",
    route: str = "",
    provider: str = "",
    model: str = "",
    status: Annotated[str, Query(description="ok, error or cancelled.")] = "",
    error_class: str = "",
    tag: str = "",
    trace: str = "",
    is_stream: bool | None = None,
    min_cost: Annotated[str, Query(description="US dollars, a decimal.")] = "",
    min_duration_ms: float | None = None,
    search: Annotated[str, Query(description="Words of the question or the answer; all must occur.")] = "",
) -> CallFilter:
    """Read a filter from a request's query.

    Raises:
        FilterFault: a value cannot be understood; the message says which and what it may be.
    """
    services = services_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    if status and status not in STATUSES:
        raise FilterFault(f"`status` is {status[:50]!r}; it may be {', '.join(STATUSES)}.")
    if subject and not is_pseudonym(subject):
        subject = services.pseudonyms.of(tenant, subject)
    return CallFilter(
        since=moment("since", since, now),
        until=moment("until", until, now),
        feature=feature,
        tenant=tenant,
        subject=subject,
        session=session,
        key_id=key,
        environment=environment,
        route=route,
        provider=provider,
        model=model,
        status=status,
        error_class=error_class,
        tag=tag,
        trace_id=trace.lower(),
        is_stream=is_stream,
        min_cost_nusd=_amount(min_cost),
        min_duration_ms=min_duration_ms,
        search=search,
    )


def moment(name: str, text: str, now: datetime) -> datetime | None:
    """Read a time, or a span back from now; a time without a zone is UTC.

    Raises:
        FilterFault: it is neither.
    """
    if not text:
        return None
    span = _SPAN.fullmatch(text.strip())
    if span:
        length = timedelta(**{_UNITS[span[2]]: min(int(span[1]), 10**9)}) if int(span[1]) < 10**9 else None
        if length is not None and length.days <= _SPAN_DAYS_MAX:
            return now - length
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise FilterFault(
            f"`{name}` is {text[:50]!r}; it may be a span back from now such as 90s, 15m, 1h or 7d, "
            "or a time such as 2026-11-03T14:05."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _amount(text: str) -> int | None:
    if not text:
        return None
    try:
        amount = Decimal(text)
        if not amount.is_finite():
            raise InvalidOperation
        return nusd(amount)
    except InvalidOperation:
        raise FilterFault(f"`min_cost` is {text[:50]!r}; it must be an amount in US dollars such as 0.01.") from None
