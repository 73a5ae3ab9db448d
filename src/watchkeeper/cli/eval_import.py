"""`watchkeeper eval import`: other programs' evaluations become suites, and nothing is skipped in silence."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import show
from watchkeeper.cli.options import Json
from watchkeeper.cli.outcome import CommandFailed
from watchkeeper.cli.promptfoo_terms import is_promptfoo
from watchkeeper.cli.show import Column
from watchkeeper.evals.importing.formats import read
from watchkeeper.evals.importing.imported import Imported
from watchkeeper.evals.suite_writing import write_suite

_NOTES = (Column("what", is_state=True), Column("where", shrinks_to=20), Column("times", is_right=True), Column("why"))


def import_(
    file: Annotated[Path, Parameter(help="Of promptfoo, OpenAI evals, OpenAI's Evals API, DeepEval or Ragas.")],
    *,
    feature: Annotated[str, Parameter(help="That the suite is of.")],
    name: Annotated[str, Parameter(help="Of the suite; by default that of the file.")] = "",
    folder: Annotated[Path, Parameter(name="--in", help="Folder of suites.")] = Path("suites"),
    json: Json = False,
) -> None:
    """Make a suite of another program's file, and say of each part what became of it."""
    if is_promptfoo(file):
        # Its templates and sandbox, which other programs' files do not need.
        from watchkeeper.cli.promptfoo_import import import_config

        converted = import_config(file, Path(), feature=feature, name=name or "promptfoo")
        if json:
            left = [str(one) for one in converted.left]
            show.document({"files": [str(one) for one in converted.files], "cases": converted.cases, "left": left})
        else:
            show.line(f"wrote {', '.join(str(one) for one in converted.files)}: {converted.cases} cases")
            for one in converted.left:
                show.note(f"left out: {one}")
        return
    found = read(file, feature, name or file.name.partition(".")[0])
    path = folder / feature / f"{found.suite.name}.yaml"
    if path.exists():
        raise CommandFailed(f"{path} is there already; nothing was written. Name it otherwise with --name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = write_suite(found.suite, path)
    if json:
        notes = [
            {"kind": one.kind, "place": one.place, "message": one.message, "times": one.times} for one in found.notes
        ]
        show.document({"files": [str(one) for one in written], "cases": len(found.suite.cases), "notes": notes})
    else:
        _say(found, written)


def _say(found: Imported, written: tuple[Path, ...]) -> None:
    show.line(f"wrote {' and '.join(map(str, written))}: {len(found.suite.cases)} cases")
    show.table(_NOTES, [(one.kind, one.place, str(one.times), one.message) for one in found.notes])
    if found.is_whole:
        show.line("everything in the file means here what it meant there")
