"""Recipes as Hypothesis makes them up: everything that people can write, the odd included."""

from typing import Any

from hypothesis import strategies as st

ODD = (
    "", " ", "\n", "a\nb\n", "one\n\n  indented\n", "{{ x }}: {% if y %}z{% endif %}", "# no comment", "- no list",
    "yes", "1.0", "2026-11-03", "null", "~", "trailing  \nblank", "\ttab\n", "a: b", "'", '"', "\\", "\r\n",
    "\x85\u2028", "*x", "&x", "!!int 3", "|", ">", "\ufeff", "\U0001f600",
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(ODD)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant"]), "content": TEXTS}
) | st.just({"role": "conversation"})
TOOLS = st.fixed_dictionaries({"name": NAMES, "parameters": OBJECTS}, optional={"description": TEXTS})
OUTPUTS = st.fixed_dictionaries({}, optional={"schema": OBJECTS, "repair": st.sampled_from(["once", "twice"])})
RETRIEVALS = st.fixed_dictionaries(
    {"query": TEXTS, "collection": NAMES}, optional={"top_k": st.integers(1, 100), "timeout": st.just("1500ms")}
)
LIMITS = st.fixed_dictionaries({}, optional={"max_cost": st.just("0.5 USD"), "timeout": st.sampled_from(["90s", "2m"])})


@st.composite
def authored_recipes(draw: st.DrawFn) -> dict[str, Any]:
    """Whatever `authoring.read_authored` takes."""
    blocks = draw(st.dictionaries(NAMES, TEXTS, max_size=2))
    return {
        "feature": "support",
        "model": draw(st.sampled_from(["gpt-4o-mini", "openai/gpt-4.1", "#odd", ":odd", "*odd"])),
        "messages": draw(st.lists(MESSAGES, min_size=1, max_size=4)),
    } | draw(
        st.fixed_dictionaries(
            {},
            optional={
                "variables": st.dictionaries(NAMES, OBJECTS, max_size=3),
                "parameters": OBJECTS,
                "tools": st.lists(TOOLS, max_size=2),
                "blocks": st.just({name: {"text": text} for name, text in blocks.items()}),
                "output": OUTPUTS,
                "retrieval": RETRIEVALS,
                "guards": NAMES,
                "limits": LIMITS,
            },
        )
    )  # fmt: skip
