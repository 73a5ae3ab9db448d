"""What is watched of a feature's calls, and how large a change must be to be worth a word."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["inputs", "outputs"]
Kind = Literal["rate", "number", "category", "topics", "volume"]
"""rate: a share of calls. number: a distribution. category: one of a few values. topics: clusters of texts. volume: how
many calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something that can be told of a call, or of a window of calls."""

    name: str
    side: Side
    kind: Kind
    floor: float
    """Below it a change is not told, however certain. Of a rate, a category and topics: a share of the calls. Of a
    number: how far the distribution has moved, as a part of its mean. Of volume: by which factor, less one."""
    label: str
    """As it stands in a table."""
    subject: str
    """What a sentence about it begins with."""
    more: str = "higher"
    less: str = "lower"


SIGNALS: tuple[Signal, ...] = (
    Signal(name="volume", side="inputs", kind="volume", floor=1.0, label="Calls", subject="calls"),
    Signal(name="input_letters", side="inputs", kind="number", floor=0.1, label="Length of inputs", subject="inputs",
           more="longer", less="shorter"),
    Signal(name="input_language", side="inputs", kind="category", floor=0.05, label="Language of inputs",
           subject="the languages of inputs"),
    Signal(name="input_topics", side="inputs", kind="topics", floor=0.1, label="Topics of inputs",
           subject="the topics of inputs"),
    Signal(name="output_letters", side="outputs", kind="number", floor=0.1, label="Length of answers",
           subject="answers", more="longer", less="shorter"),
    Signal(name="output_language", side="outputs", kind="category", floor=0.05, label="Language of answers",
           subject="the languages of answers"),
    Signal(name="refusals", side="outputs", kind="rate", floor=0.02, label="Refusals", subject="refusals"),
    Signal(name="parse_failures", side="outputs", kind="rate", floor=0.02, label="Answers that do not fit",
           subject="answers that do not fit their release's schema"),
    Signal(name="cut_off", side="outputs", kind="rate", floor=0.02, label="Answers cut off at the limit",
           subject="answers cut off at their limit of tokens"),
    Signal(name="form", side="outputs", kind="category", floor=0.05, label="Form of answers",
           subject="the forms of answers"),
    Signal(name="tools", side="outputs", kind="category", floor=0.05, label="Tools called",
           subject="the tools that answers call"),
    Signal(name="latency_ms", side="outputs", kind="number", floor=0.25, label="Latency", subject="answers",
           more="slower", less="faster"),
    Signal(name="output_topics", side="outputs", kind="topics", floor=0.1, label="Topics of answers",
           subject="the topics of answers"),
)  # fmt: skip
SIGNAL: dict[str, Signal] = {signal.name: signal for signal in SIGNALS}
