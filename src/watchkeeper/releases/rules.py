"""What must hold before a release is promoted, and what of it is lacking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RuleName = Literal["freeze", "approvals", "rejection", "gate"]
Verdict = Literal["approve", "reject"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one environment; without any, everything may be promoted."""

    approvals: int = 0
    """People who must approve."""
    author_may_approve: bool = False
    gates: tuple[str, ...] = ()
    """Checks that must have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a wish to promote a release."""

    feature: str
    environment: str
    release: str
    authors: frozenset[str]
    """Of the release, and of every one between it and the one that is live."""
    request: int | None = None
    """The review request for this release in this environment; None when there is none."""
    votes: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    """Of that request, by who gave them."""
    gates: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Whether the latest run of each check has passed for the release; those never run are not in it."""
    freezes: tuple[str, ...] = ()
    """What holds everything as it is, in words."""


@dataclass(frozen=True, slots=True)
class Lack:
    """One rule that a wish does not meet."""

    rule: RuleName
    message: str
    """What is missing, and the command that gets it."""


def lacking(rules: Rules, facts: Facts) -> list[Lack]:
    """List every rule that does not hold yet; empty when the release may be promoted."""
    return [*_freezes(facts), *_review(rules, facts), *_gates(rules, facts)]


def counted(rules: Rules, facts: Facts) -> frozenset[str]:
    """Return who has approved and counts."""
    given = frozenset(name for name, verdict in facts.votes.items() if verdict == "approve")
    return given if rules.author_may_approve else given - facts.authors


def _freezes(facts: Facts) -> list[Lack]:
    return [Lack("freeze", message) for message in facts.freezes]


def _review(rules: Rules, facts: Facts) -> list[Lack]:
    if not rules.approvals:
        return []
    wish = f"{facts.feature} {facts.release} --to {facts.environment}"
    if facts.request is None:
        return [
            Lack(
                "approvals",
                f"it needs {_people(rules.approvals)} to approve of it and nobody has been asked: "
                f"`watchkeeper release request {wish}`",
            )
        ]
    found: list[Lack] = []
    against = sorted(name for name, verdict in facts.votes.items() if verdict == "reject")
    if against:
        found.append(
            Lack(
                "rejection",
                f"{', '.join(against)} rejected it in request {facts.request}; it needs another release, or another "
                f"vote of theirs: `watchkeeper release approve {facts.request}`",
            )
        )
    left = rules.approvals - len(counted(rules, facts))
    if left > 0:
        found.append(Lack("approvals", _approvals_left(rules, facts, left)))
    return found


def _approvals_left(rules: Rules, facts: Facts, left: int) -> str:
    who = "" if rules.author_may_approve else f" other than {', '.join(sorted(facts.authors))}"
    needed = f"it needs {_people(rules.approvals)}{who} to approve of it and "
    own = sorted(facts.authors.intersection(name for name, verdict in facts.votes.items() if verdict == "approve"))
    if own and not rules.author_may_approve:
        return (
            f"{needed}the vote of {', '.join(own)} does not count, who wrote it or a release before it that is not "
            "live yet: somebody else approves in the console, or over the API with a token of their own; "
            f"`watchkeeper release reviews {facts.request}` shows who has"
        )
    has = "nobody has yet" if left == rules.approvals else f"{left} more must"
    return f"{needed}{has}: `watchkeeper release approve {facts.request}`"


def _gates(rules: Rules, facts: Facts) -> list[Lack]:
    found: list[Lack] = []
    for gate in rules.gates:
        has_passed = facts.gates.get(gate)
        if not has_passed:
            why = "has not been run for it" if has_passed is None else "has failed for it"
            command = f"`watchkeeper release gate {facts.release} --name {gate} --run RUN --passed`"
            found.append(Lack("gate", f"the check {gate} {why}; what runs it reports with {command}"))
    return found


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count} people"
