"""An operator's file of prices, read into entries that lie on top of the book; its form stands in docs/prices.md."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from watchkeeper.config import document, wording
from watchkeeper.config.prices import ModelPattern, Named, Thresholds, UnitPrices
from watchkeeper.config.problems import did_you_mean, dotted
from watchkeeper.core.errors import CallerError
from watchkeeper.money.edition import Entry, Row
from watchkeeper.money.moments import midnight_ns, unix_ns
from watchkeeper.money.prices import match_of
from watchkeeper.money.written_prices import priced_row

ROWS_MAX = 100
"""Of one model."""
MODELS_MAX = 5_000
"""Of one file."""
TIER_PATTERN = r"^[a-z][a-z0-9_-]{0,31}$"
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class PriceFileWrong(CallerError):
    """A file of prices cannot be used."""

    code = "price_file"
    http_status = 422


def _moment_ns(given: Any) -> Any:
    match given:
        case datetime():
            return unix_ns(given if given.tzinfo else given.replace(tzinfo=UTC))
        case date():
            return midnight_ns(given)
        case str():
            try:
                found = datetime.fromisoformat(given)
            except ValueError:
                raise ValueError("must be a day such as `2027-01-01`, or a time such as `2027-01-01T12:00Z`") from None
            return unix_ns(found if found.tzinfo else found.replace(tzinfo=UTC))
        case _:
            raise ValueError("must be a day such as `2027-01-01`, or a time such as `2027-01-01T12:00Z`")


def _hours_s(given: Any) -> Any:
    found = _HOURS.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ValueError('must be hours of the day in UTC, in quotes, such as `"16:30-00:30"`')
    start_h, start_m, end_h, end_m = map(int, found.groups())
    hours = (start_h * 3600 + start_m * 60, end_h * 3600 + end_m * 60)
    if hours[0] == hours[1]:
        raise ValueError("must end at another time than it begins; leave `hours` out for the whole day")
    return hours


_Moment = Annotated[int, BeforeValidator(_moment_ns)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Row(UnitPrices):
    above: Thresholds = Field(default_factory=dict)
    service_tier: Annotated[str, Field(pattern=TIER_PATTERN)] | None = None
    valid_from: _Moment | None = None
    valid_to: _Moment | None = None
    hours: Annotated[tuple[int, int], BeforeValidator(_hours_s)] | None = None

    @model_validator(mode="after")
    def _says_a_price_for_some_time(self) -> "_Row":
        if all(getattr(self, unit) is None for unit in UnitPrices.model_fields):
            raise ValueError("must say at least one price, such as `input`")
        if self.valid_from is not None and self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("must end after it begins")
        return self

    def row(self) -> Row:
        priced = priced_row(self, self.above)
        return Row(
            priced.per_million,
            priced.above,
            request=priced.request,
            service_tier=self.service_tier or "",
            valid_from_ns=self.valid_from,
            valid_to_ns=self.valid_to,
            hours_s=self.hours,
        )


class _Model(_Section):
    price_list: Annotated[Named, Field(alias="list")]
    model: Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]{1,300}$")]
    match: ModelPattern | None = None
    rows: Annotated[list[_Row], Field(max_length=ROWS_MAX)]


class _File(_Section):
    prices: Annotated[list[_Model], Field(max_length=MODELS_MAX)]


def read_file(text: bytes, *, source: str, lists: list[str]) -> list[Entry]:
    """Read a file of YAML or JSON; one entry for each of its models, without rows for one that is taken back.

    Args:
        text: Its bytes.
        source: What the rows shall name as their source.
        lists: The price lists there are.

    Raises:
        PriceFileWrong: it cannot be used; the message names every mistake with its place.
    """
    found = document.read(text)
    problems = [f"line {line}: {dotted(place)}: {message}" for line, place, message in found.faults]
    file: _File | None = None
    if not problems:
        try:
            file = _File.model_validate(found.data)
        except ValidationError as error:
            for detail in error.errors():
                place = wording.place_of(detail)
                problems.append(f"line {found.line(place)}: {dotted(place)}: {_words(detail)}")
    entries: list[Entry] = []
    for index, one in enumerate(file.prices if file is not None else ()):
        if one.price_list not in lists:
            line = found.line(("prices", index, "list"))
            problems.append(
                f"line {line}: there is no price list `{one.price_list}`{did_you_mean(one.price_list, lists)}"
            )
        if any(entry.key == (one.price_list, one.model) for entry in entries):
            problems.append(f"line {found.line(('prices', index))}: {one.price_list}/{one.model} occurs twice")
        entries.append(_entry(one, source))
    if problems:
        raise PriceFileWrong("The file of prices cannot be used; nothing was changed.\n" + "\n".join(problems[:20]))
    return entries


def _words(detail: ErrorDetails) -> str:
    return "unknown key" if detail["type"] == "extra_forbidden" else wording.words(detail)


def _entry(one: _Model, source: str) -> Entry:
    match = match_of(one.match) if one.match is not None else None
    return Entry(one.price_list, one.model, match, tuple(row.row() for row in one.rows), source, -1)
