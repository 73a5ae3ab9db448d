"""The price book: what a model costs, what an update would change, approving it, and pricing the past again."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from watchkeeper.access.roles import ALL
from watchkeeper.api.auth import By, Parts
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.price_documents import (
    DiffDocument,
    PriceDocument,
    PriceState,
    Recomputation,
    diff_document,
    price_document,
    price_state,
    recomputation,
)
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError, OperatorError
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.ingest.recompute import Approval, Repricing
from watchkeeper.money.diff import BookDiff, against_edition, against_file
from watchkeeper.money.edition import Edition, Origin
from watchkeeper.money.moments import unix_ns
from watchkeeper.money.price_file import read_file
from watchkeeper.money.prices import PriceList
from watchkeeper.store.corrections import Stretch
from watchkeeper.store.prices import PriceRecord

FILE_MAX = 1024 * 1024
"""Letters of an operator's file."""
NAME_MAX = 200
MODEL_MAX = 300
STRETCH_MAX = timedelta(days=31)
"""Priced again by one request."""

OF_ALL = "Prices hold for the calls of every feature."

router = APIRouter(prefix="/api/v1/prices", tags=["prices"])


class PriceUnknown(CallerError):
    """There is no such list, or no list knows the model."""

    code = "price_not_found"
    http_status = 404


class PricesDoubtful(CallerError):
    """An update would change so much that it is not applied without a word."""

    code = "prices_doubtful"
    http_status = 409


class PricesNotRunning(OperatorError):
    """No keeper runs, and only it knows which prices each provider has."""

    code = "no_keeper"
    http_status = 503


class PriceFile(Strict):
    """An update of the price book: an operator's file, or without one the edition that is installed."""

    file: str = Field(default="", max_length=FILE_MAX, description="Its text: YAML or JSON.")
    name: str = Field(default="", max_length=NAME_MAX, description="Of the file; what its rows name as their source.")


class PriceUpdate(PriceFile):
    """An update that is approved."""

    force: bool = Field(default=False, description="Although it would change uncommonly much.")


class RecomputeWish(Strict):
    """Which calls are priced again."""

    since: datetime = Field(description="From when on calls started; without a zone it is UTC.")
    until: datetime = Field(description="Until when, excluded.")
    feature: str = Field(default="", max_length=NAME_MAX, description="Only its calls.")
    dry_run: bool = Field(default=False, description="Write nothing down.")

    @model_validator(mode="after")
    def _is_a_stretch(self) -> Self:
        length = _zoned(self.until) - _zoned(self.since)
        if not timedelta() < length <= STRETCH_MAX:
            raise ValueError(f"`until` must lie after `since`, by at most {STRETCH_MAX.days} days")
        return self


class ListSummary(BaseModel):
    """One price list."""

    name: str
    models: Annotated[int, Field(description="That it has itself.")]
    corrections: Annotated[int, Field(description="Of them: those of which an operator's file says something.")]
    recorded_at: Annotated[datetime, Field(description="When the newest of its rows was written down.")]


class PriceLists(BaseModel):
    """The price lists there are, by name."""

    state: PriceState
    lists: list[ListSummary]


class FoundPrices(BaseModel):
    """What a model costs, by list and service tier."""

    model: str
    at: datetime
    as_of: Annotated[datetime | None, Field(description="The prices as they were known then; null for now.")]
    prices: list[PriceDocument]


@router.get("/state", summary="Tell how old the price book is", dependencies=SOME)
async def state(parts: Parts) -> PriceState:
    """Return where the book's prices come from and when they were written down."""
    return price_state(await parts.control.prices.approvals(), installed=_installed_source())


@router.get("", summary="List the price lists", dependencies=SOME)
async def list_prices(parts: Parts) -> PriceLists:
    """Return every list with the number of its models."""
    by_list: dict[str, list[PriceRecord]] = {}
    for record in await parts.control.prices.records():
        by_list.setdefault(record.entry.list, []).append(record)
    return PriceLists(
        state=await state(parts),
        lists=[
            ListSummary(
                name=name,
                models=len({record.entry.model for record in records}),
                corrections=sum(record.origin == "file" for record in records),
                recorded_at=max(record.recorded_at for record in records),
            )
            for name, records in sorted(by_list.items())
        ],
    )


@router.get("/model", summary="Show what a model costs", dependencies=SOME)
async def show_model(
    parts: Parts,
    model: Annotated[str, Query(min_length=1, max_length=MODEL_MAX, description="As it is sent to the provider.")],
    list_name: Annotated[str, Query(alias="list", max_length=NAME_MAX, description="Only this price list.")] = "",
    provider: Annotated[
        str, Query(max_length=NAME_MAX, description="A provider of the configuration, with its overrides.")
    ] = "",
    at: Annotated[date | datetime | None, Query(description="When the call is made; now without it.")] = None,
    as_of: Annotated[date | datetime | None, Query(description="The prices as they were known then.")] = None,
) -> FoundPrices:
    """Return the rows that hold at a time, of the prices as they are known now or were known earlier."""
    known_at = None if as_of is None else _moment(as_of)
    moment = _now(parts) if at is None else _moment(at)
    records = {record.entry.described: record for record in await parts.control.prices.records(as_of=known_at)}
    if provider:
        lists = [_list_of(parts, provider, known_at)]
    else:
        book = await parts.control.prices.book(known_at)
        names = [list_name] if list_name else book.names
        if list_name and not book.has(list_name):
            raise PriceUnknown(f"There is no price list `{list_name[:100]}`{meant(list_name, book.names)}")
        lists = [book.price_list(name) for name in names if name != "free" or list_name]
    found = [document for one in lists for document in _held(one, model, moment, records)]
    if not found:
        where = f"The price list `{lists[0].name}`" if len(lists) == 1 else "No price list"
        raise PriceUnknown(
            f"{where} {'does not know' if len(lists) == 1 else 'knows'} the model `{model[:100]}` at that time. "
            "Calls to it are unpriced, unless a file or an override says what it costs."
        )
    return FoundPrices(model=model, at=moment, as_of=known_at, prices=found)


@router.post("/diff", summary="Show what an update would change", dependencies=SOME)
async def diff_prices(wish: PriceFile, parts: Parts) -> DiffDocument:
    """Compare the book with the edition that is installed, or with an operator's file; nothing is changed."""
    _, _, diff = await _compared(wish, parts)
    return diff_document(diff, applied=None)


@router.post("/apply", summary="Approve an update", dependencies=[needs("money", because=OF_ALL)])
async def apply_prices(wish: PriceUpdate, parts: Parts, by: By) -> DiffDocument:
    """Believe an update from now on, which the gateway follows in a second; what was believed before stays known."""
    revision, edition, diff = await _compared(wish, parts)
    if diff.doubts and not wish.force:
        raise PricesDoubtful(
            f"{diff.source} was not applied, because {' and '.join(diff.doubts)}. Look at it with "
            "`watchkeeper prices diff`; when it is right, apply it with --force."
        )
    latest = next((one.source for one in await parts.control.prices.approvals() if one.origin == "edition"), "")
    is_news = edition is not None and edition.source != latest
    if not (diff.changes or diff.list_changes or is_news):
        return diff_document(diff, applied=None)
    origin: Origin = "file" if edition is None else "edition"
    lists = None if edition is None else edition.lists
    applied = await parts.control.prices.apply(diff, origin, revision=revision, lists=lists, actor=by.name)
    parts.on_control_change()
    return diff_document(diff, applied=applied)


@router.post("/recompute", summary="Price past calls again", dependencies=[needs("money", somewhere=True)])
async def recompute(wish: RecomputeWish, parts: Parts, by: By) -> Recomputation:
    """Price stored calls by what is known of prices now; a correction is written beside each that cost another sum."""
    await require(parts, by, "money", feature=wish.feature or ALL)
    terms = _terms(parts, "no call was priced again")
    revision = await parts.control.prices.revision()
    stretch = Stretch(since=_zoned(wish.since), until=_zoned(wish.until), feature=wish.feature)
    approval = Approval(actor=by.name, reason=f"price book {revision}", is_rehearsal=wish.dry_run)
    found = await Repricing(parts.analytics, parts.clock, parts.repricing).recompute(
        stretch, BookPricer(terms), approval
    )
    if found.corrected and not wish.dry_run:
        summary = f"priced again: {found.corrected} of {found.calls} calls from {wish.since} until {wish.until}"
        detail = {"calls": found.calls, "corrected": found.corrected, "revision": revision}
        await parts.control.changes.note("prices", summary, actor=by.name, feature=wish.feature, detail=detail)
    return recomputation(found, is_rehearsal=wish.dry_run)


async def _compared(wish: PriceFile, parts: Services) -> tuple[int, Edition | None, BookDiff]:
    """Return the book's revision, the edition where it is one, and the difference."""
    prices = parts.control.prices
    book = await prices.book()
    believed = [record.entry for record in await prices.records(origin="edition")]
    if wish.file:
        source = f"file {wish.name or 'without a name'}"
        entries = read_file(wish.file.encode(), source=source, lists=[name for name in book.names if name != "free"])
        corrections = [record.entry for record in await prices.records(origin="file")]
        return book.revision, None, against_file(believed, corrections, entries, source=source)
    edition = await asyncio.to_thread(_installed)
    return book.revision, edition, await asyncio.to_thread(against_edition, believed, book.lists, edition)


def _installed() -> Edition:
    from watchkeeper.money.genai import installed  # a quarter of a second, which no other question needs

    return installed()


def _installed_source() -> str:
    return f"genai-prices {version('genai-prices')}"


def _list_of(parts: Services, provider: str, known_at: datetime | None) -> PriceList:
    terms = _terms(parts, "its prices are not known here; name a --list")
    if known_at is not None:
        raise PriceUnknown("What a provider's own prices were at an earlier time is not kept; name a `list` instead.")
    if not terms.knows(provider):
        known = list(terms.lists)
        raise PriceUnknown(f"There is no provider `{provider[:100]}` with known prices{meant(provider, known)}")
    return terms.lists[provider]


def _terms(parts: Services, outcome: str) -> Terms:
    terms = parts.terms()
    if terms is None:
        raise PricesNotRunning(
            f"No keeper runs here, which knows what each provider of the configuration costs: {outcome}. "
            "Start it with `watchkeeper up`."
        )
    return terms


def _held(prices: PriceList, model: str, moment: datetime, records: dict[str, PriceRecord]) -> Iterable[PriceDocument]:
    found = prices.find(model)
    if found is None:
        return
    at_ns = unix_ns(moment)
    for tier in dict.fromkeys(row.service_tier for row in found.rows):
        rates = found.at(at_ns, tier)
        if rates is not None and rates.service_tier == tier:
            yield price_document(prices.name, rates, records.get(rates.source))


def _moment(given: date | datetime) -> datetime:
    return _zoned(given if isinstance(given, datetime) else datetime.combine(given, time()))


def _zoned(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _now(parts: Services) -> datetime:
    return datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
