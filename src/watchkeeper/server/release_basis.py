"""What questions about releases must know of the configuration."""

from watchkeeper.api.services import ReleaseBasis
from watchkeeper.config.environments import every_environment
from watchkeeper.config.schema import Config
from watchkeeper.releases.rules import Rules


def release_basis(config: Config) -> ReleaseBasis:
    """Gather it; a configuration without providers says nothing about models."""
    return ReleaseBasis(
        environments={
            name: Rules(one.approvals, one.author_may_approve, tuple(one.gate))
            for name, one in every_environment(config.environments).items()
        },
        models=frozenset(config.routes) if config.providers else None,
        providers=frozenset(config.providers),
        retrievers=frozenset(config.retrievers) if config.providers else None,
    )
