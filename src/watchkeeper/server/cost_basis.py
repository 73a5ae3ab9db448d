"""What questions about cost must know of the configuration and the price book."""

from collections.abc import Callable

from watchkeeper.api.services import CostBasis, Ownership
from watchkeeper.config.routes import Route
from watchkeeper.config.schema import Config
from watchkeeper.core.usage import Usage
from watchkeeper.money.book import PriceBook
from watchkeeper.money.prices import cost_nusd
from watchkeeper.server.prices import lists_in_force


def cost_basis(config: Config, book: PriceBook) -> CostBasis:
    """Read it from a configuration."""
    return CostBasis(
        features={
            name: Ownership(
                owner=one.owner, cost_owner=one.cost_owner, unit_of_value=one.unit_of_value, stage=one.stage
            )
            for name, one in config.features.items()
        },
        cache_ttl_s={name: route.cache.exact.ttl for name, route in config.routes.items() if route.cache is not None},
        targets={name: _targets(route) for name, route in config.routes.items()},
        list_price=_list_price(config, book),
    )


def lone_cost_basis(config: Config) -> CostBasis:
    """Read it where no keeper holds a price book."""
    from watchkeeper.money.genai import installed  # a quarter of a second, which few commands need

    return cost_basis(config, PriceBook.of(installed()))


def allowed_failures(config: Config) -> dict[str, float]:
    """Return by feature which share of its answers may fail, where the configuration says so."""
    return {name: one.output_alert for name, one in config.features.items() if one.output_alert is not None}


def _targets(route: Route) -> tuple[str, ...]:
    tiers = [target for tier in (route.tiers or {}).values() for target in tier]
    return tuple(dict.fromkeys([*(route.targets or []), *tiers]))


def _list_price(config: Config, book: PriceBook) -> Callable[[str, Usage, int], int | None]:
    in_force = lists_in_force(config, book)

    def list_price(target: str, usage: Usage, at_ns: int) -> int | None:
        provider, _, model = target.partition("/")
        prices_of = in_force.lists.get(in_force.names.get(provider, ""))
        prices = None if prices_of is None else prices_of.find(model)
        rates = None if prices is None else prices.at(at_ns)
        return None if rates is None else cost_nusd(usage, rates)

    return list_price
