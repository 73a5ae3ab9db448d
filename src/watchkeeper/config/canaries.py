"""The shape of `canaries` and of `drift`: which models are asked the same again and again, and how drift is watched."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from watchkeeper.config.amounts import Money
from watchkeeper.config.durations import Duration

CANARIES_MAX = 100
PROMPTS_MAX = 50
REPEATS_MAX = 10

PromptText = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
ModelName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,200}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Canary(_Section):
    """A model that is asked the same few prompts again and again, at temperature 0."""

    model: Annotated[ModelName, Field(description="A route, or `provider/model`.", examples=["openai/gpt-4o-mini"])]
    every: Annotated[Duration, Field(ge=300, description="How often. At 5 minutes or more.", examples=["6h"])] = (
        6 * 3600.0
    )
    budget: Annotated[
        Money,
        Field(description="What its rounds may cost in a day of UTC; beyond it they wait for the next.",
              examples=["0.20 USD"]),
    ]  # fmt: skip
    repeats: Annotated[int, Field(ge=2, le=REPEATS_MAX, description="How often a round asks each prompt.")] = 3
    prompts: Annotated[
        list[PromptText],
        Field(
            max_length=PROMPTS_MAX,
            description="What is asked instead of the twelve prompts that come with Watchkeeper. Fewer than six show "
            "little; another list begins anew.",
        ),
    ] = []
    max_tokens: Annotated[int, Field(ge=1, le=512, description="Of each answer to a prompt of one's own.")] = 48
    logprobs: Annotated[
        bool,
        Field(description="Whether log probabilities are asked for: they show smaller changes. Not every model has "
              "them."),
    ] = False  # fmt: skip


class Drift(_Section):
    """How calls are compared with earlier ones."""

    watched: Annotated[bool, Field(description="Whether it is looked for at all.")] = True
    false_alarms: Annotated[
        float,
        Field(gt=0, le=30, description="How many false alarms a feature may raise in thirty days, on average."),
    ] = 1.0
