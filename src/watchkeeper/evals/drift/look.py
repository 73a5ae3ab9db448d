"""A look at one group: every signal compared with its reference, what is beyond chance, and where it comes from."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from watchkeeper.evals.drift.comparing import Difference, Numbers, categories, numbers, rates, volumes
from watchkeeper.evals.drift.levels import Levels, Window
from watchkeeper.evals.drift.readings import Breach, Cause, Group, Look, Reading, Reference
from watchkeeper.evals.drift.sample import Sample, matched
from watchkeeper.evals.drift.signals import SIGNAL, SIGNALS, Signal
from watchkeeper.evals.drift.topics import Embed, topics
from watchkeeper.evals.statistics.multiplicity import benjamini_hochberg

LEAST = 100
"""Calls in a window, one of each session, fewer of which are not compared."""
REFERENCE_LEAST = 200
LENGTH_STRATA = 4
STRATUM_LEAST = 5
REMAINS = 0.5
"""Of a change, at like inputs: less, and the inputs have caused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Which group, when, and how sure one must be."""

    group: Group
    window: Window
    since: datetime
    until: datetime
    levels: Levels
    reference: Reference


def look_at(occasion: Occasion, reference: Sample, current: Sample, *, embed: Embed | None = None) -> Look:
    """Compare a window of calls with a reference; topics only where there is something to embed texts with."""
    empty = _empty(occasion, current.calls)
    if len(current.rows) < LEAST:
        return msgspec.structs.replace(
            empty, not_judged=f"{len(current.rows):,} calls of distinct sessions came; {LEAST} are needed."
        )
    if len(reference.rows) < REFERENCE_LEAST:
        return msgspec.structs.replace(
            empty,
            not_judged=f"The reference has {len(reference.rows):,} calls of distinct sessions; "
            f"{REFERENCE_LEAST} are needed.",
        )
    like = matched(reference, occasion.window, occasion.since)
    found = [
        _reading(signal, difference, len(like.rows), len(current.rows))
        for signal in SIGNALS
        if (difference := _difference(signal, like, current, embed)) is not None
    ]
    breached = _breached(found, occasion.levels)
    inputs_moved = any(one.side == "inputs" and one.breach for one in breached)
    strata = _strata(like, current) if inputs_moved else None
    readings = tuple(_with_cause(one, like, current, strata, inputs_moved=inputs_moved) for one in breached)
    return msgspec.structs.replace(empty, readings=readings)


def look_at_volume(occasion: Occasion, past: list[int], now: int) -> Look:
    """Compare how many calls came with comparable windows of the past."""
    empty = _empty(occasion, now)
    difference = volumes(past, now)
    if difference is None:
        return msgspec.structs.replace(
            empty, not_judged=f"{len(past)} comparable windows have passed; 7 are needed to know what is usual."
        )
    reading = _reading(SIGNAL["volume"], difference, len(past), 1)
    (breached,) = _breached([reading], occasion.levels)
    cause: Cause = "inputs" if breached.breach else ""
    return msgspec.structs.replace(empty, readings=(msgspec.structs.replace(breached, cause=cause),))


def _empty(occasion: Occasion, calls: int) -> Look:
    return Look(
        group=occasion.group,
        window=occasion.window,
        since=occasion.since,
        until=occasion.until,
        calls=calls,
        reference=occasion.reference,
    )


def _difference(signal: Signal, before: Sample, after: Sample, embed: Embed | None) -> Difference | None:
    """Compare one signal; None where one of the samples has too little of it."""
    match signal.kind:
        case "number":
            (first, known_first), (second, known_second) = before.numbers(signal.name), after.numbers(signal.name)
            if min(known_first.sum(), known_second.sum()) < LEAST:
                return None
            return numbers(first[known_first], second[known_second])
        case "rate":
            (met, known), (met_after, known_after) = before.marks(signal.name), after.marks(signal.name)
            if min(known.sum(), known_after.sum()) < LEAST:
                return None
            return rates(met[known].tolist(), met_after[known_after].tolist())
        case "category":
            (words, known), (words_after, known_after) = before.words(signal.name), after.words(signal.name)
            if min(known.sum(), known_after.sum()) < LEAST:
                return None
            return categories(_chosen(words, known), _chosen(words_after, known_after))
        case "topics":
            if embed is None:
                return None
            return (
                topics(before.inputs, after.inputs, embed)
                if signal.side == "inputs"
                else topics(before.outputs, after.outputs, embed)
            )
        case "volume":
            return None


def _chosen(values: list[str], known: NDArray[np.bool_]) -> list[str]:
    return [value for value, is_known in zip(values, known.tolist(), strict=True) if is_known]


def _reading(signal: Signal, difference: Difference, units_before: int, units_after: int) -> Reading:
    return Reading(
        signal=signal.name,
        side=signal.side,
        kind=signal.kind,
        before=difference.before,
        after=difference.after,
        effect=difference.effect,
        p=difference.p,
        units_before=units_before,
        units_after=units_after,
        levels=difference.levels,
        psi=difference.psi,
        psi_by_chance=difference.psi_by_chance,
    )


def _breached(found: list[Reading], levels: Levels) -> list[Reading]:
    """Mark what is beyond chance, with all tests of the look taken together, and large enough to be told."""
    marked = []
    for one, p in zip(found, benjamini_hochberg([one.p for one in found]), strict=True):
        breach: Breach = "certain" if p <= levels.once else "suspected" if p <= levels.twice else ""
        is_large = one.effect >= SIGNAL[one.signal].floor
        marked.append(msgspec.structs.replace(one, breach=breach if is_large else ""))
    return marked


@dataclass(frozen=True, slots=True)
class _Strata:
    """Which calls have inputs of the same language and length."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    weights: Numbers
    """By stratum: its share of the window's calls; 0 where the reference has too few."""


def _strata(before: Sample, after: Sample) -> _Strata:
    lengths, known = before.numbers("input_letters")
    edges = np.quantile(lengths[known], np.linspace(0, 1, LENGTH_STRATA + 1)[1:-1]) if known.any() else np.zeros(0)
    languages = {name: place for place, name in enumerate(dict.fromkeys(before.words("input_language")[0]))}
    unknown = len(languages)

    def places(sample: Sample) -> NDArray[np.int64]:
        language = np.array([languages.get(name, unknown) for name in sample.words("input_language")[0]])
        return (language * LENGTH_STRATA + np.searchsorted(edges, sample.numbers("input_letters")[0])).astype(np.int64)

    ours, theirs = places(before), places(after)
    size = (unknown + 1) * LENGTH_STRATA
    counts = np.bincount(ours, minlength=size)
    weights = np.bincount(theirs, minlength=size) * (counts >= STRATUM_LEAST)
    return _Strata(ours, theirs, weights / max(weights.sum(), 1))


def _with_cause(
    reading: Reading, before: Sample, after: Sample, strata: _Strata | None, *, inputs_moved: bool
) -> Reading:
    """Say whether a change of an output remains when calls with like inputs are compared."""
    if not reading.breach:
        return reading
    if reading.side == "inputs":
        return msgspec.structs.replace(reading, cause="inputs")
    remains = _remains(reading, before, after, strata) if inputs_moved and strata is not None else None
    is_of_inputs = remains is not None and remains < REMAINS
    return msgspec.structs.replace(reading, at_like_inputs=remains, cause="inputs" if is_of_inputs else "outputs")


def _remains(reading: Reading, before: Sample, after: Sample, strata: _Strata) -> float | None:
    """Return which part of a difference of means remains when the reference has the window's mix of inputs.

    None where no like inputs are in the reference, or where there is no figure of each call.
    """
    if reading.kind == "topics":
        return None
    (first, known), (second, known_after) = _figures(reading, before), _figures(reading, after)
    raw = float(second[known_after].mean() - first[known].mean())
    total = share = inside = 0.0
    for place in np.flatnonzero(strata.weights):
        own = (strata.before == place) & known
        other = (strata.after == place) & known_after
        if own.sum() >= STRATUM_LEAST and other.any():
            weight = float(strata.weights[place])
            total += weight * float(first[own].mean())
            inside += weight * float(second[other].mean())
            share += weight
    if not share or not raw:
        return None
    return (inside - total) / share / raw


def _figures(reading: Reading, sample: Sample) -> tuple[Numbers, NDArray[np.bool_]]:
    match reading.kind:
        case "number":
            values, known = sample.numbers(reading.signal)
            return np.log1p(np.maximum(values, 0)), known
        case "rate":
            met, known = sample.marks(reading.signal)
            return met.astype(np.float64), known
        case _:
            most = reading.levels[0].name
            words, known = sample.words(reading.signal)
            named = {level.name for level in reading.levels}
            is_met = [word == most or (most == "other" and word not in named) for word in words]
            return np.array(is_met, dtype=np.float64), known
