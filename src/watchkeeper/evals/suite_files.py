"""Reads a suite as people write it: a YAML file, with its cases in it or in files beside it.

suites/
  support/answers.yaml              feature `support`, unless the file names another; the suite `answers`
  support/answers.cases.jsonl       named in it: `cases: answers.cases.jsonl`
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from watchkeeper.config import document
from watchkeeper.config.document import Document
from watchkeeper.config.problems import Place, Problem, did_you_mean
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import nusd
from watchkeeper.evals.scorers.python import inlined
from watchkeeper.evals.scoring import ScorerRefused
from watchkeeper.evals.soundness import unsound
from watchkeeper.evals.suite import CASES_MAX, REPEATS_MAX, Case, Gate, Scorer, Suite

PYTHON = "python"
"""The type of scorer that people write themselves."""
CASE_BYTES_MAX = 4 * 1024 * 1024
"""Of one case, as it is written."""
FILE_BYTES_MAX = 512 * 1024 * 1024
PROBLEMS_MAX = 50
"""Told at once; a file in which every line is wrong says so fifty times."""
_KEYS = ("feature", "name", "description", "cases", "scorers", "repeats", "budget", "judge", "gate")
_SHARES = ("margin", "alpha", "unmeasured", "min_pass", "latency", "cost")
_CASE_COLUMNS = ("id", "reference", "tags", "cluster", "weight", "call", "answer")
_MONEY = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?) USD$")
_PERCENT = re.compile(r"^(\d{1,3}(?:\.\d+)?)%$")
_AT = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


class SuiteRefused(CallerError):
    """A file holds no suite; `problems` names every mistake with its file and line. Nothing was asked."""

    code = "suite_refused"
    http_status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read_suite(path: Path) -> Suite:
    """Read a suite with all of its cases. Whether its scorers are ones that exist is for `evals.tasks` to say.

    Raises:
        SuiteRefused: a file cannot be read, or does not hold what it should.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SuiteRefused([Problem(path, None, (), _why(error))]) from None
    found = document.read(text)
    problems = [Problem(path, line, place, message) for line, place, message in found.faults]
    if not isinstance(found.data, dict):
        raise SuiteRefused(problems or [Problem(path, None, (), "must be a mapping with `cases` and `scorers`")])
    suite = _Reading(path, found, problems).suite(found.data)
    if problems or suite is None:
        raise SuiteRefused(problems[:PROBLEMS_MAX])
    return suite


_T = TypeVar("_T", bound=msgspec.Struct)


class _Reading:
    """Reads one suite; what is wrong with it is gathered in `problems`."""

    def __init__(self, path: Path, found: Document, problems: list[Problem]) -> None:
        self._path = path
        self._document = found
        self._problems = problems

    def suite(self, data: Mapping[str, Any]) -> Suite | None:
        for key in data:
            if key not in _KEYS:
                self._fault((key,), f"unknown key{did_you_mean(str(key), _KEYS)}")
        scorers = self._scorers(data.get("scorers", []), ("scorers",))
        gate = self._gate(data.get("gate", {}))
        cases = self._numbered(self._cases(data.get("cases")))
        repeats = data.get("repeats", 1)
        if not isinstance(repeats, int) or isinstance(repeats, bool) or not 1 <= repeats <= REPEATS_MAX:
            self._fault(("repeats",), f"must be a whole number from 1 to {REPEATS_MAX}")
        budget = self._money(data.get("budget"))
        texts = {name: self._text(data, name) for name in ("feature", "name", "description", "judge")}
        if self._problems:
            return None
        found = Suite(
            feature=texts["feature"] or self._path.resolve().parent.name,
            name=texts["name"] or self._path.stem,
            description=texts["description"],
            cases=tuple(cases),
            scorers=scorers,
            repeats=repeats,
            budget_nusd=budget,
            judge=texts["judge"],
            gate=gate,
        )
        for said in unsound(found):
            self._fault((), said)
        return found

    def _text(self, data: Mapping[str, Any], name: str) -> str:
        value = data.get(name, "")
        if not isinstance(value, str):
            self._fault((name,), "must be text")
            return ""
        return value.strip()

    def _money(self, given: Any) -> int | None:
        found = _MONEY.match(given) if isinstance(given, str) else None
        if given is not None and found is None:
            self._fault(("budget",), "must be an amount with its currency, such as `2 USD`")
        return None if found is None else nusd(found[1])

    def _gate(self, given: Any) -> Gate:
        if not isinstance(given, dict):
            self._fault(("gate",), "must be a mapping")
            return Gate()
        shares = {name: _share(value) if name in _SHARES else value for name, value in given.items()}
        gate = self._read(Gate, shares, ("gate",))
        if gate is None:
            return Gate()
        return gate

    def _scorers(self, given: Any, place: Place) -> tuple[Scorer, ...]:
        if not isinstance(given, list):
            self._fault(place, "must be a list")
            return ()
        found = [self._read(Scorer, scorer_from(item), (*place, index)) for index, item in enumerate(given)]
        scorers = tuple(
            self._whole(scorer, (*place, index)) for index, scorer in enumerate(found) if scorer is not None
        )
        titles = [scorer.title for scorer in scorers]
        for index, title in enumerate(titles):
            if title in titles[:index]:
                self._fault((*place, index), f"`{title}` is the name of another scorer before it; give it a `name`")
        return scorers

    def _whole(self, scorer: Scorer, place: Place) -> Scorer:
        """Take the text of a Python file into the suite: it is a part of what is measured."""
        if scorer.type != PYTHON:
            return scorer
        try:
            return inlined(scorer, self._path.parent)
        except ScorerRefused as refused:
            self._fault(place, str(refused))
            return scorer

    def _cases(self, given: Any) -> Iterator[Case]:
        match given:
            case str():
                yield from self._from_file(given, ("cases",))
            case list() if given:
                for index, item in enumerate(given):
                    if isinstance(item, str):
                        yield from self._from_file(item, ("cases", index))
                    elif (case := self._case(item, ("cases", index))) is not None:
                        yield case
            case _:
                self._fault(("cases",), "must be a list of cases, or the name of a file with them; there is none")

    def _numbered(self, given: Iterator[Case]) -> list[Case]:
        """Give every case an id: its own, else one that follows from its content."""
        cases: list[Case] = []
        seen: dict[str, int] = {}
        for case in given:
            name = case.id or f"c-{_digest(case)}"
            times = seen[name] = seen.get(name, 0) + 1
            if times > 1 and case.id:
                self._fault(("cases",), f"`{name[:60]}` is the id of two cases")
            cases.append(
                case if case.id else msgspec.structs.replace(case, id=name if times == 1 else f"{name}-{times}")
            )
            if len(cases) > CASES_MAX:
                self._fault(("cases",), f"there are more than {CASES_MAX:,}; split the suite")
                break
            if len(self._problems) > PROBLEMS_MAX:
                break
        return cases

    def _case(self, item: Any, place: Place, where: tuple[Path, int] | None = None) -> Case | None:
        if not isinstance(item, dict):
            self._fault(place, "must be a mapping with `variables` or `messages`", where)
            return None
        given = {"id": "", **item}
        if isinstance(given.get("scorers"), list):
            given["scorers"] = [scorer_from(scorer) for scorer in given["scorers"]]
        for name in ("tags", "contexts"):
            if isinstance(given.get(name), str):
                given[name] = [given[name]]
        if isinstance(given["id"], int | float):
            given["id"] = str(given["id"])
        return self._read(Case, given, place, where)

    def _from_file(self, name: str, place: Place) -> Iterator[Case]:
        path, suffix = self._path.parent / name, Path(name).suffix.lower()
        if suffix not in (".jsonl", ".csv", ".json", ".yaml", ".yml"):
            self._fault(place, f"`{name[:100]}` ends with `{suffix}`; cases stand in .jsonl, .csv, .yaml or .json")
            return
        try:
            if not path.resolve().is_relative_to(self._path.parent.resolve()):
                raise OSError(None, "leads out of the folder of the suite, and nothing outside it is read")
            if path.stat().st_size > FILE_BYTES_MAX:
                raise OSError(None, f"is larger than {FILE_BYTES_MAX // 2**20} MiB")
            match suffix:
                case ".jsonl":
                    yield from self._lines(path)
                case ".csv":
                    yield from self._rows(path)
                case _:
                    yield from self._list(path)
        except OSError as error:
            self._fault(place, f"`{name[:100]}` {_why(error)}")

    def _lines(self, path: Path) -> Iterator[Case]:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    item = msgspec.json.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    self._fault((), f"is not JSON: {error}", (path, number))
                    continue
                if (case := self._case(item, (), (path, number))) is not None:
                    yield case

    def _rows(self, path: Path) -> Iterator[Case]:
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError:
            self._fault((), "is not UTF-8 text", (path, 1))
            return
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            rows = list(reader)
        except csv.Error as error:
            self._fault((), f"is not CSV: {error}", (path, reader.line_num))
            return
        for line, row in enumerate(rows, 2):
            if None in row or None in row.values():
                self._fault((), f"row {line}: has another number of columns than the first line has", (path, line))
                continue
            item: dict[str, Any] = {name: row[name] for name in _CASE_COLUMNS if row.get(name)}
            item["variables"] = {name: value for name, value in row.items() if name not in _CASE_COLUMNS}
            if "tags" in item:
                item["tags"] = [tag.strip() for tag in item["tags"].split(",") if tag.strip()]
            if "weight" in item:
                item["weight"] = _number(item["weight"])
            if (case := self._case(item, (), (path, line))) is not None:
                yield case

    def _list(self, path: Path) -> Iterator[Case]:
        text = path.read_bytes()
        if path.suffix.lower() == ".json":
            try:
                data = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self._fault((), f"is not JSON: {error}", (path, 1))
                return
            lines: dict[Place, int] = {}
        else:
            found = document.read(text)
            data, lines = found.data, found.lines
            for line, _, message in found.faults:
                self._fault((), message, (path, line or 1))
        if not isinstance(data, list):
            self._fault((), "must be a list of cases", (path, 1))
            return
        for index, item in enumerate(data):
            if (case := self._case(item, (index,), (path, lines.get((index,), 1)))) is not None:
                yield case

    def _read(self, kind: type[_T], given: Any, place: Place, where: tuple[Path, int] | None = None) -> _T | None:
        try:
            return msgspec.convert(given, kind, strict=True)
        except msgspec.ValidationError as error:
            said, inner = _said(error, kind)
            self._fault((*place, *inner), said, where)
            return None

    def _fault(self, place: Place, message: str, where: tuple[Path, int] | None = None) -> None:
        path, line = where or (self._path, self._document.line(place))
        self._problems.append(Problem(path, line, place, message))


def scorer_from(item: Any) -> Any:
    """Return a scorer as people write it in the words of `Scorer`: `not` is `negated`; a text alone is a type."""
    if isinstance(item, str):
        return {"type": item}
    if isinstance(item, dict) and "not" in item:
        return {**{key: value for key, value in item.items() if key != "not"}, "negated": item["not"]}
    return item


def _share(value: Any) -> Any:
    found = _PERCENT.match(value) if isinstance(value, str) else None
    return value if found is None else float(found[1]) / 100


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _said(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> tuple[str, Place]:
    found = _AT.match(str(error))
    said, at = (found[1], found[2] or "") if found else (str(error), "")
    place: Place = tuple(
        int(index) if index.isdigit() else name for name, index in _STEP.findall(at) if name or index.isdigit()
    )
    unknown = _UNKNOWN.match(said)
    if unknown:
        known = [] if place else ["not" if name == "negated" else name for name in kind.__struct_fields__]
        return f"unknown key{did_you_mean(unknown[1], known)}", (*place, unknown[1])
    return said[:1].lower() + said[1:], place


def _digest(case: Case) -> str:
    content = msgspec.json.encode([case.variables, case.messages, case.answer], order="sorted")
    return hashlib.sha256(content).hexdigest()[:10]


def _why(error: OSError) -> str:
    return f"cannot be read: {error.strerror}" if error.errno else str(error.strerror)
