"""Templates of Nunjucks, rendered by Jinja, whose dialect it is; where the two differ, Nunjucks' rule is put in.

What differs: JavaScript's truth (empty lists are true), what is not there (renders as nothing, as do its members), how
values are written, `===`, `+`, `and` and `or`, members before methods, loops over objects, `dump` and other filters.
Not taken over: `include`, `import` and `extends`, asynchronous tags, and regular expressions (`r/.../`).
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, TemplateError, nodes
from jinja2.environment import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.nunjucks_members import FILTERS, member
from watchkeeper.evals.promptfoo.values import number, number_text, same, text, truth

CHARACTERS_MAX = 10_000_000
"""Of what one rendering writes, and of any text that it makes on the way."""
STEPS_MAX = 1_000_000
"""Of all loops of one rendering together."""
TEMPLATES_KEPT = 500
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PART = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|===|!==|&&|\|\|", re.DOTALL)
_SPELT = {"===": "==", "!==": "!="}
_MULTIPLY_MAX = 10_000


class TemplateFailed(Exception):
    """A template cannot be rendered, for a reason that is told."""


class _Nothing(ChainableUndefined):
    """What is not there: false, empty, and so are its members. Calling it is an error."""

    __slots__ = ()


class Renderer:
    """Renders templates; may be used by several threads."""

    def __init__(
        self, env: Mapping[str, str] | None = None, filters: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        """Make ready.

        Args:
            env: What templates find under `env`.
            filters: The user's own, by name.
        """
        self._jinja = _Environment(undefined=_Nothing, keep_trailing_newline=True, finalize=_written, cache_size=0)
        self._jinja.filters.update({**FILTERS, **_OPERATORS, **(filters or {}), "_steps": self._steps})
        self._jinja.globals.update(env=dict(env or {}), null=None, undefined=self._jinja.undefined())
        self._compiled = lru_cache(TEMPLATES_KEPT)(self._compile)
        self._running = threading.local()

    def render(self, source: str, variables: Mapping[str, Any]) -> str:
        """Return what a template gives with these variables.

        Raises:
            TemplateFailed: it is no template, uses what is not taken over, or writes too much.
        """
        if "{" not in source:
            return source
        parts: list[str] = []
        length = 0
        self._running.steps = 0
        try:
            for part in self._compiled(source).generate(**variables):
                length += len(part)
                if length > CHARACTERS_MAX:
                    raise TemplateFailed(f"it writes more than {CHARACTERS_MAX:,} characters")
                parts.append(part)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as problem:
            raise TemplateFailed(str(problem) or type(problem).__name__) from None
        except (RecursionError, MemoryError):
            raise TemplateFailed("it goes too deep, or makes something too large") from None
        return "".join(parts)

    def _steps(self, value: Any, targets: int) -> Iterator[Any]:
        """What a loop goes over: items of lists, letters of texts, and with two names members of objects."""
        if isinstance(value, Mapping):
            items: Any = value.items() if targets > 1 else ()
        else:
            items = value if isinstance(value, list | tuple | str | range) or hasattr(value, "__next__") else ()
        for item in items:
            self._running.steps += 1
            if self._running.steps > STEPS_MAX:
                raise TemplateFailed(f"its loops have more than {STEPS_MAX:,} steps")
            yield item

    def _compile(self, source: str) -> Template:
        return self._jinja.from_string(_respelt(source))


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja with members and operators of Nunjucks."""

    intercepted_binops = frozenset(("**", "*"))

    def getattr(self, obj: Any, attribute: str) -> Any:
        return member(obj, attribute, self.undefined(obj=obj, name=attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return member(obj, argument, self.undefined(obj=obj, name=text(argument)))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Rules().visit(super()._parse(source, name, filename))
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            return number(left) * number(right)
        if abs(number(right)) > _MULTIPLY_MAX:
            raise TemplateFailed(f"the exponent {text(right)} is too large")
        return number(left) ** number(right)


class _Rules(NodeTransformer):
    """Puts filters where JavaScript decides otherwise than Python."""

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        node.test = _filtered("_truth", node.test)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        node.test = _filtered("_truth", node.test)
        return node

    def visit_Not(self, node: nodes.Not) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        node.node = _filtered("_truth", node.node)
        return node

    def visit_And(self, node: nodes.And) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        return _filtered("_and", node.left, node.right)

    def visit_Or(self, node: nodes.Or) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        return _filtered("_or", node.left, node.right)

    def visit_Add(self, node: nodes.Add) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        return _filtered("_add", node.left, node.right)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        first, *others = node.nodes
        return _filtered("_joined", first, *others)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        if len(node.ops) == 1 and node.ops[0].op in ("eq", "ne"):
            equal = _filtered("_equal", node.expr, node.ops[0].expr)
            return equal if node.ops[0].op == "eq" else nodes.Not(equal)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls it so
        self.generic_visit(node)
        targets = len(node.target.items) if isinstance(node.target, nodes.Tuple) else 1
        node.iter = _filtered("_steps", node.iter, nodes.Const(targets))
        return node


def _filtered(name: str, first: Any, *others: Any) -> nodes.Filter:
    return nodes.Filter(first, name, list(others), [], None, None, lineno=first.lineno)


def _written(value: Any) -> Any:
    """What `{{ value }}` writes."""
    match value:
        case None:
            return ""
        case str() | _Nothing():
            return value
        case _:
            return text(value)


def _add(left: Any, right: Any) -> Any:
    if any(isinstance(side, str | list | tuple | Mapping) for side in (left, right)):
        return _short(_shown(left) + _shown(right))
    return number(None if isinstance(left, _Nothing) else left) + number(right)


def _shown(value: Any) -> str:
    return "undefined" if isinstance(value, _Nothing) else text(value)


def _short(value: str) -> str:
    if len(value) > CHARACTERS_MAX:
        raise TemplateFailed(f"it makes a text of more than {CHARACTERS_MAX:,} characters")
    return value


def _joined(*values: Any) -> str:
    return _short("".join(str(_written(value)) for value in values))


def _equal(left: Any, right: Any) -> bool:
    """As `==` of JavaScript has it, for what JSON can hold."""
    if isinstance(left, _Nothing) or isinstance(right, _Nothing) or left is None or right is None:
        return all(side is None or isinstance(side, _Nothing) for side in (left, right))
    if isinstance(left, str) != isinstance(right, str):
        return number(left) == number(right)
    if isinstance(left, list | Mapping):
        return left is right
    return same(left, right) or (isinstance(left, bool) != isinstance(right, bool) and number(left) == number(right))


def _truth(value: Any) -> bool:
    return not isinstance(value, _Nothing) and truth(value)


def _dump(value: Any, indent: Any = None) -> str:
    if isinstance(value, _Nothing):
        return "undefined"
    return write_json(value, int(number(indent)) if indent is not None else None)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "_truth": _truth,
    "_and": lambda left, right: right if _truth(left) else left,
    "_or": lambda left, right: left if _truth(left) else right,
    "_add": _add,
    "_joined": _joined,
    "_equal": _equal,
    "dump": _dump,
    "string": lambda value: number_text(value) if isinstance(value, float) else _shown(value),
}


def _respelt(source: str) -> str:
    """Spell operators inside tags as Jinja does, and `verbatim` as `raw`."""
    return _TAG.sub(lambda tag: _respelt_tag(tag[0]), source)


def _respelt_tag(tag: str) -> str:
    if tag.startswith("{#"):
        return tag
    plain = re.sub(r"^(\{%-?\s*)(end)?verbatim\b", r"\1\2raw", tag)
    return _PART.sub(lambda part: _SPELT.get(part[0], part[0]), plain)
