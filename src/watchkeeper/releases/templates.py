"""Templates: a small part of Jinja that cannot reach Python, cannot run for long and cannot grow without bounds.

A template is read into Jinja's tree; every node that is not on the list here is refused with its line, shared blocks
are put in the place of their `include`, each loop counts its steps, and whatever may take long is followed by a look at
the clock. What is left has no calls, no assignments and no attributes but those of JSON objects and `loop`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, cast

import msgspec
from jinja2 import StrictUndefined, TemplateError, Undefined, nodes, pass_context
from jinja2.environment import Template
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from watchkeeper.releases.problems import TemplateProblem

TEMPLATE_CHARACTERS_MAX = 200_000
NODES_MAX = 5_000
"""Of one template, blocks included: making one ready takes a worker about 50 us a node."""
BLOCK_DEPTH_MAX = 4
"""Blocks may include blocks."""
STEPS_MAX = 10_000
"""Of all loops of one rendering together."""
SECONDS_MAX = 0.25
"""After which a rendering is given up at its next step or piece."""
CHARACTERS_MAX = 1_000_000
"""Of one rendered text."""
PIECES_AT_ONCE = 64
"""Of a text, between two looks at its length and at the clock."""

FILTERS = (
    "capitalize", "count", "default", "d", "first", "float", "int", "items", "join", "last", "length", "list", "lower",
    "replace", "reverse", "round", "safe", "sort", "string", "title", "tojson", "trim", "truncate", "unique", "upper",
)  # fmt: skip
TESTS = (
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "greaterthan", "gt", "in",
    "integer", "iterable", "le", "lessthan", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "string",
    "true", "undefined",
)  # fmt: skip
LOOP_WORDS = ("first", "last", "index", "index0", "length", "revindex", "revindex0")

_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Neg, nodes.Pos, nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Include, nodes.Keyword,
)  # fmt: skip
_WATCHED = (nodes.Filter, nodes.Test, nodes.Compare, nodes.Add, nodes.Concat, nodes.Getitem)
_REFUSED = {
    nodes.Call: "nothing can be called; use a filter, such as `{{ items|length }}`",
    nodes.Mul: "there is no `*`; have the application compute it",
    nodes.Pow: "there is no `**`; have the application compute it",
    nodes.Mod: "there is no `%`; write `{% if loop.index is even %}`, or have the application compute it",
    nodes.Assign: "there is no `{% set %}`; make it a variable of its own",
    nodes.Macro: "there are no macros; use a block",
    nodes.Import: "nothing can be imported; use `{% include %}` with the name of a block",
    nodes.FromImport: "nothing can be imported; use `{% include %}` with the name of a block",
    nodes.Extends: "a template extends no other; use `{% include %}` with the name of a block",
    nodes.Block: "there is no inheritance; use `{% include %}` with the name of a block",
}
_write_json = msgspec.json.Encoder().encode


class Text:
    """A template, ready to be rendered."""

    __slots__ = ("_start", "characters_max", "names")

    def __init__(self, source: str, blocks: Mapping[str, str] | None = None) -> None:
        """Make ready.

        Args:
            source: The template.
            blocks: Shared texts by the name under which it includes them; templates too.

        Raises:
            TemplateProblem: it is not one, or uses what is not allowed.
        """
        tree = _read(source, blocks or {})
        self.names = frozenset(find_undeclared_variables(tree))
        """The variables that it reads."""
        self.characters_max = CHARACTERS_MAX
        self._start = _compiled(tree)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Write the text.

        Raises:
            TemplateProblem: a variable lacks what the template reads of it, or the text takes too long or too much.
        """
        given = _Given(variables, time.perf_counter() + SECONDS_MAX)
        pieces = iter(self._start(given))
        text = ""
        try:
            while batch := list(islice(pieces, PIECES_AT_ONCE)):
                text += "".join(batch)
                if len(text) > self.characters_max:
                    raise TemplateProblem(f"the text grows beyond {self.characters_max} characters")
                given.look_at_clock()
        except TemplateProblem:
            raise
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as problem:
            raise TemplateProblem(_said(problem)) from None
        return text


class _Given:
    """What one rendering works with: the variables, and what is left of its time and steps.

    It stands in for Jinja's own context, which costs more to make than most prompts to render (16 us), and has all that
    compiled templates of the nodes allowed here ask of one.
    """

    __slots__ = ("_ends_at", "_steps", "_variables", "eval_ctx")

    def __init__(self, variables: Mapping[str, Any], ends_at: float) -> None:
        self._variables = variables
        self._ends_at = ends_at
        self._steps = STEPS_MAX
        self.eval_ctx = _eval_context()

    def resolve_or_missing(self, name: str) -> Any:
        return self._variables.get(name, missing)

    def step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise TemplateProblem(f"its loops take more than {STEPS_MAX} steps")
        self.look_at_clock()

    def look_at_clock(self) -> None:
        if time.perf_counter() > self._ends_at:
            raise TemplateProblem(f"it takes longer than {SECONDS_MAX} s")


class _Restricted(ImmutableSandboxedEnvironment):
    """Jinja without ways to objects: a dot reads a key of a JSON object, and nothing else has attributes."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, Undefined):
            return obj
        if attribute in LOOP_WORDS and type(obj).__name__ == "LoopContext":
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (dict, list, str, tuple)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return obj if isinstance(obj, Undefined) else self.undefined(obj=obj, name=argument)


@cache
def _environment() -> _Restricted:
    made = _Restricted(
        undefined=StrictUndefined, autoescape=False, finalize=_shown, keep_trailing_newline=False, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters = {name: made.filters[name] for name in FILTERS} | {
        "join": _join,
        "replace": _replace,
        "round": _round,
        "tojson": _to_json,
        "bounded": _bounded,
        "watched": _watched,
    }
    made.tests = {name: made.tests[name] for name in TESTS} | {
        name: made.tests[name] for name in ("==", "!=", "<", "<=", ">", ">=")
    }
    made.globals.clear()
    return made


@cache
def _eval_context() -> nodes.EvalContext:
    return nodes.EvalContext(_environment())


def _read(source: str, blocks: Mapping[str, str]) -> nodes.Template:
    tree = _parsed(source)
    _Includer(blocks).visit(tree)
    if sum(1 for _ in _walk(tree)) > NODES_MAX:
        raise TemplateProblem(f"it has more than {NODES_MAX} parts")
    try:
        _Binder().visit(tree)
    except RecursionError:
        raise TemplateProblem("it is nested too deeply") from None
    return tree


def _parsed(source: str) -> nodes.Template:
    if len(source) > TEMPLATE_CHARACTERS_MAX:
        raise TemplateProblem(f"it is longer than {TEMPLATE_CHARACTERS_MAX} characters")
    try:
        tree = _environment().parse(source)
        for node in _walk(tree):
            _check(node)
    except RecursionError:
        raise TemplateProblem("it is nested too deeply") from None
    except TemplateError as problem:
        raise TemplateProblem(_said(problem), getattr(problem, "lineno", None)) from None
    return tree


def _walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    yield from tree.find_all(nodes.Node)


def _check(node: nodes.Node) -> None:
    if not isinstance(node, _NODES):
        what = _REFUSED.get(type(node), f"`{type(node).__name__.lower()}` is not part of what templates may use")
        raise TemplateProblem(what, node.lineno)
    match node:
        case nodes.Filter(name=str(name)) if name not in FILTERS:
            raise TemplateProblem(f"there is no filter `{name}`; there are {', '.join(FILTERS)}", node.lineno)
        case nodes.Test(name=str(name)) if name not in TESTS:
            raise TemplateProblem(f"there is no test `{name}`; there are {', '.join(TESTS)}", node.lineno)
        case nodes.Include() if not (isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)):
            raise TemplateProblem('`include` takes the name of a block: {% include "tone" %}', node.lineno)
        case nodes.For(recursive=True):
            raise TemplateProblem("a loop cannot be recursive", node.lineno)
        case _:
            pass


class _Includer(NodeTransformer):
    """Puts blocks in the place of what includes them."""

    def __init__(self, blocks: Mapping[str, str], depth: int = 0) -> None:
        self._blocks = blocks
        self._depth = depth

    def visit_Include(self, node: nodes.Include) -> list[nodes.Node]:  # noqa: N802 - Jinja calls it so
        name = node.template.as_const()
        text = self._blocks.get(name)
        if text is None:
            known = ", ".join(f"`{one}`" for one in sorted(self._blocks)) or "none"
            raise TemplateProblem(f"there is no block `{name}`; the recipe has {known}", node.lineno)
        if self._depth >= BLOCK_DEPTH_MAX:
            raise TemplateProblem(f"block `{name}` is included more than {BLOCK_DEPTH_MAX} deep", node.lineno)
        inner = _parsed(text)
        _Includer(self._blocks, self._depth + 1).visit(inner)
        return list(inner.body)


class _Binder(NodeTransformer):
    """Has loops count their steps, and puts a look at the clock behind what may take long."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        super().generic_visit(node, *args, **kwargs)
        if isinstance(node, nodes.For):
            node.iter = _filtered(node.iter, "bounded")
        return _filtered(node, "watched") if isinstance(node, _WATCHED) else node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _compiled(tree: nodes.Template) -> Callable[[_Given], Iterable[str]]:
    environment = _environment()
    try:
        code = environment.compile(tree)
    except (TemplateError, RecursionError, SyntaxError, ValueError) as problem:
        raise TemplateProblem(_said(problem), getattr(problem, "lineno", None)) from None
    return cast(Callable[[_Given], Iterable[str]], Template.from_code(environment, code, {}).root_render_func)


def _said(problem: BaseException) -> str:
    if isinstance(problem, RecursionError):
        return "it is nested too deeply"
    return str(getattr(problem, "message", None) or problem) or type(problem).__name__


def _shown(value: Any) -> Any:
    """Text as it is; what JSON knows beside it in JSON's words, and null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Undefined):
        return str(value)  # raises, naming it
    if isinstance(value, (bool, dict, list, tuple)):
        return _write_json(value).decode()
    if isinstance(value, (int, float)):
        return str(value)
    raise TemplateProblem(f"{type(value).__name__} is nothing that can be written")


@pass_context
def _bounded(given: _Given, value: Any) -> Iterator[Any]:
    for item in value:
        given.step()
        yield item


@pass_context
def _watched(given: _Given, value: Any) -> Any:
    given.look_at_clock()
    return value


def _round(value: float, precision: int = 0) -> int | float:
    """Round half to even, to at most 15 decimals."""
    if type(precision) is not int or not 0 <= precision <= 15:
        raise TemplateProblem("`round` takes a number of decimals between 0 and 15")
    return round(value, precision) if precision else round(value)


def _to_json(value: Any) -> str:
    if isinstance(value, Undefined):
        return str(value)
    return _write_json(value).decode()


def _replace(text: Any, old: str, new: str) -> str:
    """Replace, unless that would grow the text beyond what a text may have."""
    source = str(text)
    if len(source) + source.count(old) * max(0, len(new) - len(old)) > CHARACTERS_MAX:
        raise TemplateProblem("`replace` makes the text too large")
    return source.replace(old, new)


def _join(values: Iterable[Any], separator: str = "") -> str:
    """Join, unless that would make more than a text may have."""
    parts = [_shown(value) for value in values]
    if sum(map(len, parts)) + len(separator) * len(parts) > CHARACTERS_MAX:
        raise TemplateProblem("`join` makes the text too large")
    return separator.join(parts)
