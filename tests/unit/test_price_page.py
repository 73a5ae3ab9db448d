"""What the page on prices shows works as it stands there."""

import re
from pathlib import Path

import yaml

from watchkeeper.config.schema import Config
from watchkeeper.money.price_file import read_file

PAGE = (Path(__file__).parents[2] / "docs/prices.md").read_text("utf-8")
FILE, OVERRIDES, CONTRACTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_on_the_page_is_read() -> None:
    first, second = read_file(FILE.encode(), source="page", lists=["openai"])
    assert [row.service_tier for row in first.rows] == ["", "batch", ""]
    assert second.rows[0].request == 1_000_000


def test_the_configuration_on_the_page_is_valid() -> None:
    said = yaml.safe_load(OVERRIDES)["prices"] | yaml.safe_load(CONTRACTS)["prices"]
    prices = Config.model_validate({"prices": said}).prices
    assert [contract.discount or contract.mark_up for contract in prices.contracts] == [1_500, 2_000]
    assert prices.overrides[0].model == "smollm2*"
