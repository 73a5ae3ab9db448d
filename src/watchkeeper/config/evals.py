"""The shape of `evals`: suites that are run again and again, and answers of real calls that are looked at."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from watchkeeper.config.amounts import Money, Share
from watchkeeper.config.budgets import Zone
from watchkeeper.config.cron import cron
from watchkeeper.config.routes import Name

SCHEDULES_MAX = 500
ONLINE_MAX = 200
SCORERS_MAX = 50
REPEATS_MAX = 100
LEAST_CALLS = 50
PREVIOUS = "previous"
"""As a baseline: what the schedule measured the last time."""

SuiteName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[^\s/\x00-\x1f\x7f]{1,200}$")]
ScheduleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Cron = Annotated[str, StringConstraints(max_length=200), AfterValidator(cron)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Section):
    """A suite that is run again and again."""

    name: Annotated[
        ScheduleName | None,
        Field(description="What commands and alerts call it; by default `FEATURE.SUITE@` and whom it asks."),
    ] = None
    suite: Annotated[SuiteName, Field(description="Its latest version that is kept.", examples=["support/answers"])]
    env: Annotated[Line, Field(description="Ask what is live in this environment.", examples=["production"])] = ""
    release: Annotated[Line, Field(description="Ask this release.")] = ""
    model: Annotated[Line, Field(description="Ask a route, or `provider/model`, with the messages of the cases.")] = ""
    baseline: Annotated[
        Line,
        Field(
            description="What it is compared with: `previous`, an environment, a release, a model, `run-...`; `none`.",
            examples=["previous", "staging"],
        ),
    ] = PREVIOUS
    cron: Annotated[
        Cron, Field(description="When: minute, hour, day of the month, month, weekday.", examples=["0 6 * * *"])
    ]
    tz: Annotated[Zone, Field(description="Time zone of `cron`.", examples=["Europe/Berlin"])] = "UTC"
    cap: Annotated[Money | None, Field(description="What one run may cost, judges included.", examples=["2 USD"])] = (
        None
    )
    repeats: Annotated[int | None, Field(ge=1, le=REPEATS_MAX, description="How often each case is asked.")] = None

    @property
    def candidate(self) -> str:
        """Return whom it asks; empty for the feature's latest release."""
        return self.env or self.release or self.model

    @property
    def identity(self) -> str:
        """Return the name that it stays known by."""
        asked = "".join(letter if letter.isalnum() or letter in "._-" else "." for letter in self.candidate)
        return self.name or f"{self.suite.replace('/', '.')}@{asked or 'latest'}"[:100]

    @model_validator(mode="after")
    def _asks_one(self) -> Self:
        if sum(map(bool, (self.env, self.release, self.model))) > 1:
            raise ValueError("must name one of `env`, `release` and `model`")
        return self


class Online(_Section):
    """Answers of real calls that are looked at, by chance and within a sum of money."""

    name: Annotated[
        Name | None, Field(description="What figures and alerts call it; by default `FEATURE.ENVIRONMENT`.")
    ] = None
    feature: Annotated[Name, Field(description="Whose calls.", examples=["support"])]
    environment: Annotated[Name, Field(description="In which environment.")] = "production"
    share: Annotated[
        Share, Field(gt=0, le=1, description="Which part of the calls that were answered.", examples=["5%"])
    ]
    scorers: Annotated[
        list[str | dict[str, Any]],
        Field(
            min_length=1,
            max_length=SCORERS_MAX,
            description="What is asked of an answer, as in a suite.",
            examples=[["refusal", {"type": "rubric", "value": "is polite", "name": "polite"}]],
        ),
    ]
    judge: Annotated[
        Line,
        Field(description="Of judged scorers that name none: a route, a model or `feature/NAME@ENVIRONMENT`."),
    ] = ""
    daily_cap: Annotated[
        Money | None,
        Field(description="What judges may cost in a day, by UTC. Without one, no judge is asked.", examples=["1 USD"]),
    ] = None
    min_calls: Annotated[
        int, Field(ge=1, le=1_000_000, description="Answers on each side, fewer of which are not compared.")
    ] = LEAST_CALLS

    @property
    def identity(self) -> str:
        """Return the name that it stays known by."""
        return self.name or f"{self.feature}.{self.environment}"


class Evals(_Section):
    """Evaluation that goes on by itself."""

    schedules: Annotated[
        list[Schedule], Field(max_length=SCHEDULES_MAX, description="Suites that are run again and again.")
    ] = []
    online: Annotated[
        list[Online], Field(max_length=ONLINE_MAX, description="Answers of real calls that are looked at.")
    ] = []
    python: Annotated[
        bool,
        Field(
            description="Whether schedules run scorers written in Python on this machine. Whoever may write a suite "
            "of a feature that is scheduled can then run code here."
        ),
    ] = False

    @model_validator(mode="after")
    def _has_distinct_names(self) -> Self:
        for found in (self.schedules, self.online):
            names = [one.identity for one in found]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two are known as `{name}`; give one a `name` of its own")
        return self
