"""Templates: a small part of Jinja that cannot reach Python, cannot run for long and cannot grow without bounds.

A template is read into Jinja's tree; every node that is not on the list here is refused with its line, shared blocks
are put in the place of their `include`, each loop counts its steps, and whatever may take long is followed by a look at
the clock. What is left has no calls, no assignments and no attributes but those of JSON objects and `loop`.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, cast

import msgspec
from jinja2 import StrictUndefined, TemplateError, Undefined, UndefinedError, nodes, pass_context
from jinja2.environment import Template
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from watchkeeper.releases.problems import TemplateProblem

TEMPLATE_CHARACTERS_MAX = 200_000
NODES_MAX = 5_000
"""Of all templates of a recipe, blocks where they are included: making them ready takes about 50 us a node."""
BLOCK_DEPTH_MAX = 4
"""Blocks may include blocks."""
STEPS_MAX = 10_000
"""Of all loops of one rendering together, which is of all messages of a prompt."""
SECONDS_MAX = 0.25
"""After which a rendering is given up at its next step or piece."""
CHARACTERS_MAX = 1_000_000
"""Of what one rendering writes, and of any one value on the way there."""
BUILT_MAX = 10_000_000
"""Of all values together that one rendering makes on the way: characters, and members of lists and objects."""
INTEGER_MAX = 2**63
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
TAKEN_NAMES = ("self", "super", "caller", "loop")
"""Names that Jinja gives a meaning to; no variable has them."""
LOOP_WORDS = ("first", "last", "index", "index0", "length", "revindex", "revindex0")

_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Neg, nodes.Pos, nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Include, nodes.Keyword,
)  # fmt: skip
_NOTHING_THERE = "there is nothing under what stands in `[...]`"
"""What that is may be what a person wrote: it is not told."""
_HOSTILE = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, NameError, AssertionError,
    SyntaxError, RuntimeError, MemoryError,
)  # fmt: skip
"""What hostile templates have Jinja and Python raise; RecursionError is a RuntimeError."""
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

    __slots__ = ("_start", "names", "nodes")

    def __init__(self, source: str, blocks: Mapping[str, str] | None = None, *, nodes_max: int = NODES_MAX) -> None:
        """Make ready.

        Args:
            source: The template.
            blocks: Shared texts by the name under which it includes them; templates too.
            nodes_max: What it may have of them, its blocks included.

        Raises:
            TemplateProblem: it is not one, or uses what is not allowed.
        """
        try:
            room = _Room(nodes_max)
            tree = _read(source, blocks or {}, room)
            self.nodes = nodes_max - room.left
            """How many parts it has, its blocks included."""
            self.names = frozenset(find_undeclared_variables(tree))
            """The variables that it reads."""
            if "loop" in self.names:
                raise TemplateProblem("`loop` is known inside of a loop only")
            self._start = _compiled(tree)
        except _HOSTILE as problem:
            raise TemplateProblem(_said(problem), getattr(problem, "lineno", None)) from None

    def render(self, variables: Mapping[str, Any]) -> str:
        """Write the text.

        Raises:
            TemplateProblem: a variable lacks what the template reads of it, or the text takes too long or too much.
        """
        return self.write(Rendering(variables))

    def write(self, given: "Rendering") -> str:
        """Write the text as one of several, which have their time, steps and characters together.

        Raises:
            TemplateProblem: as `render`; it says nothing of what the variables hold.
        """
        try:
            pieces = iter(self._start(given))
            text = ""
            while batch := list(islice(pieces, PIECES_AT_ONCE)):
                given.wrote(sum(map(len, batch)))
                text += "".join(batch)
        except _HOSTILE as problem:
            raise TemplateProblem(_met(problem)) from None
        return text


class Rendering:
    """What one rendering works with: the variables, and what is left of its time, steps and characters.

    It stands in for Jinja's own context, which costs more to make than most prompts to render (16 us), and has all that
    compiled templates of the nodes allowed here ask of one.
    """

    __slots__ = ("_built", "_characters", "_characters_max", "_ends_at", "_steps", "_variables", "eval_ctx")

    def __init__(self, variables: Mapping[str, Any], characters_max: int = CHARACTERS_MAX) -> None:
        self._variables = variables
        self._ends_at = time.perf_counter() + SECONDS_MAX
        self._steps = STEPS_MAX
        self._characters = self._characters_max = characters_max
        self._built = BUILT_MAX
        self.eval_ctx = _eval_context()

    def resolve_or_missing(self, name: str) -> Any:
        """Return a variable, or Jinja's `missing`."""
        return self._variables.get(name, missing)

    def step(self) -> None:
        """Count a step of a loop; raises where there are more than there may be, or it takes too long."""
        self._steps -= 1
        if self._steps < 0:
            raise TemplateProblem(f"its loops take more than {STEPS_MAX} steps")
        self.look_at_clock()

    def look_at_clock(self) -> None:
        """Raise TemplateProblem where the rendering takes too long."""
        if time.perf_counter() > self._ends_at:
            raise TemplateProblem(f"it takes longer than {SECONDS_MAX} s")

    def wrote(self, characters: int) -> None:
        """Count characters of the text; raises where they, or the time, are more than there may be."""
        self._characters -= characters
        if self._characters < 0:
            raise TemplateProblem(f"the text grows beyond {self._characters_max} characters")
        self.look_at_clock()

    def built(self, value: Any) -> None:
        """Count a value that the template made, with all that is in it, however often it is the same."""
        rest = [value]
        while rest:
            one = rest.pop()
            self.took(len(one) + 1 if isinstance(one, (str, list, tuple, dict)) else 1)
            if isinstance(one, dict):
                rest.extend(one.keys())
                rest.extend(one.values())
            elif isinstance(one, (list, tuple)):
                rest.extend(one)
        self.look_at_clock()

    def took(self, size: int) -> None:
        """Count characters or members of a value on the way."""
        self._built -= size
        if self._built < 0:
            raise TemplateProblem("the values that it puts together grow too large")


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
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, (dict, list, str, tuple)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(_NOTHING_THERE)
        return self.undefined(_NOTHING_THERE)


@cache
def _environment() -> _Restricted:
    made = _Restricted(
        undefined=StrictUndefined, autoescape=False, finalize=_shown, keep_trailing_newline=False, trim_blocks=True,
        lstrip_blocks=True, optimized=False,
    )  # fmt: skip
    made.filters = {name: made.filters[name] for name in FILTERS} | {
        "join": _join,
        "replace": _replace,
        "round": _round,
        "tojson": _to_json,
        "bounded": _bounded,
        "joined": _joined,
        "watched": _watched,
        "weighed": _weighed,
        "sized": _sized,
    }
    made.tests = {name: made.tests[name] for name in TESTS} | {
        name: made.tests[name] for name in ("==", "!=", "<", "<=", ">", ">=")
    }
    made.globals.clear()
    return made


@cache
def _eval_context() -> nodes.EvalContext:
    return nodes.EvalContext(_environment())


class _Room:
    """How many nodes there may still be."""

    def __init__(self, nodes_max: int) -> None:
        self.left = nodes_max

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise TemplateProblem(f"a recipe's templates have {NODES_MAX} parts at most, blocks included")


def _read(source: str, blocks: Mapping[str, str], room: _Room) -> nodes.Template:
    tree = _parsed(source, room)
    _Includer(blocks, room).visit(tree)
    _Binder().visit(tree)
    return tree


def _parsed(source: str, room: _Room) -> nodes.Template:
    if len(source) > TEMPLATE_CHARACTERS_MAX:
        raise TemplateProblem(f"it is longer than {TEMPLATE_CHARACTERS_MAX} characters")
    tree = _environment().parse(source)
    for node in _walk(tree):
        _check(node)
        room.take(1)
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
        case nodes.Name(name=name) if name in TAKEN_NAMES and name != "loop":
            raise TemplateProblem(f"`{name}` cannot be a variable's name", node.lineno)
        case nodes.Const(value=float(value)) if not math.isfinite(value):
            raise TemplateProblem("a number is too large", node.lineno)
        case nodes.Const(value=int(value)) if abs(value) > INTEGER_MAX:
            raise TemplateProblem("a number is too large", node.lineno)
        case nodes.Filter() | nodes.Test() if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateProblem("arguments are written out; there is no `*` and no `**`", node.lineno)
        case nodes.For(recursive=True):
            raise TemplateProblem("a loop cannot be recursive", node.lineno)
        case _:
            pass


class _Includer(NodeTransformer):
    """Puts blocks in the place of what includes them."""

    def __init__(self, blocks: Mapping[str, str], room: _Room, depth: int = 0) -> None:
        self._blocks = blocks
        self._room = room
        self._depth = depth

    def visit_Include(self, node: nodes.Include) -> list[nodes.Node]:  # noqa: N802 - Jinja calls it so
        name = node.template.as_const()
        text = self._blocks.get(name)
        if text is None:
            known = ", ".join(f"`{one}`" for one in sorted(self._blocks)) or "none"
            raise TemplateProblem(f"there is no block `{name}`; the recipe has {known}", node.lineno)
        if self._depth >= BLOCK_DEPTH_MAX:
            raise TemplateProblem(f"block `{name}` is included more than {BLOCK_DEPTH_MAX} deep", node.lineno)
        inner = _parsed(text, self._room)
        _Includer(self._blocks, self._room, self._depth + 1).visit(inner)
        return list(inner.body)


class _Binder(NodeTransformer):
    """Has loops count their steps and values their size, and puts a look at the clock behind what may take long."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        super().generic_visit(node, *args, **kwargs)
        match node:
            case nodes.For():
                node.iter = _filtered(node.iter, "bounded")
                return node
            case nodes.Concat():
                return _filtered(nodes.List(node.nodes, lineno=node.lineno), "joined")
            case nodes.Getitem(arg=nodes.Const(value=str(key))):
                return nodes.Getattr(node.node, key, node.ctx, lineno=node.lineno)  # the template's own word: told
            case nodes.Filter() | nodes.Getitem(arg=nodes.Slice()):
                return _filtered(node, "sized")
            case nodes.Add() | nodes.Dict() | nodes.List():
                return _filtered(node, "weighed")
            case nodes.Tuple(ctx="load"):
                return _filtered(node, "weighed")
            case nodes.Test() | nodes.Compare() | nodes.Getitem():
                return _filtered(node, "watched")
            case _:
                return node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _compiled(tree: nodes.Template) -> Callable[[Rendering], Iterable[str]]:
    environment = _environment()
    code = environment.compile(tree)
    return cast(Callable[[Rendering], Iterable[str]], Template.from_code(environment, code, {}).root_render_func)


def _said(problem: BaseException) -> str:
    if isinstance(problem, RecursionError):
        return "it is nested too deeply"
    return str(getattr(problem, "message", None) or problem) or type(problem).__name__


def _met(problem: BaseException) -> str:
    """What went wrong with the values, without them: Python says types, names and attributes, but also quotes."""
    if isinstance(problem, (UndefinedError, TypeError, RecursionError)):
        return _said(problem)
    return f"a value is not of the kind that the template takes it for ({type(problem).__name__})"


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
def _bounded(given: Rendering, value: Any) -> Iterator[Any]:
    for item in value:
        given.step()
        yield item


@pass_context
def _watched(given: Rendering, value: Any) -> Any:
    given.look_at_clock()
    return value


@pass_context
def _sized(given: Rendering, value: Any) -> Any:
    """Count what a filter has made: its characters or members, which are new, not what they hold, which is not."""
    if isinstance(value, (str, list, tuple, dict)):
        given.took(len(value))
    given.look_at_clock()
    return value


@pass_context
def _weighed(given: Rendering, value: Any) -> Any:
    given.built(value)
    return value


@pass_context
def _joined(given: Rendering, values: list[Any]) -> str:
    """Put together what `~` stands between, unless that would make more than a text may have."""
    parts = []
    left = CHARACTERS_MAX
    for value in values:
        part = str(value)
        left -= len(part)
        if left < 0:
            raise TemplateProblem("`~` makes the text too large")
        parts.append(part)
    given.took(CHARACTERS_MAX - left)
    given.look_at_clock()
    return "".join(parts)


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
