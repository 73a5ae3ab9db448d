"""docs/access.md says of roles, permissions and the provider what the code says."""

import re
from pathlib import Path

import yaml

from watchkeeper.access.roles import HELD, MEANING, PERMISSIONS, ROLES
from watchkeeper.config.schema import Config

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text("utf-8")


def rows(heading: str) -> dict[str, str]:
    """The table whose first column has this heading: first cell without its quotes, second cell."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))


def test_the_roles_on_the_page_permit_what_they_permit() -> None:
    written = {role: re.findall(r"`(\w+)`", cell) for role, cell in rows("role").items()}
    assert written == {role: [one for one in PERMISSIONS if one in HELD[role]] for role in ROLES}


def test_the_permissions_on_the_page_mean_what_they_mean() -> None:
    assert rows("permission") == dict(MEANING)
    assert tuple(MEANING) == PERMISSIONS


def test_the_provider_on_the_page_is_one_that_the_configuration_takes() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    oidc = Config.model_validate(yaml.safe_load(text)).sign_in.oidc
    assert oidc is not None
    assert [rule.role for rule in oidc.roles] == ["operator", "author"]
