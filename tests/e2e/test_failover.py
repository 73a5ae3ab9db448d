"""The failure scenarios S01 to S16, each asked in three ways by the official clients; all times a tenth as long."""

from pathlib import Path

import pytest
from bench.failover.play import PARTS, Part, Score, play

SECOND = 0.1


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[Part, Score]:
    return {score.part: score for score in play(Path(tmp_path_factory.mktemp("failover")), PARTS, second=SECOND)}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.model)
def test_a_failure_of_the_provider_is_none_of_the_clients(scores: dict[Part, Score], part: Part) -> None:
    assert scores[part].wrong == []
