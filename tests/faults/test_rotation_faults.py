"""Faults 7 to 13 and 19: files that are renamed, copied, truncated, replaced, swapped and left unfinished."""

from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path

import pytest

from support.process import Server
from support.world import World

pytestmark = pytest.mark.slow


def test_fast_rotation_under_load_loses_nothing(world: World, thoroughness: int) -> None:
    """Fault 7. Guard: a renamed file is read to its end before the new one behind its name."""
    chance = random.Random(7)
    writer = world.writer()
    with Server([world.log], world.data) as server:
        for _ in range(40 * thoroughness):
            writer.write(chance.choice((1, 20, 100)))
            writer.rotate()
            writer.write(chance.choice((0, 1, 5)))
            time.sleep(chance.choice((0, 0, 0.01, 0.05)))
        server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


def test_rotated_several_times_while_stopped(world: World) -> None:
    """Fault 8. Guard: rotated files, also compressed ones, are known by their head and finished."""
    writer = world.writer()
    writer.write(300)
    with Server([world.log], world.data) as server:
        server.wait_for_events(300)
        server.stop()
    for _ in range(4):
        writer.write(200)
        writer.rotate(compress_from=2)
    writer.write(50)
    with Server([world.log], world.data) as server:
        server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


def test_copytruncate_under_load_loses_nothing_that_stayed_readable(world: World, thoroughness: int) -> None:
    """Fault 9. Guard: what a truncation took away is looked for in the copy."""
    chance = random.Random(9)
    writer = world.writer()
    with Server([world.log], world.data) as server:
        for _ in range(12 * thoroughness):
            writer.write(chance.choice((5, 50, 400)))
            time.sleep(chance.choice((0, 0, 0.02, 0.2)))
            writer.copy_and_truncate()
            writer.write(chance.choice((1, 30)))
        server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("growth", ["same", "larger"])
def test_truncated_and_regrown_file_is_read_from_its_start(world: World, growth: str, *, is_running: bool) -> None:
    """Fault 10. Guard: the hash of the bytes before the position is checked, not only the size."""
    writer = world.writer()
    writer.write(100)
    with Server([world.log], world.data) as server:
        server.wait_for_events(100)
        for _ in range(3):
            if not is_running:
                server.stop()
            size = writer.size
            writer.truncate()
            if growth == "same":
                writer.write_line(os.urandom(size // 2 - 1).hex().encode().ljust(size - 1, b"."))
            else:
                writer.write(len(writer.written) + 100)
            if not is_running:
                server.start_again()
            server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_new_file_in_a_reused_inode_is_read_from_its_start(world: World, *, is_running: bool) -> None:
    """Fault 11. Guard: identity is more than device and inode: the head's hash.

    While Vedette runs it keeps the old file open, so that its inode cannot be given again.
    """
    writer = world.writer()
    reused = 0
    with Server([world.log], world.data) as server:
        for _ in range(5):
            writer.write(100)
            server.wait_for_events(len(writer.written))
            if not is_running:
                server.stop()
            before = writer.inode
            reused += writer.replace() == before
            writer.write(150)
            if not is_running:
                server.start_again()
            server.wait_for_events(len(writer.written))
        server.stop()
    if not is_running and not reused:
        pytest.skip("this file system gave a new inode every time")
    world.assert_exact(writer)


def test_a_hundred_files_with_the_same_beginning_are_told_apart(world: World) -> None:
    """Fault 12. Guard: equal heads alone make no file the continuation of another."""
    header = [f"# header line {number} {'=' * 100}".encode() for number in range(12)]
    writers = [world.writer(world.logs / f"{number:03}.log", name=f"w{number}") for number in range(100)]
    for writer in writers:
        for line in header:
            writer.write_line(line)
    for number in range(20):
        (world.logs / f"empty-{number}.log").touch()
    with Server([world.logs], world.data) as server:
        server.wait_for_events(100 * len(header))
        for writer in writers[::2]:
            writer.write(7)
        server.wait_for_events(sum(len(writer.written) for writer in writers))
        server.stop()
    for writer in writers[1::2]:
        writer.write(5)
    late = world.writer(world.logs / "empty-3.log", name="late")
    late.write(3)
    with Server([world.logs], world.data) as server:
        server.wait_for_events(sum(len(writer.written) for writer in [*writers, late]))
        server.stop()
    world.assert_exact(*writers, late)


def test_a_swapped_symlink_is_followed_and_the_old_file_finished(world: World) -> None:
    """Fault 13. Guard: the file behind the name is compared by identity, and the old one kept open to its end."""
    link = world.logs / "current.log"
    targets = world.logs.with_name("targets")
    targets.mkdir()
    writers = []
    for number in range(6):
        writer = world.writer(targets / f"{number}.data", name=f"t{number}")
        writer.write(60)
        writers.append(writer)
    _point(link, writers[0].path)
    with Server([link], world.data) as server:
        for old, new in itertools.pairwise(writers):
            server.wait_for_events(sum(len(one.written) for one in writers[: writers.index(new)]))
            old.write(40)
            _point(link, new.path)
        server.wait_for_events(sum(len(one.written) for one in writers))
        server.stop()
    world.assert_exact(*writers)


def _point(link: Path, target: Path) -> None:
    aside = link.with_name(".swap")
    aside.symlink_to(target)
    aside.rename(link)


def test_a_partial_line_completed_after_a_restart_is_one_event(world: World) -> None:
    """Fault 19. Guard: the position never moves past the last complete line."""
    writer = world.writer()
    writer.write(10)
    writer.begin_line()
    with Server([world.log], world.data) as server:
        server.wait_for_events(10)
        server.stop()
    writer.finish_line()
    writer.write(10)
    with Server([world.log], world.data) as server:
        server.wait_for_events(21)
        writer.begin_line()
        server.stop()
    with Server([world.log], world.data) as server:
        writer.finish_line()
        server.wait_for_events(22)
        server.stop()
    world.assert_exact(writer)
