"""What a weekly cost review says in figures: gathered once, shown, signed, and kept as they were signed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from watchkeeper.api.comparison import OTHER, spends_of, used_of
from watchkeeper.api.services import CostBasis
from watchkeeper.api.spend import NOBODY
from watchkeeper.core.money import BudgetUnit
from watchkeeper.money.effects import added, effects
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.store.cost_rows import NO_SPEND, CostAnswer, Spend
from watchkeeper.store.value import Units
from watchkeeper.store.waste import Waste

MOVERS = 5
BUDGETS = 8


class FeatureFigures(msgspec.Struct, frozen=True):
    """One feature in the week; amounts in nano-dollars."""

    feature: str
    calls: int
    nusd: int | None
    estimated_nusd: int
    unpriced_calls: int
    before_nusd: int | None
    """In the week before."""
    unit: str
    units_milli: int
    waste_nusd: int


class MoverFigures(msgspec.Struct, frozen=True):
    """One model whose cost moved."""

    model: str
    before_nusd: int | None
    nusd: int | None


class EffectFigures(msgspec.Struct, frozen=True):
    """Why the cost differs from the week before."""

    price: int
    volume: int
    mix: int
    efficiency: int


class BudgetFigures(msgspec.Struct, frozen=True):
    """How an account stood when the figures were gathered."""

    budget: str
    scope: dict[str, str]
    unit: BudgetUnit
    mode: str
    used: int
    limit: int


class ReviewFigures(msgspec.Struct, frozen=True):
    """All of one owner's week."""

    features: tuple[FeatureFigures, ...]
    """Dearest first."""
    effects: EffectFigures
    movers: tuple[MoverFigures, ...]
    budgets: tuple[BudgetFigures, ...]

    @property
    def nusd(self) -> int:
        """The cost of the priced calls."""
        return sum(one.nusd or 0 for one in self.features)

    @property
    def before_nusd(self) -> int:
        """That of the week before."""
        return sum(one.before_nusd or 0 for one in self.features)

    @property
    def unpriced_calls(self) -> int:
        """Calls that are missing from the cost."""
        return sum(one.unpriced_calls for one in self.features)

    @property
    def digest(self) -> str:
        """The same for the same figures; budgets go on being used and take no part."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, budgets=()))).hexdigest()[:16]

    def kept(self) -> dict[str, Any]:
        """Write them for the control database."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def read_figures(kept: Mapping[str, Any]) -> ReviewFigures:
    """Read what `ReviewFigures.kept` wrote."""
    return msgspec.convert(kept, ReviewFigures)


def owned(answers: Iterable[CostAnswer], basis: CostBasis) -> dict[str, list[str]]:
    """Return the features of each cost owner, the nameless owner's last; those that cost nothing are among them."""
    names = {name: one.cost_owner for name, one in basis.features.items()}
    for answer in answers:
        names |= {group.names[0]: names.get(group.names[0], "") for group in answer.groups}
    found: dict[str, list[str]] = {}
    for name, owner in sorted(names.items(), key=lambda pair: (not pair[1], pair[1], pair[0])):
        found.setdefault(owner, []).append(name)
    return found


def gather(
    features: Sequence[str],
    by_feature: tuple[CostAnswer, CostAnswer],
    by_model: tuple[CostAnswer, CostAnswer],
    others: tuple[Mapping[str, Units], Iterable[Waste], Iterable[AccountState]],
    basis: CostBasis,
) -> ReviewFigures:
    """Put the figures of some features together.

    Args:
        features: Of one owner.
        by_feature: Of the week before, and of the week.
        by_model: The same, of these features alone.
        others: Units of value, waste, and accounts of budgets.
        basis: Names the units.
    """
    units, waste, states = others
    before, after = ({group.names[0]: group.spend for group in answer.groups} for answer in by_feature)
    wasted: dict[str, int] = {}
    for one in waste:
        wasted[one.feature] = wasted.get(one.feature, 0) + one.nusd
    rows = [
        _feature(name, before.get(name, NO_SPEND), after.get(name, NO_SPEND), units, wasted, basis) for name in features
    ]
    first, second = (spends_of(answer) for answer in by_model)
    parts = effects(used_of(first), used_of(second))
    order = sorted((names for names in parts if names != OTHER), key=lambda names: -abs(parts[names].difference))
    whole = added(parts.values())
    accounts = [state for state in states if state.scope.get("feature") in features]
    return ReviewFigures(
        features=tuple(sorted(rows, key=lambda row: (-(row.nusd or 0), row.feature))),
        effects=EffectFigures(whole.price, whole.volume, whole.mix, whole.efficiency),
        movers=tuple(
            MoverFigures(names[0], _cost(first.get(names)), _cost(second.get(names)))
            for names in order[:MOVERS]
            if parts[names].difference
        ),
        budgets=tuple(
            BudgetFigures(state.budget, state.scope, state.unit, state.mode, state.settled, state.limit)
            for state in accounts[:BUDGETS]
        ),
    )


def _cost(spend: Spend | None) -> int | None:
    return 0 if spend is None else spend.cost_nusd


def _feature(
    name: str, before: Spend, after: Spend, units: Mapping[str, Units], wasted: Mapping[str, int], basis: CostBasis
) -> FeatureFigures:
    return FeatureFigures(
        feature=name,
        calls=after.calls,
        nusd=after.cost_nusd,
        estimated_nusd=after.estimated_nusd + after.disputed_nusd,
        unpriced_calls=after.unpriced_calls,
        before_nusd=before.cost_nusd,
        unit=basis.features.get(name, NOBODY).unit_of_value,
        units_milli=units.get(name, Units()).milli,
        waste_nusd=wasted.get(name, 0),
    )
