"""What was wasted and saved, and what a unit of value costs, as JSON."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.api.services import CostBasis
from watchkeeper.api.spend import NOBODY, SpendDocument, spend_document
from watchkeeper.core.money import usd
from watchkeeper.money.savings import Routing, RoutingSaving, routing_saving
from watchkeeper.money.units import UnitStatus, unit_cost, written
from watchkeeper.store.cost_rows import NO_SPEND, CostScope, Spend
from watchkeeper.store.value import Units
from watchkeeper.store.waste import CacheSaving, Routed, Waste, WasteKind

UnitsText = Annotated[str, Field(description="Exact decimal, at most three places.", examples=["2.5"])]


class WasteFigures(BaseModel):
    """What was paid for nothing."""

    calls: int
    cost_usd: Annotated[Dollars, Field(description="Of those with a price.")]
    uncertain_usd: Annotated[Dollars, Field(description="The part of it that is estimated or disputed.")]
    unpriced_calls: int


class FeatureWaste(WasteFigures):
    """That of one feature."""

    feature: str
    cost_owner: str | None


class WasteLine(BaseModel):
    """One kind of waste; no money is in two of them."""

    kind: WasteKind
    about: str
    total: WasteFigures
    features: Annotated[list[FeatureWaste], Field(description="Dearest first.")]


class CacheSavingDocument(BaseModel):
    """What answers from the cache had cost when they were made."""

    calls: int
    saved_usd: Dollars
    unpriced_calls: Annotated[int, Field(description="Answers whose cost was not known.")]


class RoutingSavingDocument(BaseModel):
    """What calls would have cost more at the dearest target of their route, at list prices."""

    status: Literal["estimated"] = "estimated"
    calls: Annotated[int, Field(description="Calls that went to a cheaper target.")]
    saved_usd: Dollars
    uncompared_calls: Annotated[int, Field(description="Calls of several attempts, or without known prices.")]


class Savings(BaseModel):
    """What was not paid."""

    cache: CacheSavingDocument
    routing: RoutingSavingDocument


class WasteDocument(BaseModel):
    """What was wasted and saved."""

    since: datetime
    until: datetime
    waste: list[WasteLine]
    savings: Savings


class FeatureUnits(BaseModel):
    """What one unit of value of a feature costs."""

    feature: str
    unit_of_value: Annotated[str | None, Field(description="What the feature calls it; null when it declares none.")]
    owner: str | None
    cost_owner: str | None
    units: UnitsText
    said_units: Annotated[UnitsText, Field(description="By `x-wk-value` of calls that ended well.")]
    reported_units: Annotated[UnitsText, Field(description="By events.")]
    cost_per_unit_usd: Annotated[
        Dollars | None, Field(description="All calls' cost over all units; null without either.")
    ]
    status: UnitStatus
    spend: SpendDocument


class UnitsDocument(BaseModel):
    """What units of value cost, by feature."""

    since: datetime
    until: datetime
    features: list[FeatureUnits]


ABOUT: dict[WasteKind, str] = {
    "retries": "attempts that failed before another one succeeded",
    "failed": "calls that ended in an error",
    "abandoned": "calls whose client left",
    "repeats": "requests answered upstream although the cache could have answered them",
}


def waste_document(
    scope: CostScope,
    waste: Iterable[Waste],
    savings: tuple[Sequence[CacheSaving], Sequence[Routed]],
    basis: CostBasis,
) -> WasteDocument:
    """Write what was wasted, every kind of it, and saved."""
    by_kind: dict[WasteKind, list[Waste]] = defaultdict(list)
    for one in waste:
        by_kind[one.kind].append(one)
    cached, routed = savings
    routing = _routing(routed, basis)
    return WasteDocument(
        since=scope.since,
        until=scope.until,
        waste=[_line(kind, by_kind[kind], basis) for kind in get_args(WasteKind)],
        savings=Savings(
            cache=CacheSavingDocument(
                calls=sum(one.calls for one in cached),
                saved_usd=usd(sum(one.nusd for one in cached)),
                unpriced_calls=sum(one.unpriced_calls for one in cached),
            ),
            routing=RoutingSavingDocument(
                calls=sum(one.calls for one in routing),
                saved_usd=usd(sum(one.nusd for one in routing)),
                uncompared_calls=sum(one.uncompared_calls for one in routing) + sum(one.other_calls for one in routed),
            ),
        ),
    )


def units_document(
    scope: CostScope, spends: Mapping[str, Spend], units: Mapping[str, Units], basis: CostBasis
) -> UnitsDocument:
    """Write what a unit costs for every feature that has calls or units, the dearest feature first."""
    no_units, names = Units(), dict.fromkeys([*spends, *units])
    return UnitsDocument(
        since=scope.since,
        until=scope.until,
        features=[_feature_units(name, spends.get(name), units.get(name, no_units), basis) for name in names],
    )


def _feature_units(feature: str, spend: Spend | None, units: Units, basis: CostBasis) -> FeatureUnits:
    owned = basis.features.get(feature, NOBODY)
    known = spend or NO_SPEND
    cost = unit_cost(
        cost_nusd=known.cost_nusd,
        uncertain_nusd=known.estimated_nusd + known.disputed_nusd,
        unpriced_calls=known.unpriced_calls,
        units_milli=units.milli,
    )
    return FeatureUnits(
        feature=feature,
        unit_of_value=owned.unit_of_value or None,
        owner=owned.owner or None,
        cost_owner=owned.cost_owner or None,
        units=written(units.milli),
        said_units=written(units.said_milli),
        reported_units=written(units.reported_milli),
        cost_per_unit_usd=None if cost.nusd is None else usd(cost.nusd),
        status=cost.status,
        spend=spend_document(known),
    )


def _line(kind: WasteKind, found: list[Waste], basis: CostBasis) -> WasteLine:
    ordered = sorted(found, key=lambda one: (-one.nusd, -one.calls, one.feature))
    return WasteLine(
        kind=kind,
        about=ABOUT[kind],
        total=WasteFigures(
            calls=sum(one.calls for one in found),
            cost_usd=usd(sum(one.nusd for one in found)),
            uncertain_usd=usd(sum(one.uncertain_nusd for one in found)),
            unpriced_calls=sum(one.unpriced_calls for one in found),
        ),
        features=[
            FeatureWaste(
                feature=one.feature,
                cost_owner=basis.features.get(one.feature, NOBODY).cost_owner or None,
                calls=one.calls,
                cost_usd=usd(one.nusd),
                uncertain_usd=usd(one.uncertain_nusd),
                unpriced_calls=one.unpriced_calls,
            )
            for one in ordered
        ],
    )


def _routing(routed: Iterable[Routed], basis: CostBasis) -> list[RoutingSaving]:
    by_route: dict[str, list[Routing]] = defaultdict(list)
    for one in routed:
        at_ns = int(one.day.timestamp()) * 1_000_000_000
        by_route[one.route].append(Routing(target=one.target, at_ns=at_ns, calls=one.calls, usage=one.usage))
    return [
        routing_saving(answered, basis.targets.get(route, ()), basis.list_price) for route, answered in by_route.items()
    ]
