"""Units of value: reports of what calls, or a feature, were worth."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.calls import CallUnknown
from watchkeeper.api.filters import CallIdText, Moment, Word, read_moment
from watchkeeper.api.permits import needs, require
from watchkeeper.api.strict import Strict
from watchkeeper.money.units import MILLI, written
from watchkeeper.store.value import ValueEvent

UNITS_MAX = 10**9

router = APIRouter(prefix="/api/v1/value", tags=["cost"])


class ValueWish(Strict):
    """A report: of a call, or of a feature."""

    id: Annotated[
        str,
        Field(min_length=1, max_length=200, description="Chosen by whoever reports; the same id counts once, ever."),
    ]
    units: Annotated[
        Decimal,
        Field(
            ge=-UNITS_MAX,
            le=UNITS_MAX,
            decimal_places=3,
            allow_inf_nan=False,
            description="How many units; below 0 takes back what was reported before.",
            examples=["1", "2.5"],
        ),
    ]
    call_id: Annotated[CallIdText, Field(description="The call that is worth it; its feature and tenant are used.")] = (
        ""
    )
    feature: Annotated[Word, Field(description="Where no call is named.")] = ""
    tenant: Annotated[Word, Field(description="With a feature.")] = ""
    at: Annotated[
        Moment, Field(description="To which moment it belongs; by default to the call's start, without a call to now.")
    ] = ""

    @model_validator(mode="after")
    def _says_of_what(self) -> Self:
        if bool(self.call_id) == bool(self.feature):
            raise ValueError("say of what: name either a call or a feature")
        if self.call_id and self.tenant:
            raise ValueError("a call has its own tenant; leave `tenant` out")
        if not self.units:
            raise ValueError("0 units say nothing; leave the report out")
        return self


class ValueDocument(BaseModel):
    """A report as it is kept."""

    id: str
    feature: str
    tenant: str
    call_id: str | None
    units: str
    at: datetime
    recorded_at: datetime
    source: Annotated[str, Field(description="Who reported it.")]


@router.post("", status_code=201, summary="Report units of value", dependencies=[needs("money", somewhere=True)])
async def report(wish: ValueWish, parts: Parts, by: By, response: Response) -> ValueDocument:
    """Keep a report; 201 for a new one, 200 for one that is there already."""
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    feature, tenant, at = wish.feature, wish.tenant, now
    if wish.call_id:
        found = await parts.analytics.call(wish.call_id)
        if found is None:
            raise CallUnknown(
                f"There is no call {wish.call_id}; nothing was counted. A call can be found about a second after it "
                "has ended: report again then, under the same id."
            )
        feature, tenant, at = found.row.feature, found.row.tenant, found.row.started_at
    await require(parts, by, "money", feature=feature)
    event = ValueEvent(
        id=wish.id,
        feature=feature,
        tenant=tenant,
        call_id=wish.call_id,
        units_milli=int(wish.units * MILLI),
        at=read_moment(wish.at, now) or at,
        recorded_at=now,
        source=by.name,
    )
    kept, is_new = await parts.analytics.value.add(event)
    if not is_new:
        response.status_code = 200
    return ValueDocument(
        id=kept.id,
        feature=kept.feature,
        tenant=kept.tenant,
        call_id=kept.call_id or None,
        units=written(kept.units_milli),
        at=kept.at,
        recorded_at=kept.recorded_at,
        source=kept.source,
    )
