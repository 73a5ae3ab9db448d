"""The pages about schedules and real calls: their configuration is good, and their commands are ones."""

import re
import shlex
from pathlib import Path

import pytest

from watchkeeper.cli.main import build
from watchkeeper.config.load import ConfigError
from watchkeeper.evals.online import rules_of
from watchkeeper.server.loading import load_whole

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("evals-schedules.md", "evals-online.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_configuration_on_a_page_is_good(page: str, tmp_path: Path) -> None:
    [written] = blocks(page, "yaml")
    file = tmp_path / "watchkeeper.yaml"
    file.write_text(written)
    evals = load_whole(file).config.evals
    assert evals.schedules or rules_of(evals)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_a_page_can_be_typed(page: str) -> None:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("watchkeeper")]
    assert len(lines) >= 3
    for line in lines:
        build().parse_args(shlex.split(line, comments=True)[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        ("contian", "contains"),
        ({"type": "contains"}, ""),
        ({"type": "rubric", "value": "is kind", "judge": "m"}, "daily_cap"),
        ({"type": "python", "value": "True"}, "written in Python"),
        ({"type": "contains", "value": "x", "wieght": 1}, "wieght"),
        ({"type": "regex", "value": "("}, "("),
    ],
)
def test_a_scorer_that_cannot_be_used_is_named_with_its_line(scorer: object, said: str, tmp_path: Path) -> None:
    file = tmp_path / "watchkeeper.yaml"
    file.write_text(f"evals:\n  online:\n    - feature: support\n      share: 5%\n      scorers: [{scorer!r}]\n")
    if not said:  # what it needs may stand in the case of a suite, so that it is known when it marks
        assert load_whole(file).version
        return
    with pytest.raises(ConfigError) as refused:
        load_whole(file)
    assert said in str(refused.value) and "watchkeeper.yaml:5" in str(refused.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{suite: support/answers, cron: '0 6 * *'}", "five fields"),
        ("{suite: support, cron: '0 6 * * *'}", "suite"),
        ("{suite: a/b, cron: '0 6 * * *', env: production, model: m}", "one of `env`"),
        ("{suite: a/b, cron: '0 6 * * *', tz: Berlin}", "time zone"),
        ("{suite: a/b, cron: '0 6 * * *', cap: 2}", "500 USD"),
        ("{suite: a/b, cron: '0 6 * * *'}, {suite: a/b, cron: '0 7 * * *'}", "two are known as `a.b@latest`"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_in_words(written: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "watchkeeper.yaml"
    file.write_text(f"evals:\n  schedules: [{written}]\n")
    with pytest.raises(ConfigError) as refused:
        load_whole(file)
    assert said in str(refused.value)
