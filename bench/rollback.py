"""How soon a promotion and a rollback are in force on every worker, while calls of the feature come steadily."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from bench.figure import Figure, Settings, Target
from bench.steady import Asked, Seen, load
from watchkeeper.testing.harness import Installation

CALLS_PER_S = 2_000.0
SECONDS = 14.0
COMMANDS_EVERY_S = 4.0
EFFECT_BELOW_S = 1.0
WORKERS = 2
FEATURE = "support"
BODY = json.dumps({"model": f"feature/{FEATURE}", "variables": {"question": "Where is my order?"}}).encode()


class Change(NamedTuple):
    """A command, and what it brought about."""

    name: str
    asked_ns: int
    """Unix time at which the command was started."""
    done_ns: int
    release: str
    """What serves from then on."""


class Course(NamedTuple):
    """What was seen of a load during which releases changed."""

    seen: list[Seen]
    changes: list[Change]
    prompts: dict[str, str]
    """What the upstream was asked, by call."""


def measure(settings: Settings) -> list[Figure]:
    """Promote, roll back and promote again under load."""
    seconds = float(settings.pick(int(SECONDS), 8))
    course = run(settings.scratch / "rollback", per_s=CALLS_PER_S, seconds=seconds, every_s=seconds / 3.5)
    rate = len(course.seen) / seconds
    note = f"{rate:,.0f} calls/s, {WORKERS} workers"
    rows = [
        Figure(
            name=f"{change.name}, from the start of the command to the last call under the old release",
            value=effect_s(course, change),
            unit="s",
            target=Target("below", EFFECT_BELOW_S),
            note=f"{note}; the command itself took {(change.done_ns - change.asked_ns) / 1e9:.2f} s.",
        )
        for change in course.changes
    ]
    failed = sum(seen.status != 200 for seen in course.seen)
    rows.append(Figure(name="calls that failed or were mixed", value=failed + len(mixed(course)), unit="calls",
                       target=Target("below", 1), note=f"{len(course.seen):,} calls"))  # fmt: skip
    return rows


def run(folder: Path, *, per_s: float, seconds: float, every_s: float) -> Course:
    """Start an installation, and change what is live with its own commands while calls come."""
    return uvloop.run(_run(folder, per_s, seconds, every_s))


def effect_s(course: Course, change: Change) -> float:
    """Return the time from a command to the moment at which the last call began that another release served."""
    later = [one.asked_ns for one in course.changes if one.asked_ns > change.asked_ns]
    until_ns = min(later, default=2**63)
    old = [seen.sent_ns for seen in course.seen
           if change.asked_ns < seen.sent_ns < until_ns and seen.release != change.release]  # fmt: skip
    return (max(old, default=change.asked_ns) - change.asked_ns) / 1e9


def mixed(course: Course) -> list[str]:
    """Return the calls whose upstream was not asked what the release says that they are stamped with."""
    wanted = {change.release: change.release for change in course.changes}
    by_text: dict[str, set[str]] = {}
    for seen in course.seen:
        if seen.status == 200:
            by_text.setdefault(course.prompts.get(seen.call_id, ""), set()).add(seen.release)
    bad = {text for text, releases in by_text.items() if len(releases) != 1 or not releases <= set(wanted)}
    return [seen.call_id for seen in course.seen if course.prompts.get(seen.call_id, "") in bad]


async def _run(folder: Path, per_s: float, seconds: float, every_s: float) -> Course:
    asked = Asked()
    async with asked.serving():
        with Installation(folder, _config(asked.port), workers=WORKERS) as running:
            first = await _push(running, folder, "first")
            await _command(running, "release", "promote", FEATURE, first, "--to", "production")
            second = await _push(running, folder, "second")
            await asyncio.sleep(1.0)  # until every worker knows the key, and the first release is in force
            calling = asyncio.create_task(load(running.port, running.key, BODY, per_s=per_s, seconds=seconds))
            changes: list[Change] = []
            for name, release, command in (
                ("promotion", second, ("promote", FEATURE, second, "--to", "production")),
                ("rollback", first, ("rollback", FEATURE)),
            ):
                await asyncio.sleep(every_s)
                asked_ns = time.time_ns()
                await _command(running, "release", *command)
                changes.append(Change(name, asked_ns, time.time_ns(), release))
            seen = await calling
    return Course(seen, changes, asked.prompts)


async def _push(running: Installation, folder: Path, text: str) -> str:
    prompts = folder / "prompts" / FEATURE
    prompts.mkdir(parents=True, exist_ok=True)
    (prompts / "release.yaml").write_text(
        f"feature: {FEATURE}\nmodel: gpt-4o-mini\n"
        f"messages:\n  - {{role: system, content: 'The {text} prompt.'}}\n"
        "  - {role: user, content: '{{ question }}'}\n"
        "variables: {question: {type: string}}\n"
    )
    await _command(running, "release", "push", str(prompts), "-m", text)
    return str((await _command(running, "release", "list", FEATURE))["releases"][0]["id"])


async def _command(running: Installation, *arguments: str) -> dict[str, Any]:
    return await asyncio.to_thread(running.cli_json, *arguments)


def _config(port: int) -> str:
    return f"""
providers:
  near: {{base_url: "http://127.0.0.1:{port}/v1", api_key: sk-fake, price_list: openai}}
features:
  {FEATURE}: {{owner: ana@example.com, cost_owner: finance@example.com}}
routes:
  gpt-4o-mini: {{targets: [near/gpt-4o-mini]}}
"""
