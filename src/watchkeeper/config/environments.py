"""The shape of an environment: what must hold before a release is promoted to it."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.config.routes import Name

ALWAYS = ("development", "staging", "production")
"""Environments that exist without being named."""
APPROVALS_MAX = 10
GATES_MAX = 50


class Environment(BaseModel):
    """An environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approvals: Annotated[
        int,
        Field(ge=0, le=APPROVALS_MAX, description="How many people must approve of a release before it is promoted."),
    ] = 0
    author_may_approve: Annotated[
        bool,
        Field(
            description="Whether the vote of somebody counts who is the author of the release, or of one that came "
            "between it and the one that is live."
        ),
    ] = False
    gate: Annotated[
        list[Name],
        Field(
            max_length=GATES_MAX,
            description="Suites or other checks that must have passed for the release; the latest result "
            "of each counts.",
            examples=[["answers", "tone"]],
        ),
    ] = []


def every_environment(declared: Mapping[str, Environment]) -> dict[str, Environment]:
    """Return the environments there are, those that always exist first."""
    return {name: declared.get(name, Environment()) for name in (*ALWAYS, *declared)}
