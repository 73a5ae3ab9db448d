"""A run: one suite under one or two arms, and what that took."""

from typing import Any, Literal

from msgspec import Struct

from watchkeeper.core.money import CostStatus

RunStatus = Literal["running", "finished", "stopped"]
"""stopped: it ended before every case was asked, and can be gone on with; the run's note says why."""


class ArmHead(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One column of a run: what was asked."""

    name: str
    """As in `Outcome.arm`: `candidate`, `baseline`, or one of its own where there are more."""
    title: str = ""
    """For people: the release, environment or model, as it was named; empty: its name says it."""
    release: str = ""
    """Id of the release that was asked; empty for a plain model."""
    model: str = ""
    """As it is asked: `feature/NAME@RELEASE`, a route, or `provider/model`; empty where cases bring their answers."""
    parameters: dict[str, Any] = {}
    """Of a plain model, in the words of the chat API."""


class RunHead(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Everything of a run but its outcomes."""

    id: str
    suite: str
    """Name of the suite, unique in its feature."""
    suite_id: str
    """Of the version that ran: `suite.suite_id`."""
    feature: str
    arms: tuple[ArmHead, ...]
    """The candidate first."""
    started_ms: int
    """Unix time."""
    ended_ms: int | None = None
    """Unix time; None while it runs."""
    status: RunStatus = "running"
    cost_nusd: int | None = None
    """What asking cost, without judges; None where some of it has no price."""
    cost_status: CostStatus = "unpriced"
    """The weakest among those of its calls."""
    judge_cost_nusd: int | None = None
    """What judges cost; 0 where none was asked, None where nobody knows."""
    by: str = ""
    """Who started it."""
    repeats: int = 1
    commit: str = ""
    """Of the repository that it was started in."""
    note: str = ""
    cases: int = 0
    is_gate: bool = False
    """Whether what it shows is kept as the result of a check on the candidate's release."""
    may_report: bool = False
    """Whether who began it may report results of checks. Nobody else then adds to it, and a check's result comes of
    no other run."""
    baseline_run: str = ""
    """The run that the baseline's outcomes are taken from; empty where this one asks it, or there is none."""
    judges: dict[str, str] = {}
    """Which release each judge was, by what it judges; runs with other judges cannot be compared."""
    first_repeat: int = 0
    """Added to the number of each repeat where answers are told apart: a run with another one asks anew."""
    cap_nusd: int | None = None
    """What it may cost, judges included."""
    turn: int = 0
    """How often it was gone on with: of two who run it, only the later one can add to it."""

    @property
    def title(self) -> str:
        """Return `FEATURE/NAME` of its suite; the name alone of what counts for no feature."""
        return f"{self.feature}/{self.suite}" if self.feature else self.suite

    @property
    def baseline(self) -> str:
        """Return the name of the arm that the first one is held against; empty without one."""
        names = [arm.name for arm in self.arms[1:]]
        return "baseline" if "baseline" in names else names[0] if len(names) == 1 else ""
