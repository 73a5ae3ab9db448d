"""Finds the budgets and limits that a call counts against."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product

from msgspec import Struct

from watchkeeper.core.call import Call
from watchkeeper.money.budgets import Budget, Rule, ScopeKind

KNOWN_MAX = 10_000
"""Callers whose rules are remembered; the next one starts over with none."""
EACH = "*"

Match = tuple[Rule, tuple[str, ...]]
"""A rule, and the values of its scope for this call."""

_VALUES: dict[ScopeKind, Callable[[Call], Iterable[str]]] = {
    "organisation": lambda call: (EACH,),
    "request": lambda call: (EACH,),
    "tenant": lambda call: (call.tenant,) if call.tenant else (),
    "feature": lambda call: (call.feature,) if call.feature else (),
    "key": lambda call: (call.key_id,) if call.key_id else (),
    "subject": lambda call: (call.subject,) if call.subject else (),
    "session": lambda call: (call.session,) if call.session else (),
    "tag": lambda call: dict.fromkeys(call.tags),
}
"""Of a kind that a call lacks there is no value, and a rule about it does not apply."""


class _Shape(Struct):
    """Rules that look at the same kinds, and name values of the same ones."""

    kinds: tuple[ScopeKind, ...]
    named: tuple[int, ...]
    """Places of the kinds for which a value is named."""
    rules: dict[tuple[str, ...], list[Rule]] = {}
    """By the named values."""


class Matcher:
    """Rules, indexed by their scopes: their number does not matter, only how many shapes their scopes have."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        shapes: dict[tuple[tuple[ScopeKind, ...], tuple[int, ...]], _Shape] = {}
        for rule in rules:
            kinds = tuple(kind for kind, _ in rule.scope)
            named = tuple(place for place, (_, value) in enumerate(rule.scope) if value != EACH)
            shape = shapes.setdefault((kinds, named), _Shape(kinds, named))
            shape.rules.setdefault(tuple(rule.scope[place][1] for place in named), []).append(rule)
        self._shapes = list(shapes.values())

    def matches(self, call: Call) -> Iterator[Match]:
        """Yield each rule that a call counts against; one about tags as often as it has such tags."""
        for shape in self._shapes:
            for values in product(*[_VALUES[kind](call) for kind in shape.kinds]):
                found = shape.rules.get(tuple([values[place] for place in shape.named]))
                if found is not None:
                    for rule in found:
                        yield rule, values


def is_for_one_call(rule: Rule) -> bool:
    """Tell whether a rule is about each call by itself."""
    return isinstance(rule, Budget) and rule.scope[-1][0] == "request"


def caller_of(call: Call) -> tuple[str, ...]:
    """Return what rules look at, as a key."""
    return (call.key_id, call.feature, call.tenant, call.subject, call.session, *call.tags)
