"""Every type of assertion, and the rule that decides it."""

from collections.abc import Awaitable, Callable
from importlib import import_module

from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject

Rule = Callable[[Subject], Finding | Awaitable[Finding]]

_RULES = {
    "equals": "plain.equals",
    "contains": "plain.contains",
    "icontains": "plain.contains",
    "contains-any": "plain.contains_any",
    "icontains-any": "plain.contains_any",
    "contains-all": "plain.contains_all",
    "icontains-all": "plain.contains_all",
    "regex": "plain.regex",
    "starts-with": "plain.starts_with",
    "levenshtein": "plain.levenshtein",
    "word-count": "plain.word_count",
    "is-json": "structured.is_json",
    "contains-json": "structured.contains_json",
    "is-xml": "markup.is_xml",
    "contains-xml": "markup.contains_xml",
    "is-html": "markup.is_html",
    "contains-html": "markup.contains_html",
    "is-sql": "sql.is_sql",
    "contains-sql": "sql.contains_sql",
    "rouge-n": "overlap.rouge",
    "bleu": "overlap.bleu",
    "gleu": "overlap.gleu",
    "meteor": "overlap.meteor",
    "latency": "figures.latency",
    "cost": "figures.cost",
    "perplexity": "figures.perplexity",
    "perplexity-score": "figures.perplexity_score",
    "finish-reason": "figures.finish_reason",
    "is-refusal": "figures.is_refusal",
    "guardrails": "figures.guardrails",
    "is-valid-openai-tools-call": "tools.is_valid_tools_call",
    "is-valid-function-call": "tools.is_valid_function_call",
    "is-valid-openai-function-call": "tools.is_valid_function_call",
    "tool-call-f1": "tools.tool_call_f1",
    "javascript": "scripts.javascript",
    "python": "scripts.python",
    "webhook": "scripts.webhook",
    "similar": "similarity.similar",
    "similar:cosine": "similarity.similar",
    "similar:dot": "similarity.similar",
    "similar:euclidean": "similarity.similar",
    "llm-rubric": "judged.llm_rubric",
    "factuality": "judged.factuality",
    "model-graded-factuality": "judged.factuality",
    "model-graded-closedqa": "judged.closed_qa",
    "g-eval": "judged.g_eval",
    "conversation-relevance": "judged.conversation_relevance",
    "answer-relevance": "retrieval.answer_relevance",
    "context-recall": "retrieval.context_recall",
    "context-relevance": "retrieval.context_relevance",
    "context-faithfulness": "retrieval.context_faithfulness",
    "trace-span-count": "traces.span_count",
    "trace-span-duration": "traces.span_duration",
    "trace-error-spans": "traces.error_spans",
    "trajectory:tool-used": "trajectories.tool_used",
    "trajectory:tool-sequence": "trajectories.tool_sequence",
    "trajectory:tool-args-match": "trajectories.tool_arguments",
    "trajectory:step-count": "trajectories.step_count",
    "trajectory:goal-success": "trajectories.goal_success",
    "skill-used": "trajectories.skill_used",
    "agent-rubric": "similarity.unavailable",
    "classifier": "similarity.unavailable",
    "moderation": "similarity.unavailable",
    "pi": "similarity.unavailable",
    "ruby": "similarity.unavailable",
    "search-rubric": "similarity.unavailable",
}
_NEW = frozenset(
    name
    for name in _RULES
    if name.startswith(("trajectory:", "similar:"))
    or name in ("agent-rubric", "search-rubric", "skill-used", "tool-call-f1", "word-count")
)
"""That promptfoo 0.118 did not know."""

UNAVAILABLE = frozenset(name for name, rule in _RULES.items() if rule.endswith(".unavailable"))
"""That need a service which cannot be reached from here."""
MODEL_GRADED = frozenset(
    name for name, rule in _RULES.items() if rule.startswith(("judged.", "retrieval.")) or name.endswith("goal-success")
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
    if base not in types(compat):
        return None
    if base not in _loaded:
        family, _, name = _RULES[base].partition(".")
        _loaded[base] = getattr(import_module(f"watchkeeper.evals.promptfoo.assertions.{family}"), name)
    return _loaded[base]


_loaded: dict[str, Rule] = {}
