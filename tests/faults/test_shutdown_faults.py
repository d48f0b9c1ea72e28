"""Fault 34: SIGTERM under load, once and twice."""

from __future__ import annotations

import signal
import time

import pytest

from support.process import Server
from support.world import World
from support.writer import load

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_sigterm_under_load_drains_and_ends_well(world: World, times: int, thoroughness: int) -> None:
    """Fault 34. Guard: the queue is drained before the store closes, and a second signal changes nothing."""
    writer = world.writer()
    for _ in range(3 * thoroughness):
        seen = len(writer.written)
        with load(writer), Server([world.log], world.data) as server:
            server.wait_for_events(seen + 500)
            for _ in range(times):
                server.signal(signal.SIGTERM)
                time.sleep(0.05)
            assert server.wait(seconds=10) == 0, server.output[-3000:]
    with Server([world.log], world.data) as server:
        server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


def test_sigterm_before_the_first_line_ends_well(world: World) -> None:
    """Fault 34. Guard: stopping does not depend on anything having happened."""
    world.log.touch()
    with Server([world.log], world.data) as server:
        server.signal(signal.SIGTERM)
        assert server.wait(seconds=10) == 0
