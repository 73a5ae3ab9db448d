"""Alerts on drift: one for each group of calls and side, with a sentence for each signal that has moved."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from urllib.parse import quote

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark, Over
from watchkeeper.evals.drift.readings import Group, Look, Reading, sentence
from watchkeeper.evals.drift.rounds import Verdict
from watchkeeper.evals.drift.signals import SIGNAL, Side
from watchkeeper.watch.wording import calls_link, moment

KIND: AlertKind = "drift"
CHANGED: AlertKind = "model_changed"
SIDES: tuple[Side, ...] = ("inputs", "outputs")
_AS_BEFORE = "It is as it was before."


def key_of(group: Group) -> str:
    """Name a group in alerts."""
    return " ".join((group.feature, group.environment, group.release or "-", group.target or "-"))


def look(
    found: Look, told: Sequence[Reading], gone: Collection[str], mark: Mark | None, *, console: str = ""
) -> Findings:
    """Say what of a look is told, what is over, and what is remembered: the signals that are open.

    Args:
        found: The look.
        told: What of it is beyond doubt.
        gone: Open signals that are as they were.
        mark: What is remembered of the group; None for nothing.
        console: Address of the console, for links; empty when it is not known.
    """
    key = key_of(found.group)
    was_open = mark.passed if mark is not None else frozenset[str]()
    new = [one for one in told if one.signal not in was_open]
    is_open = (was_open | {one.signal for one in new}) - frozenset(gone)
    if is_open == was_open:
        return Findings()
    raised = tuple(
        _draft(found, of_side, side, console) for side in SIDES if (of_side := [one for one in new if one.side == side])
    )
    return Findings(
        raised=raised,
        over=tuple(_over(key, side, _AS_BEFORE) for side in _ended(was_open, is_open)),
        mark=replace(mark or Mark(kind=KIND, key=key, window_start=None, window_end=None), passed=is_open),
    )


def ended(group: Group, mark: Mark, reason: str) -> Findings:
    """Say that everything of a group is over: somebody has accepted it, or no calls come any more."""
    return Findings(
        over=tuple(_over(key_of(group), side, reason) for side in _ended(mark.passed, frozenset())),
        mark=replace(mark, passed=frozenset()),
    )


def canary(model: str, verdict: Verdict, mark: Mark | None, *, console: str = "") -> Findings:
    """Say once that a model answers otherwise, and once of each thing that its provider reports otherwise.

    A change of answers is over when they are as before again; what the provider reports, when somebody accepts it.
    """
    known = mark.passed if mark is not None else frozenset[str]()
    told = set(known)
    raised: list[AlertDraft] = []
    over: list[Over] = []
    if verdict.status == "changed" and "answers" not in known:
        told.add("answers")
        raised.append(_changed(model, verdict, console))
    elif verdict.status == "same" and "answers" in known:
        told.discard("answers")
        over.append(Over(kind=CHANGED, key=model, reason="It answers as it did before."))
    for said in verdict.metadata:
        if said not in known:
            told.add(said)
            raised.append(_reported(model, said, console))
    if told == known:
        return Findings()
    kept = mark or Mark(kind=CHANGED, key=model, window_start=None, window_end=None)
    return Findings(raised=tuple(raised), over=tuple(over), mark=replace(kept, passed=frozenset(told)))


def canary_accepted(model: str, mark: Mark, by: str) -> Findings:
    """Say that how a model answers now is how it should be."""
    reason = f"{by} accepted how it answers now."
    keys = [model if told == "answers" else f"{model} {told}" for told in sorted(mark.passed)]
    over = tuple(Over(kind=CHANGED, key=key, reason=reason) for key in keys)
    return Findings(over=over, mark=replace(mark, passed=frozenset()))


def _ended(was_open: frozenset[str], is_open: frozenset[str]) -> list[Side]:
    def sides(names: frozenset[str]) -> set[Side]:
        return {SIGNAL[name].side for name in names if name in SIGNAL}

    return [side for side in SIDES if side in sides(was_open) - sides(is_open)]


def _over(key: str, side: Side, reason: str) -> Over:
    return Over(kind=KIND, key=f"{key} {side}", reason=reason)


def _draft(found: Look, told: Sequence[Reading], side: Side, console: str) -> AlertDraft:
    group = found.group
    sentences = [sentence(one, found) for one in told]
    is_ours = side == "outputs" and any(one.cause == "outputs" for one in told)
    where = f"{group.feature} in {group.environment}"
    under = f" under release {group.release}" if group.release else ""
    by = f", answered by {group.target}" if group.target else ""
    page = f" or {console}/drift/{quote(group.feature, safe='')}" if console else ""
    scope = {"feature": group.feature}
    reference = found.reference
    beside = (
        f" They are compared with those from {moment(reference.since)} to {moment(reference.until)}."
        if reference is not None and group.target
        else ""
    )
    todo = (
        "see whether the provider has changed the model (`watchkeeper canary list`); run the feature's suite; "
        f"`watchkeeper release rollback {group.feature}` takes a release back."
        if is_ours
        else "nothing is wrong with the answers by this alone: see whether the suite still asks what people ask."
    )
    return AlertDraft(
        kind=KIND,
        key=f"{key_of(group)} {side}",
        severity="warning" if is_ours else "info",
        title=f"{where}: {sentences[0]}",
        text=(
            f"In the {found.window} from {moment(found.since)}, {found.calls:,} calls of {where}{under}{by} were not "
            f"as they were:{beside}\n"
            + "".join(f"- {one}\n" for one in sentences)
            + f"Look at them: `watchkeeper drift show {group.feature}`{page}; the calls: {calls_link(console, scope)}\n"
            f"What to do: {todo} If it is how it should be, `watchkeeper drift accept {group.feature}` makes it what "
            "later calls are compared with."
        ),
        facts={
            "feature": group.feature,
            "environment": group.environment,
            "release": group.release,
            "target": group.target,
            "window": found.window,
            "since": found.since.isoformat(),
            "calls": found.calls,
            "signals": {one.signal: {"p": one.p, "effect": one.effect, "cause": one.cause} for one in told},
        },
    )


def _changed(model: str, verdict: Verdict, console: str) -> AlertDraft:
    moved = "".join(f"- {one.prompt}: {one.before[:80]!r}, now {one.after[:80]!r}\n" for one in verdict.moved)
    page = f" or {console}/drift" if console else ""
    return AlertDraft(
        kind=CHANGED,
        key=model,
        severity="warning",
        title=f"{model} answers fixed prompts otherwise than it did",
        text=(
            f"Two rounds in a row, {model} has answered the same prompts at temperature 0 otherwise: {verdict.reason}\n"
            f"{moved}"
            f"Look at it: `watchkeeper canary show {model}`{page}.\n"
            "What to do: ask the provider, or read its changelog; run the suites of the features that use it; name a "
            "dated version of the model, or another one, in the route. If the new answers are as good, `watchkeeper "
            f"canary accept {model}` holds it to them from now on."
        ),
        facts={"model": model, "p": verdict.p, "distance": verdict.distance, "usual": verdict.usual},
    )


def _reported(model: str, said: str, console: str) -> AlertDraft:
    page = f" or {console}/drift" if console else ""
    return AlertDraft(
        kind=CHANGED,
        key=f"{model} {said}",
        severity="info",
        title=f"{model}: its provider reports something else",
        text=f"{said} What it answers is judged apart from this: `watchkeeper canary show {model}`{page}.",
        facts={"model": model},
    )
