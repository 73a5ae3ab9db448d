"""A budget in the configuration's own words, and back: what is shown in forms, kept of edits, and exported."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from watchkeeper.config import wording
from watchkeeper.config.budgets import Budget, Degrade
from watchkeeper.config.problems import Place
from watchkeeper.config.schema import Config
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import usd

Definition = dict[str, Any]
"""As it stands in the file, what is as by default left out."""


class BudgetWrong(CallerError):
    """A budget cannot be taken; `problems` says at which key why."""

    code = "budget_wrong"
    http_status = 422

    def __init__(self, problems: Iterable[tuple[Place, str]]) -> None:
        self.problems = tuple(problems)
        told = "; ".join(f"{'.'.join(map(str, place)) or 'the budget'} {message}" for place, message in self.problems)
        super().__init__(f"{told}. Nothing was changed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A budget that people have changed or added."""

    budget: Budget
    is_added: bool
    """Whether the file had none of this identity when it was made."""


def definition_of(budget: Budget) -> Definition:
    """Write a budget; reading it gives the same."""
    written: Definition = {}
    for name, field in Budget.model_fields.items():
        value = getattr(budget, name)
        if name == "scope" or value != field.default:
            written[name] = _written(name, value)
    return written


def read_definition(definition: Mapping[str, Any]) -> Budget:
    """Read a budget.

    Raises:
        BudgetWrong: in the words that the configuration uses for the same mistakes.
    """
    try:
        return Config.model_validate({"budgets": [dict(definition)]}).budgets[0]
    except ValidationError as error:
        found = error.errors(include_url=False)
    raise BudgetWrong((wording.place_of(detail)[2:], wording.words(detail)) for detail in found)


def with_edits(budgets: Iterable[Budget], edits: Mapping[str, Edit]) -> list[Budget]:
    """Put edits in the place of what they change, and what was added behind.

    Args:
        budgets: Of the file.
        edits: By identity. One that changed a budget which the file no longer has is left out.
    """
    declared = list(budgets)
    known = {budget.identity for budget in declared}
    merged = [edits[one.identity].budget if one.identity in edits else one for one in declared]
    return merged + [edit.budget for name, edit in edits.items() if edit.is_added and name not in known]


def _written(name: str, value: Any) -> Any:
    match value:
        case Degrade():
            found = {"at": percent(value.at), "tier": value.tier}
            found["cache_only_at"] = percent(value.cache_only_at) if value.cache_only_at is not None else None
            return {key: one for key, one in found.items() if one is not None}
        case list():
            return [percent(share) for share in value]
        case int() if name == "limit":
            return f"{usd(value)} USD"
        case dict():
            return dict(value)
        case _:
            return value


def percent(share: float) -> str:
    """Write a share as the file has it: 0.8 -> "80%"."""
    text = f"{Decimal(repr(share)) * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"
