"""Destinations in the configuration: what is taken, what is refused, and that no secret is shown."""

from pathlib import Path

import pytest

from watchkeeper.config.explain import explain
from watchkeeper.config.load import ConfigError, load

SECRET = "whsec_" + "QUJD" * 11
ENVIRONMENT = {"OPS": "slack://T1/T2/T3-hidden", "SIGN": SECRET}


def written(path: Path, *destinations: str, more: str = "") -> Path:
    path.write_text(f"notifications: {{{more}destinations: [{', '.join(destinations)}]}}\n")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watchkeeper.yaml"


def test_addresses_and_secrets_are_never_shown(file: Path) -> None:
    ops, siem = '{name: ops, url: "${OPS}"}', '{name: siem, webhook: "https://siem.example/x", secret: "${SIGN}"}'
    loaded = load(written(file, ops, siem), ENVIRONMENT)
    shown = {setting.name: setting.value for setting in explain(loaded)}
    assert shown["notifications.destinations[0].url"] == "set"
    assert shown["notifications.destinations[1].secret"] == "set"
    assert shown["notifications.destinations[1].webhook"] == "https://siem.example/x"
    assert "hidden" not in repr(loaded) + str(shown) and SECRET not in repr(loaded) + str(shown)


def test_an_address_may_stand_in_a_file_of_its_own(file: Path, tmp_path: Path) -> None:
    (tmp_path / "ops").write_text("mailto://user:hidden@mail.example\n")
    [ops] = load(written(file, "{name: ops, url: {file: ops}}"), {}).config.notifications.destinations
    assert ops.url == "mailto://user:hidden@mail.example"


@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ("{name: a}", "must have either a `url` or a `webhook`"),
        ('{name: a, url: "x://y", webhook: "https://h.example", secret: "${SIGN}"}', "must have either a `url` or a"),
        ('{name: a, webhook: "https://h.example"}', "a `webhook` needs a `secret` to sign with, and nothing else does"),
        ('{name: a, url: "x://y", secret: "${SIGN}"}', "a `webhook` needs a `secret` to sign with, and nothing else"),
        ('{name: a, webhook: "https://h.example", secret: hunter2}', ".secret: must be `whsec_` and, in base64, 24 to"),
        ('{name: a, webhook: "https://h.example", secret: whsec_QUJD}', ".secret: must be `whsec_` and, in base64, 24"),
        ('{name: a, webhook: "ftp://h.example", secret: "${SIGN}"}', ".webhook: must begin with http:// or https://"),
        ('{name: a, webhook: "https://u:pw@h.example", secret: "${SIGN}"}', ".webhook: must not carry a user or a"),
        ("{name: a, url: hello}", ".url: must be an address as apprise reads it"),
        ('{name: a, url: "x://y", kinds: [budget]}', "kinds[0]: must be `budget_threshold`, `budget_pace`"),
        ('{name: a, url: "x://y"}, {name: a, url: "x://z"}', "destinations: the name `a` occurs twice"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(file: Path, destination: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(written(file, destination), ENVIRONMENT)
    assert problem in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_example_of_the_page_is_a_configuration(file: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/alerts.md").read_text("utf-8")
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    told = load(file, {"OPS_SLACK_URL": "slack://a/b/c", "WEBHOOK_SECRET": SECRET}).config.notifications
    assert told.takers("budget_pace", "info") == ("siem",)


def test_a_time_zone_must_exist(file: Path) -> None:
    with pytest.raises(ConfigError, match="there is no time zone `Europe/Berlim`; did you mean `Europe/Berlin`"):
        load(written(file, more="tz: Europe/Berlim, "), {})


def test_a_destination_takes_all_alerts_unless_it_names_some(file: Path) -> None:
    text = '{name: all, url: "x://y"}', '{name: few, url: "x://y", kinds: [runaway], severities: [critical]}'
    told = load(written(file, *text), {}).config.notifications
    assert told.takers("runaway", "critical") == ("all", "few")
    assert told.takers("runaway", "warning") == told.takers("budget_pace", "critical") == ("all",)
