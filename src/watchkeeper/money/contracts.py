"""What was agreed about prices: a provider's discount changes what a call costs, a mark-up what a tenant is charged."""

from collections.abc import Iterable

from msgspec import Struct

from watchkeeper.money.prices import WHOLE_BP, Match, Rates


class Contract(Struct, frozen=True, array_like=True, gc=False):
    """One agreement; shares are basis points of the list price."""

    provider: str = ""
    """Name in the configuration; empty for all."""
    tenant: str = ""
    """Empty for calls of every tenant, and of none."""
    models: tuple[Match, ...] = ()
    """None at all for every model."""
    discount_bp: int = 0
    """Off what the provider bills."""
    mark_up_bp: int = 0
    """On what a call costs, for the tenant; below 0 it is charged less."""
    from_ns: int | None = None
    until_ns: int | None = None
    """Unix time, excluded."""

    def is_about(self, provider: str, model: str) -> bool:
        """Tell whether a target is meant."""
        if self.provider not in ("", provider):
            return False
        return not self.models or any(match.holds(model.lower()) for match in self.models)

    def holds(self, tenant: str, at_ns: int) -> bool:
        """Tell whether it holds for a tenant's call at a Unix time."""
        if self.tenant not in ("", tenant):
            return False
        return (self.from_ns is None or at_ns >= self.from_ns) and (self.until_ns is None or at_ns < self.until_ns)


def about(contracts: Iterable[Contract], provider: str, model: str) -> tuple[Contract, ...]:
    """Return the contracts that may concern a target."""
    return tuple(contract for contract in contracts if contract.is_about(provider, model))


def contracted(rates: Rates, contracts: Iterable[Contract], tenant: str, at_ns: int) -> Rates:
    """Return what a target's units cost under its contracts; of several discounts that hold, the last counts."""
    discount_bp = 0
    for contract in contracts:
        if contract.discount_bp and contract.holds(tenant, at_ns):
            discount_bp = contract.discount_bp
    if not discount_bp:
        return rates
    return rates.at_share(WHOLE_BP - discount_bp, f"{percent(discount_bp)} discount by contract")


def charged(rates: Rates, contracts: Iterable[Contract], tenant: str, at_ns: int) -> Rates | None:
    """Return what a tenant is charged for units that cost `rates`; None where that is what they cost.

    Of several mark-ups that hold, the last counts.
    """
    mark_up_bp = 0
    for contract in contracts:
        if contract.mark_up_bp and contract.holds(tenant, at_ns):
            mark_up_bp = contract.mark_up_bp
    return rates.at_share(WHOLE_BP + mark_up_bp, f"{percent(mark_up_bp)} mark-up by contract") if mark_up_bp else None


def percent(bp: int) -> str:
    """Write basis points as per cent, exactly: 1250 is `12.5%`."""
    whole, part = divmod(abs(bp), 100)
    digits = f"{whole}.{part:02d}".rstrip("0").rstrip(".")
    return f"{'-' if bp < 0 else ''}{digits}%"
