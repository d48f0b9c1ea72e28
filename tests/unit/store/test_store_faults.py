"""The DuckDB store against kills, full disks, failing devices and damaged files; real processes, real calls."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.events import START, SettableClock, numbered_events
from vedette.model.batches import CommitBatch
from vedette.model.errors import StoreBroken, StoreError, StoreLocked
from vedette.model.health import HealthState
from vedette.model.query import MATCH_ALL
from vedette.store import DuckDbStore

TESTS = Path(__file__).resolve().parents[2]
ROWS = 40
DURABLE = "pwrite64,write,fdatasync,fsync,unlink,rename,ftruncate"

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
needs_namespaces = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode != 0,
    reason="user namespaces are not available",
)


class Writer:
    """A process that commits; its lines are read as they come."""

    def __init__(self, folder: Path, *, batches: int = 100_000, rows: int = ROWS, before: tuple[str, ...] = ()) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [*before, sys.executable, "-m", "support.store_writer", str(folder), str(batches), str(rows)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TESTS,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *filter(None, sys.path)))},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, start: str, count: int = 1) -> None:
        """Until so many lines begin like this."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: sum(line.startswith(start) for line in self.lines) >= count or not self._reader.is_alive(), 60
            )
        assert found, self.lines[-20:]
        assert sum(line.startswith(start) for line in self.lines) >= count, self.lines[-20:]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)

    def ended(self) -> int:
        """Its return code, negative for a signal."""
        code = self._process.wait(60)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    @property
    def acknowledged(self) -> int:
        """How many batches were said to be durable, counted from the first of all."""
        acks = [int(line.split()[1]) for line in self.lines if line.startswith("ack ")]
        return acks[-1] + 1 if acks else 0


def open_store(folder: Path) -> DuckDbStore:
    return DuckDbStore.open(folder / "events.duckdb", clock=SettableClock())


def assert_exactly_once(folder: Path, acknowledged: int, rows: int = ROWS) -> int:
    """Whole commits only, none twice, none that was acknowledged missing; how many there are."""
    store = open_store(folder)
    try:
        positions = store.positions("auth")
        commits = positions[0].offset if positions else 0
        assert commits >= acknowledged
        stored = store.frames_after(0, store.next_seq(), limit=10_000_000)["event.original"].to_list()
        assert stored == [f"line {number}" for number in range(commits * rows)]
        assert store.ledger().get("auth", {}).get("stored", 0) == commits * rows
        assert store.next_seq() == 1 + commits * rows
        return commits
    finally:
        store.close()


@pytest.mark.slow
def test_killed_at_any_time_every_acknowledged_commit_is_there_once(tmp_path: Path) -> None:
    for wanted in (1, 3, 10, 40, 5, 80):
        writer = Writer(tmp_path)
        writer.wait_for("ack", wanted)
        writer.kill()
        assert writer.ended() == -signal.SIGKILL
        assert_exactly_once(tmp_path, writer.acknowledged)


@pytest.mark.slow
@needs_strace
def test_killed_at_a_system_call_every_acknowledged_commit_is_there_once(tmp_path: Path) -> None:
    kills = 0
    for call, number in [("fdatasync", 1), ("fsync", 2), ("pwrite64", 3), ("write", 9), ("write", 30), ("fsync", 12)]:
        inject = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={number}")
        writer = Writer(tmp_path, batches=60, before=inject)
        kills += writer.ended() == -signal.SIGKILL
        known = assert_exactly_once(tmp_path, writer.acknowledged)
        if known == 60:
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
    assert kills >= 3


@pytest.mark.slow
@needs_strace
def test_killed_anywhere_in_its_first_start_the_next_one_succeeds(tmp_path: Path) -> None:
    kills = 0
    calls = f"openat,{DURABLE}"
    for number in (*range(1, 12), 15, 20, 30, 45):
        folder = tmp_path / str(number)
        folder.mkdir()
        inject = ("strace", "-f", "-qq", "-o", "/dev/null", *paths_of(folder),
                  "-e", f"inject={calls}:signal=KILL:when={number}")  # fmt: skip
        kills += Writer(folder, batches=0, before=inject).ended() == -signal.SIGKILL
        assert_exactly_once(folder, 0)
        assert not list(folder.glob("*.new*"))
        assert not list(folder.glob("*corrupt*"))
    assert kills >= 8


def paths_of(folder: Path) -> list[str]:
    """Let strace look only at calls on the store's files."""
    names = ("events.duckdb", "events.duckdb.new", "events.duckdb.new.wal", "events.duckdb.wal")
    return [word for path in (folder, *map(folder.joinpath, names)) for word in ("-P", str(path))]


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize(
    ("call", "when"), [("fsync", "2..3"), ("fdatasync", "2..30+7"), ("pwrite64", "2..30+7"), ("write", "2..30+7")]
)
def test_after_a_failed_call_the_same_commit_is_repeated_and_kept_once(tmp_path: Path, call: str, when: str) -> None:
    open_store(tmp_path).close()
    inject = ("strace", "-f", "-qq", "-o", "/dev/null", *paths_of(tmp_path),
              "-e", f"inject={call}:error=EIO:when={when}")  # fmt: skip
    writer = Writer(tmp_path, batches=30, before=inject)
    writer.ended()
    assert "done" in writer.lines[-1], writer.lines[-20:]
    assert any("store_reopening" in line for line in writer.lines), "the fault did not happen"
    assert assert_exactly_once(tmp_path, 30) == 30


class SmallDisk:
    """A tmpfs in a namespace of its own: `inside` begins the command lines of those who see it at `folder`."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        folder.mkdir()
        self.folder = folder
        script = f"mount -t tmpfs -o size={megabytes}m tmpfs '{folder}' && echo mounted && read line"
        self._holder = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "mounted\n"
        self._seen_from_outside = Path(f"/proc/{self._holder.pid}/root{folder}")

    @property
    def inside(self) -> tuple[str, ...]:
        return ("nsenter", "--preserve-credentials", "-U", "-m", "-t", str(self._holder.pid))

    def fill(self, megabytes: int = 1_000) -> None:
        """Write so much, or until nothing is left."""
        with (self._seen_from_outside / "filler").open("wb", buffering=0) as filler:
            try:
                for _ in range(megabytes << 8):
                    filler.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        (self._seen_from_outside / "filler").unlink()

    def copy_to(self, folder: Path) -> Path:
        shutil.copytree(self._seen_from_outside, folder)
        return folder

    def close(self) -> None:
        self._holder.communicate("\n")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    disk = SmallDisk(folder, megabytes)
    try:
        yield disk
    finally:
        disk.close()


@pytest.mark.slow
@needs_namespaces
def test_a_full_disk_stops_commits_and_space_resumes_them(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        writer = Writer(disk.folder, batches=60, rows=2_000, before=disk.inside)
        writer.wait_for("ack", 2)
        disk.fill()
        writer.wait_for("refused StoreFull", 5)
        disk.free()
        assert writer.ended() == 0, writer.lines[-20:]
        assert writer.lines[-2:] == ["health ok", "done"]
        assert assert_exactly_once(disk.copy_to(tmp_path / "copy"), 60, rows=2_000) == 60


@pytest.mark.slow
@needs_namespaces
def test_a_disk_that_fills_within_a_commit_leaves_it_repeatable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        disk.fill(20)
        writer = Writer(disk.folder, batches=2, rows=60_000, before=disk.inside)
        writer.wait_for("refused StoreFull no space", 2)
        disk.free()
        assert writer.ended() == 0, writer.lines[-20:]
        assert writer.lines[-2:] == ["health ok", "done"]
        assert assert_exactly_once(disk.copy_to(tmp_path / "copy"), 2, rows=60_000) == 2


@pytest.mark.parametrize("damage", ["header", "middle", "empty", "text"])
def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(tmp_path: Path, damage: str) -> None:
    store = open_store(tmp_path)
    epoch = store.epoch
    store.commit(CommitBatch(numbered_events(2_000)))
    store.close()
    path = tmp_path / "events.duckdb"
    content = bytearray(path.read_bytes())
    if damage == "header":
        content[:4096] = os.urandom(4096)
    elif damage == "middle":
        content[12_288:] = os.urandom(len(content) - 12_288)
    path.write_bytes({"empty": b"", "text": b"hello"}.get(damage, bytes(content)))
    store = open_store(tmp_path)
    try:
        assert store.count(MATCH_ALL) == 0
        assert store.epoch != epoch
        assert [aside.stat().st_size > 0 or damage == "empty" for aside in tmp_path.glob("*.corrupt-*")] == [True]
        health = store.health()
        assert health.state is HealthState.DEGRADED
        assert "corrupt-" in health.reason
        (note,) = store.notes()
        assert (note.kind, note.at) == ("replaced", START)
        store.commit(CommitBatch(numbered_events(5)))
    finally:
        store.close()
    again = open_store(tmp_path)
    assert (again.count(MATCH_ALL), again.health().state) == (5, HealthState.OK)
    again.close()


def killed_with_wal(folder: Path, checkpointed: int, behind: int) -> None:
    """A store whose process died with commits in the write-ahead file."""
    store = open_store(folder)
    store.commit(CommitBatch(numbered_events(checkpointed)))
    store.close()
    program = (
        "import os; from support.store_writer import *\n"
        f"store = DuckDbStore.open(Path({str(folder)!r}) / 'events.duckdb', clock=SystemClock())\n"
        f"for n in range({behind}): store.commit(CommitBatch(numbered_events(10, first={checkpointed} + n * 10)))\n"
        "os._exit(0)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *filter(None, sys.path)))}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_torn_write_ahead_file_gives_its_whole_commits(tmp_path: Path) -> None:
    killed_with_wal(tmp_path, 100, 20)
    wal = tmp_path / "events.duckdb.wal"
    os.truncate(wal, wal.stat().st_size - 7)
    store = open_store(tmp_path)
    assert store.count(MATCH_ALL) == 100 + 19 * 10
    assert store.health().state is HealthState.OK
    store.close()


def test_a_damaged_write_ahead_file_gives_the_commits_before_the_damage(tmp_path: Path) -> None:
    killed_with_wal(tmp_path, 100, 20)
    wal = tmp_path / "events.duckdb.wal"
    content = bytearray(wal.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = os.urandom(400)
    wal.write_bytes(bytes(content))
    store = open_store(tmp_path)
    stored = store.frames_after(0, store.next_seq(), limit=1_000)["event.original"].to_list()
    assert stored == [f"line {number}" for number in range(len(stored))]
    assert 100 <= len(stored) < 300
    assert len(stored) % 10 == 0
    assert store.next_seq() == len(stored) + 1
    store.close()


def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    try:
        writer.wait_for("ack")
        with pytest.raises(StoreLocked, match="in use"):
            open_store(tmp_path)
    finally:
        writer.kill()
        writer.ended()


def test_a_folder_without_permission_is_an_error_and_nothing_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises((StoreError, StoreBroken)):
        DuckDbStore.open(tmp_path / "missing" / "events.duckdb", clock=SettableClock())
    assert list(tmp_path.iterdir()) == []
