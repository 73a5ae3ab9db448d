"""Assertions on SQL. sqlglot forgives more than node-sql-parser does; what that refuses is refused here too."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import sqlglot
from sqlglot import errors, exp
from sqlglot.tokenizer_core import TokenType

from watchkeeper.evals.promptfoo.assertions.fences import sql_blocks
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, verdict
from watchkeeper.evals.promptfoo.javascript import UNDEFINED, ScriptFailed
from watchkeeper.evals.promptfoo.values import WHITE, trim, truth

LETTERS_MAX = 200_000
"""Of a text that is parsed; a longer one is no SQL."""
DIALECTS = {
    "MySQL": "mysql",
    "MariaDB": "mysql",
    "Postgresql": "postgres",
    "Sqlite": "sqlite",
    "TransactSQL": "tsql",
    "BigQuery": "bigquery",
    "Redshift": "redshift",
    "Snowflake": "snowflake",
    "DB2": "",
    "Hive": "hive",
    "FlinkSQL": "",
    "Trino": "trino",
    "Athena": "athena",
    "Noql": "postgres",
}
"""By promptfoo's name of a database, which is node-sql-parser's."""
_KINDS = (
    exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Show,
    exp.Use, exp.Set, exp.Transaction, exp.Commit, exp.Rollback, exp.Describe, exp.Merge, exp.Grant,
)  # fmt: skip
_COMMANDS = frozenset(("CALL", "REPLACE", "SHOW", "EXPLAIN"))
_RESERVED = frozenset(
    (
        "all", "alter", "and", "as", "between", "by", "case", "create", "cross", "delete", "desc", "distinct",
        "drop", "else", "exists", "explain", "false", "from", "group", "having", "in", "inner", "insert",
        "into", "is", "join", "left", "like", "limit", "not", "null", "on", "or", "order", "outer", "right",
        "select", "set", "table", "then", "true", "union", "update", "using", "values", "when", "where",
        "with",
    )
)  # fmt: skip
"""Words that are no names unless they are quoted."""
_NOT_IN_MYSQL = (exp.ILike, exp.Fetch, exp.TableSample, exp.Merge, exp.Returning)
_NOT_IN_POSTGRES = (exp.TableSample, exp.Merge, exp.Fetch, exp.RegexpLike)
_WORD = "[A-Za-z_][A-Za-z0-9_]*"
_MISSING_COMMA = re.compile(rf"select[{WHITE}]+{_WORD}[{WHITE}]+{_WORD}[{WHITE}]+from", re.IGNORECASE)
_SERIES = re.compile(rf"\bgenerate_series[{WHITE}]*\(", re.IGNORECASE | re.ASCII)
_FENCED = re.compile(r"```(?:sql)?([^`]+)```")
_MODIFIERS = "(?:all|distinct)"
_MYSQL_MODIFIERS = (
    "(?:all|distinct(?:row)?|high_priority|straight_join"
    "|sql_(?:big_result|buffer_result|cache|calc_found_rows|no_cache|small_result))"
)
_HIDDEN = re.compile(
    r"'(?:\\.|''|[^'\\])*'?|\"(?:\\.|\"\"|[^\"\\])*\"?|`(?:\\.|``|[^`\\])*`?|(?P<comment>--[^\r\n]*|\#[^\r\n]*|/\*.*?(?:\*/|$))",
    re.DOTALL,
)

# It warns of each statement that it only knows by its first word; whether that will do is decided here.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class _NoSql(Exception):
    """A text is not SQL."""


def is_sql(subject: Subject) -> Finding:
    """The whole output is SQL of a database, and uses only tables and columns that are allowed."""
    problem = _problem(subject, subject.text)
    return verdict(not problem, subject, problem, "it is SQL")


def contains_sql(subject: Subject) -> Finding:
    """A fenced block of the output is SQL, or all of it where there is no block."""
    if subject.is_old:
        fenced = _FENCED.search(subject.text)
        problem = _problem(subject, trim(fenced[1]) if fenced else subject.text)
        return verdict(not problem, subject, problem, "it holds SQL")
    problem = "there is no SQL in it"
    for block in sql_blocks(subject.text) or [subject.text]:
        if trim(block):
            problem = _problem(subject, block)
            if not problem:
                break
    return verdict(not problem, subject, problem, "it holds SQL")


def _problem(subject: Subject, source: str) -> str:
    options: Mapping[str, Any] = {}
    if subject.value is not UNDEFINED and truth(subject.value):
        if not isinstance(subject.value, dict | list):
            raise Undecided(f"`{subject.base}` takes `databaseType`, `allowedTables` and `allowedColumns`")
        options = subject.value if isinstance(subject.value, dict) else {}
    database = options.get("databaseType") or "MySQL"
    if database not in DIALECTS:
        return f"{database} is not a database that is known; those are {', '.join(DIALECTS)}"
    if _looks_wrong(source, database, subject.is_old):
        return f"it is not SQL of {database}"
    try:
        statements = _statements(source, database)
    except _NoSql as problem:
        return f"it is not SQL of {database}: {problem}"
    try:
        return _forbidden(subject, statements, options)
    except ScriptFailed as failed:
        return f"a pattern in `allowedTables` or `allowedColumns` cannot be used: {failed}"


def _looks_wrong(source: str, database: str, is_old: bool) -> bool:
    """What node-sql-parser lets pass, and promptfoo does not."""
    plain = trim(source)
    if plain.count("`") % 2 or (database == "MySQL" and _SERIES.search(plain)):
        return True
    if is_old:
        return _MISSING_COMMA.search(plain) is not None
    modifiers = _MYSQL_MODIFIERS if database in ("MySQL", "MariaDB") else _MODIFIERS
    pattern = rf"\bselect\s+(?:{modifiers}\s+)*(?!{modifiers}\b){_WORD}\s+{_WORD}\s+from\b"
    hidden = _HIDDEN.sub(lambda found: " " if found["comment"] else " ? ", plain)
    return not plain or re.search(pattern, hidden, re.IGNORECASE | re.ASCII) is not None


def _statements(source: str, database: str) -> list[exp.Expr]:
    if len(source) > LETTERS_MAX:
        raise _NoSql(f"it is longer than {LETTERS_MAX:,} letters")
    try:
        dialect = sqlglot.Dialect.get_or_raise(DIALECTS[database])
        tokens = dialect.tokenize(source)
        parsed = [each for each in dialect.parser().parse(tokens, source) if each is not None]
    except (errors.SqlglotError, ValueError, RecursionError, AttributeError, TypeError, IndexError) as problem:
        raise _NoSql(str(problem).partition("\n")[0][:200]) from None
    for token, after in pairwise(tokens):
        if token.token_type == TokenType.COMMA and after.token_type == TokenType.FROM:
            raise _NoSql("there is a comma before FROM")
    for statement in parsed:
        _check(statement, database)
    return parsed


def _check(statement: exp.Expr, database: str) -> None:
    """Raise _NoSql for what sqlglot forgives."""
    is_mysql = database in ("MySQL", "MariaDB")
    if isinstance(statement, exp.Command):
        if str(statement.this).upper() not in _COMMANDS:
            raise _NoSql(f"{statement.this} is not known")
        return
    if not isinstance(statement, _KINDS) or isinstance(statement, exp.Values):
        raise _NoSql("it is an expression, not a statement")
    for node in statement.walk():
        match node:
            case exp.Select() if not node.expressions:
                raise _NoSql("nothing is selected")
            case exp.Update() if not node.expressions:
                raise _NoSql("nothing is set")
            case exp.Delete() if node.this is None or "from" not in statement.sql().lower():
                raise _NoSql("it does not say from where")
            case exp.Identifier() if not node.quoted and node.name.lower() in _RESERVED:
                raise _NoSql(f"{node.name} is no name")
            case exp.Interval() if is_mysql and isinstance(node.this, exp.Literal) and " " in str(node.this.this):
                raise _NoSql("an interval has its unit in quotes")
            case exp.OnConflict() if is_mysql != bool(node.args.get("duplicate")):
                raise _NoSql("it handles conflicts in another database's way")
            case _ if isinstance(node, _NOT_IN_MYSQL if is_mysql else _NOT_IN_POSTGRES):
                raise _NoSql(f"{type(node).__name__} is not known")
            case _:
                continue


def _forbidden(subject: Subject, statements: Sequence[exp.Expr], options: Mapping[str, Any]) -> str:
    """What is used and not allowed; each is written `ACTION::DATABASE or TABLE::NAME`."""
    tables = options.get("allowedTables") or ()
    columns = list(options.get("allowedColumns") or ())
    for column in tuple(columns):
        action, table, *name = column.split("::")
        if len(name) == 1 and table != "null":
            columns.append(f"{action}::null::{name[0]}")
    for kind, allowed, used in (("table", tables, _tables(statements)), ("column", columns, _columns(statements))):
        if not allowed:
            continue
        pattern = "|".join(f"(?:^{each}$)" for each in allowed)
        for name in used:
            if not subject.instruments.engine.search(pattern.lower(), name.lower()):
                return f"the {kind} {name} is not allowed"
    return ""


def _action(statement: exp.Expr) -> str:
    match statement:
        case exp.Insert():
            return "insert"
        case exp.Update():
            return "update"
        case exp.Delete():
            return "delete"
        case exp.Create():
            return "create"
        case exp.Drop():
            return "DROP"
        case exp.TruncateTable():
            return "TRUNCATE"
        case exp.Alter():
            return "alter"
        case _:
            return "select"


def _tables(statements: Sequence[exp.Expr]) -> Iterator[str]:
    for statement in statements:
        action = _action(statement)
        target = statement.find(exp.Table) if action != "select" else None
        if isinstance(statement, exp.Create) and statement.kind != "TABLE":
            target, skipped = None, statement.find(exp.Table)
        else:
            skipped = None
        for table in statement.find_all(exp.Table):
            if table is not skipped:
                yield f"{action if table is target else 'select'}::{table.db or 'null'}::{table.name}"


def _columns(statements: Sequence[exp.Expr]) -> Iterator[str]:
    for statement in statements:
        names = {table.alias_or_name: table.name for table in statement.find_all(exp.Table)}
        action = _action(statement)
        yield from _written(statement, action)
        assigned = {id(each.this) for each in statement.expressions} if isinstance(statement, exp.Update) else set()
        for star in statement.find_all(exp.Star):
            if isinstance(star.parent, exp.Select):
                yield "select::null::(.*)"
        for column in statement.find_all(exp.Column):
            table = names.get(column.table, column.table) or "null"
            name = "(.*)" if isinstance(column.this, exp.Star) else column.name
            yield f"{'update' if id(column) in assigned else 'select'}::{table}::{name}"


def _written(statement: exp.Expr, action: str) -> Iterator[str]:
    """Columns that a statement writes without reading them."""
    target = statement.find(exp.Table)
    if target is None:
        return
    if isinstance(statement, exp.Delete):
        yield f"delete::{target.name}::(.*)"
    elif isinstance(statement, exp.Insert):
        listed = statement.this.expressions if isinstance(statement.this, exp.Schema) else ()
        for name in [each.name for each in listed] or ["(.*)"]:
            yield f"insert::{target.name}::{name}"
    elif action in ("create", "alter"):
        for definition in statement.find_all(exp.ColumnDef):
            yield f"select::null::{definition.name}"
            yield f"create::null::{definition.name}"
