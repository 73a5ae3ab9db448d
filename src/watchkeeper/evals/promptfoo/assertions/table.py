"""Every type of assertion, and the rule that decides it."""

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module

from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject

Rule = Callable[[Subject], Finding | Awaitable[Finding]]

_FIGURES = "watchkeeper.evals.promptfoo.assertions.figures"
_HTML = "watchkeeper.evals.promptfoo.assertions.html"
_JUDGED = "watchkeeper.evals.promptfoo.assertions.judged"
_MARKUP = "watchkeeper.evals.promptfoo.assertions.markup"
_OVERLAP = "watchkeeper.evals.promptfoo.assertions.overlap"
_PLAIN = "watchkeeper.evals.promptfoo.assertions.plain"
_RETRIEVAL = "watchkeeper.evals.promptfoo.assertions.retrieval"
_SCRIPTS = "watchkeeper.evals.promptfoo.assertions.scripts"
_SIMILARITY = "watchkeeper.evals.promptfoo.assertions.similarity"
_SQL = "watchkeeper.evals.promptfoo.assertions.sql"
_STRUCTURED = "watchkeeper.evals.promptfoo.assertions.structured"
_TOOLS = "watchkeeper.evals.promptfoo.assertions.tools"
_TRACES = "watchkeeper.evals.promptfoo.assertions.traces"
_TRAJECTORIES = "watchkeeper.evals.promptfoo.assertions.trajectories"

_RULES = {
    "equals": (_PLAIN, "equals"),
    "contains": (_PLAIN, "contains"),
    "icontains": (_PLAIN, "contains"),
    "contains-any": (_PLAIN, "contains_any"),
    "icontains-any": (_PLAIN, "contains_any"),
    "contains-all": (_PLAIN, "contains_all"),
    "icontains-all": (_PLAIN, "contains_all"),
    "regex": (_PLAIN, "regex"),
    "starts-with": (_PLAIN, "starts_with"),
    "levenshtein": (_PLAIN, "levenshtein"),
    "word-count": (_PLAIN, "word_count"),
    "is-json": (_STRUCTURED, "is_json"),
    "contains-json": (_STRUCTURED, "contains_json"),
    "is-xml": (_MARKUP, "is_xml"),
    "contains-xml": (_MARKUP, "contains_xml"),
    "is-html": (_HTML, "is_html"),
    "contains-html": (_HTML, "contains_html"),
    "is-sql": (_SQL, "is_sql"),
    "contains-sql": (_SQL, "contains_sql"),
    "rouge-n": (_OVERLAP, "rouge"),
    "bleu": (_OVERLAP, "bleu"),
    "gleu": (_OVERLAP, "gleu"),
    "meteor": (_OVERLAP, "meteor"),
    "latency": (_FIGURES, "latency"),
    "cost": (_FIGURES, "cost"),
    "perplexity": (_FIGURES, "perplexity"),
    "perplexity-score": (_FIGURES, "perplexity_score"),
    "finish-reason": (_FIGURES, "finish_reason"),
    "is-refusal": (_FIGURES, "is_refusal"),
    "guardrails": (_FIGURES, "guardrails"),
    "is-valid-openai-tools-call": (_TOOLS, "is_valid_tools_call"),
    "is-valid-function-call": (_TOOLS, "is_valid_function_call"),
    "is-valid-openai-function-call": (_TOOLS, "is_valid_function_call"),
    "tool-call-f1": (_TOOLS, "tool_call_f1"),
    "javascript": (_SCRIPTS, "javascript"),
    "python": (_SCRIPTS, "python"),
    "webhook": (_SCRIPTS, "webhook"),
    "similar": (_SIMILARITY, "similar"),
    "similar:cosine": (_SIMILARITY, "similar"),
    "similar:dot": (_SIMILARITY, "similar"),
    "similar:euclidean": (_SIMILARITY, "similar"),
    "llm-rubric": (_JUDGED, "llm_rubric"),
    "factuality": (_JUDGED, "factuality"),
    "model-graded-factuality": (_JUDGED, "factuality"),
    "model-graded-closedqa": (_JUDGED, "closed_qa"),
    "g-eval": (_JUDGED, "g_eval"),
    "conversation-relevance": (_JUDGED, "conversation_relevance"),
    "answer-relevance": (_RETRIEVAL, "answer_relevance"),
    "context-recall": (_RETRIEVAL, "context_recall"),
    "context-relevance": (_RETRIEVAL, "context_relevance"),
    "context-faithfulness": (_RETRIEVAL, "context_faithfulness"),
    "trace-span-count": (_TRACES, "span_count"),
    "trace-span-duration": (_TRACES, "span_duration"),
    "trace-error-spans": (_TRACES, "error_spans"),
    "trajectory:tool-used": (_TRAJECTORIES, "tool_used"),
    "trajectory:tool-sequence": (_TRAJECTORIES, "tool_sequence"),
    "trajectory:tool-args-match": (_TRAJECTORIES, "tool_arguments"),
    "trajectory:step-count": (_TRAJECTORIES, "step_count"),
    "trajectory:goal-success": (_TRAJECTORIES, "goal_success"),
    "skill-used": (_TRAJECTORIES, "skill_used"),
    "agent-rubric": (_SIMILARITY, "unavailable"),
    "classifier": (_SIMILARITY, "unavailable"),
    "moderation": (_SIMILARITY, "unavailable"),
    "pi": (_SIMILARITY, "unavailable"),
    "ruby": (_SIMILARITY, "unavailable"),
    "search-rubric": (_SIMILARITY, "unavailable"),
}
_NEW = frozenset(
    name
    for name in _RULES
    if name.startswith(("trajectory:", "similar:"))
    or name in ("agent-rubric", "search-rubric", "skill-used", "tool-call-f1", "word-count")
)
"""That promptfoo 0.118 did not know."""

UNAVAILABLE = frozenset(name for name, rule in _RULES.items() if rule[1] == "unavailable")
"""That need a service which cannot be reached from here."""
MODEL_GRADED = frozenset(
    name for name, rule in _RULES.items() if rule[0] in (_JUDGED, _RETRIEVAL) or name.endswith("goal-success")
)
"""That ask a model."""
EMBEDDED = frozenset(("answer-relevance", "similar", "similar:cosine", "similar:dot", "similar:euclidean"))
"""That compare vectors of texts."""
SCRIPTED = frozenset(("javascript", "python", "ruby"))
"""Whose files return the verdict itself."""
ELSEWHERE = frozenset(("regex", "javascript", "python", "is-sql", "contains-sql"))
"""That wait for another process, or may take long."""
OF_ROWS = frozenset(("select-best", "max-score"))
"""That compare the outputs of a row, once all are there."""
BY_PEOPLE = frozenset(("human",))
REDTEAM = "promptfoo:redteam:"


def types(compat: str = "latest") -> frozenset[str]:
    """Return the types of assertions of one output that a version of promptfoo knows, without `not-`."""
    return frozenset(_RULES) if compat != "0.118" else frozenset(_RULES) - _NEW


def rule(base: str, compat: str) -> Rule | None:
    """Return the rule of a type; None where that version of promptfoo does not know it.

    What rules need is loaded when the first of their family is asked for.
    """
    return _loaded(base) if base in types(compat) else None


@cache
def _loaded(base: str) -> Rule:
    module, name = _RULES[base]
    found: Rule = getattr(import_module(module), name)
    return found
