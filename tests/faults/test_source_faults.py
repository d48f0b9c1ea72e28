"""Fault 6: a source that cannot be read for a while."""

from __future__ import annotations

import os
import shutil

import pytest

from support.process import Server, wait_until
from support.world import World

pytestmark = pytest.mark.slow


def _without_privilege() -> list[str]:
    """For root, permissions count only without these capabilities."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (util-linux) when run by root")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"]


def test_a_permission_taken_away_and_given_back_loses_nothing(world: World) -> None:
    """Fault 6. Guard: a failing source is tried again with its stored position, and says why it fails."""
    writer = world.writer()
    writer.write(100)
    world.log.chmod(0)
    with Server([world.logs], world.data, prefix=_without_privilege()) as server:
        wait_until(lambda: "app.log" in str(server.get("/health")), what="health names the file")
        assert server.get("/health")["state"] != "ok"
        writer.write(100)
        world.log.chmod(0o600)
        server.wait_for_events(200)
        wait_until(lambda: server.get("/health")["state"] == "ok", what="health is well again")
        for _ in range(3):
            world.log.chmod(0)
            writer.write(20)
            world.log.chmod(0o600)
            writer.write(20)
            server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


def test_a_folder_that_goes_away_and_comes_back_is_read_on(world: World) -> None:
    """Fault 6. Guard: a missing path is waited for; known files keep their positions."""
    writer = world.writer()
    writer.write(100)
    aside = world.logs.with_name("aside")
    with Server([world.log], world.data) as server:
        server.wait_for_events(100)
        world.logs.rename(aside)
        writer.write(50)
        wait_until(lambda: not world.logs.exists(), what="the folder is away")
        aside.rename(world.logs)
        writer.write(50)
        server.wait_for_events(200)
        server.stop()
    world.assert_exact(writer)


def test_a_source_missing_at_the_start_is_waited_for(world: World) -> None:
    """Fault 6. Guard: the supervisor tries again, for as long as it takes."""
    with Server([world.logs / "*.log"], world.data) as server:
        writer = world.writer()
        writer.write(100)
        server.wait_for_events(100)
        server.stop()
    world.assert_exact(writer)
