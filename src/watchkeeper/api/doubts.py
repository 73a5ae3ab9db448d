"""What somebody may have overlooked who names a feature, an environment or a check: done all the same, and said."""

from collections.abc import Iterable

from watchkeeper.api.services import Services
from watchkeeper.config.problems import meant

EVERY = "*"


def about_feature(feature: str, parts: Services) -> str | None:
    """Return what is doubtful about a feature; None where the configuration declares it, or none at all."""
    declared = parts.declared_features()
    if not declared or feature in declared or feature == EVERY:
        return None
    return f"The configuration does not declare the feature {feature!r}; it has no owner."


def about_environment(environment: str, parts: Services) -> str | None:
    """Return what is doubtful about an environment; None for one that there is."""
    known = sorted(parts.release_basis().environments)
    if environment in known:
        return None
    return f"There is no environment {environment[:60]!r}{meant(environment, known)}"


def about_gate(gate: str, parts: Services) -> str | None:
    """Return what is doubtful about a check's name; None where an environment asks for it."""
    asked = sorted({name for rules in parts.release_basis().environments.values() for name in rules.gates})
    if gate in asked:
        return None
    return f"No environment asks for a check {gate[:60]!r}{meant(gate, asked)}"


def together(doubts: Iterable[str | None]) -> str | None:
    """Return all that is doubtful as one note; None where nothing is."""
    return " ".join(doubt for doubt in doubts if doubt) or None
