"""Faults 4, 30 and 31: a full disk, a second process on the data folder, a corrupt database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.faults import assert_exactly_once
from support.process import Process, Server, run, stored_events, wait_until
from support.world import World

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


class SmallDisk:
    """A tmpfs of its own in a user and mount namespace; `inside` begins the command lines of those who see it."""

    def __init__(self, mount_point: Path, size: int, output: Path) -> None:
        self.mount_point = mount_point
        mount_point.mkdir()
        script = f"mount -t tmpfs -o size={size} tmpfs '{mount_point}' && echo mounted && exec sleep 600"
        self.holder = Process(["unshare", "-Urm", "sh", "-c", script], output=output)
        wait_until(lambda: "mounted" in self.holder.output or not self.holder.is_running, what="the disk")

    @property
    def is_mounted(self) -> bool:
        return self.holder.is_running

    @property
    def inside(self) -> list[str]:
        return ["nsenter", "--preserve-credentials", "-U", "-m", "-t", str(self.holder.pid)]

    def fill(self) -> None:
        """Leave no free block."""
        subprocess.run(
            [*self.inside, "dd", "if=/dev/zero", f"of={self.mount_point}/filler", "bs=4096"],
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def free(self) -> None:
        subprocess.run([*self.inside, "rm", f"{self.mount_point}/filler"], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("needs unshare and nsenter (util-linux)")
    disk = SmallDisk(tmp_path / "disk", 64 * MIB, tmp_path / "disk.out")
    try:
        if not disk.is_mounted:
            pytest.skip(f"user namespaces may not mount here: {disk.holder.output}")
        yield disk
    finally:
        disk.holder.kill()


def test_a_full_disk_stops_reading_and_space_resumes_it(world: World, small_disk: SmallDisk) -> None:
    """Fault 4. Guard: a refused commit is repeated as it is until the store takes it."""
    data = small_disk.mount_point / "data"
    writer = world.writer()
    writer.write(100)
    with Server([world.log], data, prefix=small_disk.inside) as server:
        server.wait_for_events(100)
        small_disk.fill()
        for _ in range(60):
            writer.write(500)
        wait_until(lambda: _complaint(server), what="health says that there is no space")
        assert _complaint(server)["remedy"]
        assert server.is_running
        stored = server.events
        assert stored < len(writer.written)
        small_disk.free()
        server.wait_for_events(len(writer.written))
        wait_until(lambda: server.get("/health")["state"] == "ok", what="health is well again")
        server.stop()
    assert_exactly_once(stored_events(data, prefix=small_disk.inside), [writer])


def _complaint(server: Server) -> dict[str, Any]:
    """The part that says it has no space; empty while none does."""
    parts: list[dict[str, Any]] = server.get("/health")["parts"]
    return next((part for part in parts if part["state"] != "ok" and "space" in str(part).lower()), {})


def test_killed_on_a_full_disk_the_next_start_resumes(world: World, small_disk: SmallDisk) -> None:
    """Faults 1 and 4. Guard: what a full disk left of a commit is not taken for one."""
    data = small_disk.mount_point / "data"
    writer = world.writer()
    writer.write(100)
    with Server([world.log], data, prefix=small_disk.inside) as server:
        server.wait_for_events(100)
        small_disk.fill()
        writer.write(20_000)
        wait_until(lambda: "space" in str(server.get("/health")).lower(), what="health says that there is no space")
        server.kill()
    small_disk.free()
    with Server([world.log], data, prefix=small_disk.inside) as server:
        server.wait_for_events(len(writer.written))
        server.stop()
    assert_exactly_once(stored_events(data, prefix=small_disk.inside), [writer])


def test_a_second_process_on_the_data_folder_is_turned_away(world: World) -> None:
    """Fault 30. Guard: the lock on the data folder."""
    writer = world.writer()
    writer.write(50)
    with Server([world.log], world.data) as server:
        server.wait_for_events(50)
        for command in ("serve", "import"):
            arguments = ("--port", "0") if command == "serve" else ()
            second = run(command, world.log, "--data-dir", world.data, *arguments)
            assert second.returncode == 2, second.stderr
            assert str(server.pid) in second.stderr
            assert "Traceback" not in second.stderr
        writer.write(50)
        server.wait_for_events(100)
        server.stop()
    world.assert_exact(writer)


def test_a_lock_left_by_a_killed_process_hinders_nobody(world: World) -> None:
    """Fault 30. Guard: the lock is the kernel's, not a file's existence."""
    writer = world.writer()
    writer.write(50)
    with Server([world.log], world.data) as server:
        server.wait_for_events(50)
        server.signal(signal.SIGKILL)
        server.wait()
    writer.write(50)
    with Server([world.log], world.data) as server:
        server.wait_for_events(100)
        server.stop()
    world.assert_exact(writer)


@pytest.mark.parametrize("damage", ["header", "middle", "empty"])
def test_a_corrupt_database_is_set_aside_and_reading_starts_anew(world: World, damage: str) -> None:
    """Fault 31. Guard: a database that cannot be opened is moved away, never deleted, and said so."""
    writer = world.writer()
    writer.write(5_000)
    with Server([world.log], world.data) as server:
        server.wait_for_events(5_000)
        server.stop()
    database = next(world.data.glob("*.duckdb"))
    size = database.stat().st_size
    with database.open("r+b") as file:
        match damage:
            case "empty":
                file.truncate(0)
            case "header":
                file.write(os.urandom(12_288))
            case _:
                file.seek(12_288)
                file.write(os.urandom(size - 12_288))
    writer.write(10)
    with Server([world.log], world.data) as server:
        server.wait_for_events(len(writer.written))
        server.stop()
    assert list(world.data.glob("*corrupt*"))
    world.assert_exact(writer)
