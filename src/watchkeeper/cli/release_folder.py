"""`watchkeeper release`: folders of prompts."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.differences import places, print_changes
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed
from watchkeeper.cli.prompts import Done, Prompts
from watchkeeper.config.problems import meant
from watchkeeper.releases import files
from watchkeeper.releases.folder import RECIPE_FILE, FolderRefused, find_folders

STARTER = """\
# What {feature} is made of. `watchkeeper release push {folder}` keeps it.
feature: {feature}
model: {model}                      # a route, or provider/model
messages:
  - {{role: system, content: "You answer for {{{{ company }}}}, in {{{{ language }}}}."}}
  - {{role: user, content: "{{{{ question }}}}"}}
variables:
  company: {{type: string}}
  language: {{type: string, default: English}}
  question: {{type: string}}
parameters: {{temperature: 0, max_tokens: 200}}
"""
Folder = Annotated[Path, Parameter(help="The folder of one feature, or one with such folders in it.")]


def new(
    feature: str,
    *,
    folder: Annotated[Path, Parameter(name="--in", help="Folder of prompts.")] = Path("prompts"),
    model: Annotated[str, Parameter(help="A route, or provider/model.")] = "default",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Write the folder of a feature that has no release yet."""
    path = folder / feature
    if path.exists() or "/" in feature or files.below("", feature) != feature:
        raise CommandFailed(f"{path} is there already, or is no name for a folder; nothing was written.")
    if client.get(data, "/api/v1/releases", feature=feature)["releases"]:
        raise CommandFailed(
            f"{feature} has releases; nothing was written. Get it with `watchkeeper release pull {folder} {feature}`."
        )
    path.mkdir(parents=True)
    text = STARTER.format(feature=feature, folder=path, model=model)
    files.write_text(folder, f"{feature}/{RECIPE_FILE}", text.removesuffix("\n"))
    if json:
        show.document({"feature": feature, "file": str(path / RECIPE_FILE)})
    else:
        show.line(f"wrote {path / RECIPE_FILE}; push it with `watchkeeper release push {path}`")


def push(
    folder: Folder,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What was changed, and why.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Keep what a folder holds as the latest release of its feature; of several features, each for itself.

    Refused where somebody has pushed since; `release pull` brings both together.
    """
    prompts, names = _prompts(folder, data)
    _require_one_of_each(prompts, names)
    _report([prompts.push(name, message) for name in names], folder, "pushed", json=json)


def pull(
    folder: Folder,
    feature: Annotated[str, Parameter(help="Only this one; else all that the control has, or the folder's own.")] = "",
    *,
    take: Annotated[
        Literal["", "theirs", "mine"], Parameter(help="Whose value holds where both sides have changed a place.")
    ] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Bring the latest releases into folders; edits there are kept, and a place that both sides changed is named."""
    root, found = _present(folder)
    prompts = Prompts(data, root)
    names = {prompts.feature_of(name): name for name in found}
    is_one = (folder / RECIPE_FILE).exists()
    if feature:
        names = {feature: names.get(feature, folder.name if is_one else feature)}
    elif not is_one:
        released = client.get(data, "/api/v1/releases", limit=500)["releases"]
        names |= {one["feature"]: one["feature"] for one in released if one["feature"] not in names}
    if feature and prompts.feature_of(names[feature]) not in ("", feature):
        raise CommandFailed(f"{root / names[feature]} holds another feature than {feature}; nothing was pulled.")
    done = [prompts.pull(name, one, take or None) for one, name in names.items() if one]
    if feature and done[0].outcome == "not pushed yet" and not found:
        raise CommandFailed(f"There is no release of a feature {feature!r}{meant(feature, list(names))}")
    _report(done, folder, "pulled", json=json)


def diff(
    what: Annotated[str, Parameter(help="A folder; or a release: its id, FEATURE, FEATURE@ENVIRONMENT.")],
    other: Annotated[str, Parameter(help="Another release; an environment, with --feature.")] = "",
    *,
    feature: Annotated[str, Parameter(help="Whose releases, where only environments are named.")] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Show what differs, place by place: between a folder and the latest release, or between two releases."""
    if other:
        before, after = (f"{feature}@{one}" if feature and not one.startswith("wk1-") else one for one in (what, other))
        found = client.get(data, f"/api/v1/releases/{client.part(after)}/changes", since=before)
        if json:
            show.document(found)
            return
        show.line(f"{found['before']['id']} -> {found['after']['id']}")
        print_changes(found["changes"])
        if not found["changes"]:
            show.line("nothing differs")
        return
    if not Path(what).is_dir():
        raise CommandFailed(
            f"{what!r} is no folder. To compare releases, name two: `watchkeeper release diff support@production "
            "support@staging`.",
            exit_code=WRONG_USAGE,
        )
    prompts, names = _prompts(Path(what), data)
    _report([prompts.compare(name) for name in names], Path(what), "compared", json=json)


def _prompts(folder: Path, data: Path) -> tuple[Prompts, list[str]]:
    root, names = find_folders(folder)
    return Prompts(data, root), names


def _present(folder: Path) -> tuple[Path, list[str]]:
    """As `find_folders`, of which there may be none yet."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return find_folders(folder)
    except FolderRefused:
        return folder, []


def _require_one_of_each(prompts: Prompts, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        feature = prompts.feature_of(name)
        if feature and feature in seen:
            raise CommandFailed(f"{seen[feature]} and {name} both hold the feature {feature}; nothing was pushed.")
        seen[feature] = name


def _report(done: list[Done], folder: Path, verb: str, *, json: bool) -> None:
    """Say what came of each folder; fails where one needs somebody."""
    if json:
        show.document({"features": [one.document() for one in done]})
    else:
        for one in done:
            _print(one, folder)
    failed = [one for one in done if one.has_failed]
    if failed:
        names = ", ".join(one.feature or one.folder for one in failed)
        others = "" if len(failed) == len(done) else f"; {len(done) - len(failed)} other were"
        raise CommandFailed(f"{names} {'was' if len(failed) == 1 else 'were'} not {verb}{others}.")


def _print(one: Done, folder: Path) -> None:
    name = one.feature or one.folder
    for text in one.problems:
        show.line(show.plain(text))
    match one.outcome:
        case "refused":
            pass
        case "pushed" | "unchanged":
            show.line(f"{name}: {one.outcome}, {one.release}")
        case "not pushed yet":
            show.line(f"{name}: not pushed yet")
        case "pulled":
            show.line(f"{name}: {one.release}, wrote {', '.join(one.files)}")
        case "compared":
            _print_compared(one, name)
        case "conflict":
            _print_conflict(one, name, folder)
    for text in one.warnings:
        show.note(show.plain(text))


def _print_compared(one: Done, name: str) -> None:
    if one.their_changes:
        show.note(
            f"{name} was made from an earlier release; {one.author} has since changed {places(one.their_changes)}"
        )
    show.line(f"{name}: {len(one.changes) or 'no'} changes against {one.release}")
    print_changes(one.changes)


def _print_conflict(one: Done, name: str, folder: Path) -> None:
    show.line(f"{name}: {one.release} by {one.author} came since this folder was made")
    both: list[tuple[str, Iterable[dict[str, Any]]]] = [("you", one.changes), (one.author, one.their_changes)]
    for who, changed in both:
        show.line(f"\n{who} changed {places(changed)}")
        print_changes(changed)
    if one.conflicts:
        show.line(f"\nboth changed {', '.join(one.conflicts)}: `watchkeeper release pull {folder} --take theirs` or")
        show.line("`--take mine` decides it, or bring the texts together in the folder and then take mine")
    else:
        show.line(f"\nno place was changed by both: `watchkeeper release pull {folder}` brings them together")
