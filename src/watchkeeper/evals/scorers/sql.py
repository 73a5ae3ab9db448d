"""Answers that must be SQL, of a dialect, over tables that are allowed."""

import logging
from collections.abc import Iterator

from msgspec import Struct
from sqlglot import Dialect, exp, parse
from sqlglot.errors import SqlglotError

from watchkeeper.config.problems import did_you_mean
from watchkeeper.evals.scorers.fences import fenced
from watchkeeper.evals.scorers.marking import Finding, Look, Undecided, refused, settings, shown
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

SQL_LETTERS_MAX = 20_000

# It would write the statement, which is an answer, into the log.
logging.getLogger("sqlglot").disabled = True

_STATEMENTS = (
    exp.Query,
    exp.DML,
    exp.DDL,
    exp.Values,
    exp.Alter,
    exp.Drop,
    exp.TruncateTable,
    exp.Set,
    exp.Use,
    exp.Describe,
    exp.Grant,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
)
"""A word alone is an expression to the parser, and so is no statement."""


class Grammar(Struct, forbid_unknown_fields=True):
    """Options of `sql`."""

    dialect: str = ""
    """As sqlglot names it: `postgres`, `mysql`, `sqlite`, `bigquery`...; empty for what most have in common."""
    allowed_tables: list[str] | None = None
    """Names as they would be written, with their schema where it is written; None: any."""
    read_only: bool = False
    """Whether only queries are allowed."""
    within: bool = False
    """Whether the statement stands in the first code fence of the answer."""


def sql(scorer: Scorer) -> Look:
    """The answer must be one statement or several, valid by the grammar; that its columns exist is not looked at."""
    options = settings(scorer, Grammar)
    known = sorted(str(name) for name in Dialect.classes if name)
    if options.dialect and options.dialect not in known:
        raise refused(scorer, f"knows no dialect `{options.dialect}`{did_you_mean(options.dialect, known)}")
    allowed = None if options.allowed_tables is None else {name.casefold() for name in options.allowed_tables}

    def look(question: Question) -> Finding:
        text = fenced(question.answer.text) if options.within else question.answer.text
        if len(text) > SQL_LETTERS_MAX:
            raise Undecided(f"the statement is longer than {SQL_LETTERS_MAX:,} letters and was not read")
        statements, problem = _read(text, options.dialect)
        if problem:
            return Finding(0.0, f"the answer is no SQL: {problem}")
        if options.read_only and (others := [one for one in statements if not _only_reads(one)]):
            return Finding(0.0, f"the answer is SQL and does more than read: {shown(others[0].key.upper())}")
        tables = {name for one in statements for name in _tables(one)}
        if allowed is not None and (strange := sorted(tables - allowed)):
            return Finding(0.0, f"the answer is SQL over tables that are not allowed: {shown(', '.join(strange))}")
        return Finding(1.0, "the answer is SQL", {"tables": sorted(tables)[:100]})

    return look


def _read(text: str, dialect: str) -> tuple[list[exp.Expr], str]:
    try:
        found = [one for one in parse(text, dialect=dialect or None) if one is not None]
    except RecursionError:
        return [], "it is nested too deeply"
    except (SqlglotError, ValueError) as why:
        return [], str(why).partition("\n")[0]
    if not found:
        return [], "it is empty"
    other = next((one for one in found if not isinstance(one, _STATEMENTS)), None)
    if other is not None:
        return [], f"{shown(text)} is no statement that its grammar knows"
    return found, ""


def _only_reads(statement: exp.Expr) -> bool:
    if not isinstance(statement, exp.Query | exp.Values | exp.Describe):
        return False
    return statement.find(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into) is None


def _tables(statement: exp.Expr) -> Iterator[str]:
    """Name the tables, without those that the statement defines itself by `WITH`."""
    for table in statement.find_all(exp.Table):
        if table.name and not (len(table.parts) == 1 and table.name.casefold() in _defined_for(table)):
            yield ".".join(part.name for part in table.parts if part.name).casefold()


def _defined_for(table: exp.Table) -> set[str]:
    """Names that `WITH` defines where a table stands: in a definition, only those before it, unless it recurs."""
    names: set[str] = set()
    inner: exp.Expr = table
    while (outer := inner.parent) is not None:
        if isinstance(outer, exp.With):
            defined = outer.expressions
            names |= _aliases(defined if outer.recursive else defined[: defined.index(inner)])
        elif isinstance(clause := outer.args.get("with_"), exp.With) and clause is not inner:
            names |= _aliases(clause.expressions)
        inner = outer
    return names


def _aliases(definitions: list[exp.Expr]) -> set[str]:
    return {one.alias.casefold() for one in definitions}
