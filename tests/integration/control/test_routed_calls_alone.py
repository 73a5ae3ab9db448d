"""What the keeper tells of a call, the command line tells without it."""

import shutil

import pytest
from tests.integration.control.commands import Keeper, LoneCommand
from tests.integration.control.routed import routed_calls


def test_the_way_of_a_call_is_told_the_same_when_the_keeper_has_gone(
    lone_wk: LoneCommand, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keeper = Keeper(tmp_path_factory.mktemp("a"), routed_calls)
    keeper.start()
    assert keeper.is_ready.wait(20)
    root, call_id = keeper.folder.root, keeper.calls["routed"].id
    assert lone_wk("route", "why", call_id, data=root) == 0, lone_wk.err
    told = lone_wk.out
    keeper.stop()
    assert lone_wk("route", "why", call_id, data=root) == 0, lone_wk.err
    assert lone_wk.out == told
    assert lone_wk("route", "why", "0" * 26, data=root) == 3
    shutil.rmtree(root)
