"""Faults 1 and 2: killed at any moment, most of them chosen as a system call.

`VEDETTE_FAULT_KILLS` (200) is the number of kills that must have happened for fault 1,
`VEDETTE_FAULT_FIRST_STARTS` (24) the number of first starts killed for fault 2.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from support.kills import DURABILITY_CALLS, FILE_CALLS, injected, needs_strace
from support.process import SECONDS, wait_until
from support.world import World
from support.writer import LogWriter
from support.zygote import Fork, Zygote

KILLS = int(os.environ.get("VEDETTE_FAULT_KILLS", "200"))
FIRST_STARTS = int(os.environ.get("VEDETTE_FAULT_FIRST_STARTS", "24"))
IMPORT_KILLS = max(6, KILLS // 20)
WORLDS = 2
MODULES = (
    "alembic.command", "duckdb", "fastapi", "httpx", "polars", "psutil", "pydantic_settings", "rich.table",
    "sqlalchemy.orm", "structlog", "typer", "uvicorn", "watchdog.observers", "websockets", "yaml",
    "vedette.cli.main", "vedette.detection", "vedette.formats", "vedette.live", "vedette.settings", "vedette.sources",
)  # fmt: skip
"""What a zygote imports: the outside and such of our parts as start no thread when imported."""


class Typist(threading.Thread):
    """Writes and rotates all the while, in a pace that leaves time for commits."""

    def __init__(self, writer: LogWriter, seed: int) -> None:
        super().__init__()
        self.writer = writer
        self._done = threading.Event()
        self._chance = random.Random(seed)

    def run(self) -> None:
        while not self._done.wait(self._chance.choice((0.005, 0.02, 0.05))):
            self.writer.write(self._chance.choice((1, 2, 10)))
            if self._chance.random() < 0.01:
                self.writer.rotate()

    def stop(self) -> None:
        self._done.set()
        self.join()


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(600 + 10 * (KILLS + FIRST_STARTS))
def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Fault 1. Guard: events and positions become true in one transaction, flushed before it is told."""
    shares = [KILLS // WORLDS + (number < KILLS % WORLDS) for number in range(WORLDS)]
    folders = [tmp_path / f"world-{number}" for number in range(WORLDS)]
    with ThreadPoolExecutor(WORLDS) as pool:
        happened = sum(pool.map(torment, folders, shares, range(WORLDS)))
    assert happened >= KILLS


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(600 + 10 * (KILLS + FIRST_STARTS))
def test_a_first_start_killed_anywhere_is_repeated_unaided(tmp_path: Path) -> None:
    """Fault 2. Guard: the database is made under another name and renamed when it is whole."""
    numbers = sorted({1 + round(199 * index / max(1, FIRST_STARTS - 1)) for index in range(FIRST_STARTS)})
    with Zygote(tmp_path, MODULES) as zygote, ThreadPoolExecutor(WORLDS) as pool:
        killed = sum(pool.map(lambda number: kill_first_start(zygote, tmp_path, number), numbers))
    assert killed >= len(numbers) // 4


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(600 + 10 * IMPORT_KILLS)
def test_an_import_killed_at_any_moment_goes_on_exactly(tmp_path: Path) -> None:
    """Fault 1, in a backlog, where several batches share a transaction. Guard: they and their positions are one commit."""
    chance = random.Random(3)
    with World(tmp_path) as world, Zygote(tmp_path, MODULES) as zygote:
        writer = world.writer()
        writer.write(400_000)
        command = ("import", world.log, "--data-dir", world.data)
        killed = 0
        for _ in range(IMPORT_KILLS):
            fork = zygote.start(*command, stopped=True)
            number = chance.randint(1, 30)
            with injected(fork, DURABILITY_CALLS, f"signal=KILL:when={number}"):
                fork.wait(chance.uniform(0.3, 2))
                fork.signal(signal.SIGKILL)
                killed += fork.wait(SECONDS) == -signal.SIGKILL
        fork = zygote.start(*command)
        assert fork.wait(SECONDS) == 0, fork.output.read_text()[-3000:]
        world.assert_exact(writer)
    assert killed >= IMPORT_KILLS // 2


def torment(folder: Path, kills: int, seed: int) -> int:
    """One world, killed many times, then left alone and compared; the kills that happened."""
    chance = random.Random(seed)
    with World(folder) as world, Zygote(folder, MODULES) as zygote:
        writer = world.writer(name=f"w{seed}", seed=seed)
        writer.write(10)
        drain(zygote, world, writer)  # a file that was rotated before anything was stored is nobody's successor
        typist = Typist(writer, seed)
        typist.start()
        try:
            for _ in range(kills):
                kill_once(zygote, world, chance)
        finally:
            typist.stop()
        drain(zygote, world, writer)
    return kills


def kill_once(zygote: Zygote, world: World, chance: random.Random) -> None:
    """Start, and kill at a random system call or at a random time."""
    is_precise = chance.random() < 0.75
    fork = serve(zygote, world, stopped=is_precise)
    number = int(chance.triangular(1, 120, 5))
    with injected(fork, DURABILITY_CALLS, f"signal=KILL:when={number}") if is_precise else nullcontext():
        fork.wait(chance.uniform(0.8, 1.8) if is_precise else chance.uniform(0.2, 1.2))
        fork.signal(signal.SIGKILL)
        status = fork.wait(SECONDS)
    assert status == -signal.SIGKILL, f"ended by itself with {status}:\n{fork.output.read_text()[-3000:]}"


def kill_first_start(zygote: Zygote, folder: Path, number: int) -> bool:
    """Kill a first start at its `number`-th system call on files, then start again; did the kill happen in time?"""
    with World(folder / f"start-{number}") as world:
        writer = world.writer()
        writer.write(50)
        fork = serve(zygote, world, stopped=True)
        with injected(fork, FILE_CALLS, f"signal=KILL:when={number}"):
            wait_until(lambda: fork.status is not None or _stored(fork) >= 50, what="the first start is over")
            was_killed = fork.status is not None
            fork.signal(signal.SIGKILL)
            status = fork.wait(SECONDS)
        assert status == -signal.SIGKILL, f"ended by itself with {status}:\n{fork.output.read_text()[-3000:]}"
        drain(zygote, world, writer)
    return was_killed


def serve(zygote: Zygote, world: World, *, stopped: bool = False) -> Fork:
    arguments = ("serve", world.log, "--from", "beginning", "--data-dir", world.data, "--port", "0")
    return zygote.start(*arguments, stopped=stopped)


def drain(zygote: Zygote, world: World, writer: LogWriter) -> None:
    """Start unharmed, wait until everything is stored, stop, compare."""
    fork = serve(zygote, world)
    wanted = len(writer.written)
    try:
        wait_until(lambda: _stored(fork) >= wanted or fork.status is not None, what=f"{wanted} events are stored")
    except AssertionError as error:
        raise AssertionError(f"{error}; {_stored(fork)} are\n{fork.output.read_text()[-3000:]}") from None
    fork.signal(signal.SIGTERM)
    assert fork.wait(SECONDS) == 0, fork.output.read_text()[-3000:]
    world.assert_exact(writer)


def _stored(fork: Fork) -> int:
    """Events stored, 0 as long as the server does not answer."""
    found = re.search(r"http://127\.0\.0\.1:\d+", fork.output.read_text())
    if found is None:
        return 0
    try:
        return int(httpx.get(f"{found[0]}/api/v1/stats", timeout=10).json()["store"]["events"])
    except (httpx.HTTPError, KeyError):
        return 0
