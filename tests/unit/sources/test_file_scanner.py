"""Each fault that files can have, one step at a time."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.logfiles import SteppedClock, kinds_of, positions_of, texts_of, wait_for_a_new_stamp
from vedette.model.entries import EntryBatch, EntryFlag
from vedette.model.positions import Position
from vedette.sources.config import LogSourceConfig, MonitoringConfig
from vedette.sources.files.scanner import FileScanner


class Following:
    """A scanner on a folder, restarted at will; `stored` is what a store would hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SteppedClock()
        self.batches: list[EntryBatch] = []
        self.stored: dict[int, Position] = {}
        self.scanner: FileScanner | None = None

    def begin(self, *paths: Path, block: int = 1 << 16, **settings: Any) -> None:
        self.stop()
        config = LogSourceConfig(paths=tuple(map(str, paths)) or (str(self.folder / "app.log"),), **settings)
        monitoring = MonitoringConfig(read_block_bytes=block, rotation_grace=timedelta(seconds=60))
        self.scanner = FileScanner(config, monitoring, list(self.stored.values()), clock=self.clock)

    def read(self, *, seconds: float = 3.0) -> list[str]:
        """What is new, after some time has passed."""
        assert self.scanner is not None
        self.clock.seconds += seconds
        new: list[EntryBatch] = []
        while (step := self.scanner.step()).is_busy or step.batches:
            new += step.batches
        self.batches += new
        self.stored |= positions_of(new)
        return texts_of(new)

    def stop(self) -> None:
        if self.scanner is not None:
            self.scanner.close()
            self.scanner = None

    @property
    def notes(self) -> list[str]:
        return kinds_of(self.batches)


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    each = Following(tmp_path)
    yield each
    each.stop()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_a_partial_last_line_waits_for_its_end_also_over_a_restart(following: Following, app: Path) -> None:
    append(app, "one\ntw")
    following.begin()
    assert following.read() == ["one"]
    following.begin()
    assert following.read() == []
    append(app, "o\nthree\n")
    assert following.read() == ["two", "three"]


def test_a_partial_last_line_is_given_out_marked_after_the_idle_flush(following: Following, app: Path) -> None:
    append(app, "one\ntw")
    following.begin(idle_flush=5)
    assert following.read() == ["one"]
    assert following.read(seconds=6) == ["tw"]
    assert following.batches[-1].frame["flags"].to_list() == [EntryFlag.UNFINISHED]
    append(app, "o\n")
    assert following.read() == ["o"]


def test_an_empty_line_is_counted_and_is_no_entry(following: Following, app: Path) -> None:
    append(app, "one\n\n\r\ntwo\n")
    following.begin()
    assert following.read() == ["one", "two"]
    assert following.batches[-1].counts == {"read": 4, "blank": 2, "bytes": 11}


def test_start_at_the_end_skips_what_is_there_but_not_what_comes(following: Following, app: Path) -> None:
    append(app, "old\nhalf")
    following.begin(start="end")
    assert following.read() == []
    append(app, " a line\nnew\n")
    assert following.read() == ["half a line", "new"]
    append(app, "while away\n")
    following.begin(start="end")
    assert following.read() == ["while away"]


def test_a_file_that_comes_later_is_read_from_its_beginning_even_with_start_at_the_end(
    following: Following, tmp_path: Path
) -> None:
    following.begin(tmp_path, start="end")
    assert following.read() == []
    append(tmp_path / "late.log", "first\n")
    assert following.read() == ["first"]


def test_a_renamed_file_is_finished_before_its_successor(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin()
    following.read()
    append(app, "two\n")
    app.rename(f"{app}.1")
    append(app, "three\n")
    append(Path(f"{app}.1"), "late\n")
    assert following.read() == ["two", "late", "three"]
    append(Path(f"{app}.1"), "later\n")
    assert following.read() == ["later"]


def test_an_unfinished_line_of_a_rotated_file_is_given_out_when_its_end_is_believed(
    following: Following, app: Path
) -> None:
    append(app, "one\nhal")
    following.begin()
    following.read()
    app.rename(f"{app}.1")
    append(app, "two\n")
    assert following.read() == ["two"]
    assert following.read(seconds=61) == ["hal"]
    finished = [position for position in following.stored.values() if position.is_finished]
    assert [position.offset for position in finished] == [7]


def test_files_rotated_several_times_while_stopped_are_read_oldest_first(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin()
    following.read()
    following.stop()
    append(app, "two\n")
    with app.open("rb") as plain, gzip.open(f"{app}.3.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    app.unlink()
    append(Path(f"{app}.2"), "three\n")
    append(Path(f"{app}.1"), "four\n")
    append(app, "five\n")
    following.begin()
    assert following.read() == ["two", "three", "four", "five"]
    following.begin()
    assert following.read() == []


def test_rotated_files_are_not_read_when_a_source_is_first_seen(following: Following, app: Path) -> None:
    append(Path(f"{app}.1"), "old\n")
    append(app, "new\n")
    following.begin()
    assert following.read() == ["new"]


def test_copytruncate_loses_nothing_that_the_copy_holds(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin()
    following.read()
    append(app, "two\n")
    shutil.copyfile(app, f"{app}.1")
    os.truncate(app, 0)
    append(app, "three\n")
    assert following.read() == ["two", "three"]
    assert following.notes == []


@pytest.mark.parametrize("is_running", [True, False])
def test_copytruncate_in_a_followed_folder_gives_the_copy_out_once(
    following: Following, app: Path, is_running: bool
) -> None:
    append(app, "one\ntwo\n")
    following.begin(app.parent)
    assert following.read() == ["one", "two"]
    shutil.copyfile(app, f"{app}.1")
    if is_running:
        assert following.read() == []
    else:
        following.stop()
    append(Path(f"{app}.1"), "three\n")
    os.truncate(app, 0)
    append(app, "four\n")
    if not is_running:
        following.begin(app.parent)
    assert following.read() == ["three", "four"]


def test_lines_read_after_the_copy_was_made_are_not_read_again_from_it(following: Following, app: Path) -> None:
    append(app, "x" * 2000 + "\n")
    following.begin()
    following.read()
    shutil.copyfile(app, f"{app}.1")
    append(app, "written between copy and truncation\n")
    assert following.read() == ["written between copy and truncation"]
    os.truncate(app, 0)
    append(app, "after\n")
    assert following.read() == ["after"]


@pytest.mark.parametrize("grown", ["new\n", "new content, longer than what was there before\n"])
@pytest.mark.parametrize("is_running", [True, False])
def test_truncated_file_is_read_from_its_start_as_a_new_generation(
    following: Following, app: Path, grown: str, is_running: bool
) -> None:
    append(app, "first\nsecond\n")
    following.begin()
    following.read()
    if not is_running:
        following.stop()
    os.truncate(app, 0)
    append(app, grown)
    if not is_running:
        following.begin()
    assert following.read() == [grown.strip()]
    assert following.notes in (["truncated"], ["replaced"])
    assert len(following.stored) == 2


def test_a_file_rewritten_at_the_same_size_is_noticed(following: Following, app: Path) -> None:
    append(app, "aaaa\nbbbb\n")
    following.begin()
    following.read()
    with app.open("r+b") as file:
        file.truncate(0)
        file.write(b"cccc\ndddd\n")
    assert following.read() == ["cccc", "dddd"]


def test_truncation_tells_how_much_was_lost(following: Following, app: Path) -> None:
    append(app, "x" * 10_000 + "\n")
    following.begin(block=4096)
    assert following.scanner is not None
    following.batches += following.scanner.step().batches
    os.truncate(app, 0)
    following.read()
    notes = [note for batch in following.batches for note in batch.notes]
    assert [note.kind for note in notes] == ["truncated"]
    assert notes[0].bytes_lost == 10_001 - 8192


def test_a_new_file_with_the_inode_of_the_old_one_is_a_new_generation(following: Following, app: Path) -> None:
    append(app, "old content of this inode\n")
    following.begin()
    following.read()
    following.stop()
    inode = app.stat().st_ino
    app.unlink()
    for number in range(50):
        candidate = app.with_name(f"candidate{number}")
        append(candidate, "new content in the old inode\n")
        if candidate.stat().st_ino == inode:
            candidate.rename(app)
            break
    else:
        pytest.skip("this file system does not reuse inodes at once")
    following.begin()
    assert following.read() == ["new content in the old inode"]
    assert following.notes == ["replaced"]


def test_a_hundred_files_with_the_same_beginning_and_empty_ones_are_told_apart(
    following: Following, tmp_path: Path
) -> None:
    head = "the same header in every file\n" * 40
    for number in range(100):
        append(tmp_path / f"f{number:02}.log", head if number % 2 else "")
    following.begin(tmp_path)
    assert len(following.read()) == 50 * 40
    following.begin(tmp_path)
    for number in range(100):
        append(tmp_path / f"f{number:02}.log", f"line of {number}\n")
    assert sorted(following.read()) == sorted(f"line of {number}" for number in range(100))
    assert len(following.stored) == 100


def test_a_renamed_file_in_a_followed_folder_keeps_its_position_under_any_name(
    following: Following, tmp_path: Path
) -> None:
    append(tmp_path / "a.log", "one\n")
    following.begin(tmp_path)
    following.read()
    (tmp_path / "a.log").rename(tmp_path / "kept.txt")
    append(tmp_path / "kept.txt", "two\n")
    assert following.read() == ["two"]
    following.stop()
    (tmp_path / "kept.txt").rename(tmp_path / "again.txt")
    append(tmp_path / "again.txt", "three\n")
    following.begin(tmp_path)
    assert following.read() == ["three"]


def test_a_symlink_that_is_pointed_elsewhere_leads_to_a_new_generation(following: Following, tmp_path: Path) -> None:
    append(tmp_path / "day1", "one\n")
    append(tmp_path / "day2", "two\n")
    link = tmp_path / "current"
    link.symlink_to("day1")
    following.begin(link)
    assert following.read() == ["one"]
    append(tmp_path / "day1", "late\n")
    link.unlink()
    link.symlink_to("day2")
    assert following.read() == ["late", "two"]


def test_a_file_that_disappears_and_returns_is_picked_up(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin()
    following.read()
    app.unlink()
    following.read(seconds=61)
    append(app, "back\n")
    assert following.read() == ["back"]
    assert "disappeared" in following.notes
    assert following.notes[-1] == "resumed"


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of a user who may not read everything, also where the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    yield folder
    if is_root:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_a_file_without_permission_is_told_and_read_when_it_may_be(as_nobody: Path) -> None:
    following = Following(as_nobody)
    append(as_nobody / "secret.log", "one\n")
    append(as_nobody / "open.log", "two\n")
    (as_nobody / "secret.log").chmod(0)
    following.begin(as_nobody / "secret.log", as_nobody / "open.log")
    assert following.read() == ["two"]
    assert following.notes == ["unreadable"]
    (as_nobody / "secret.log").chmod(0o600)
    assert following.read() == ["one"]
    (as_nobody / "secret.log").chmod(0)
    append(as_nobody / "open.log", "three\n")
    assert following.read() == ["three"]
    following.stop()


def test_a_folder_where_a_file_was_meant_does_not_stop_the_others(following: Following, tmp_path: Path) -> None:
    (tmp_path / "app.log").mkdir()
    append(tmp_path / "other.log", "one\n")
    following.begin(tmp_path / "app.log", tmp_path / "other.log", tmp_path / "missing.log")
    assert following.read() == ["one"]
    assert following.scanner is not None
    assert any("missing.log' does not exist" in problem for problem in following.scanner.problems)
    (tmp_path / "app.log").rmdir()
    append(tmp_path / "app.log", "now a file\n")
    assert following.read() == ["now a file"]


@pytest.mark.parametrize("start", [b"\x7fELF\2\1\1", b"LPKSHHRH", b"SQLite format 3\0", b"\x1f\x8b\x08"])
def test_a_binary_file_is_told_and_not_read(following: Following, app: Path, start: bytes) -> None:
    append(app, start + bytes(range(256)) * 8)
    following.begin()
    assert following.read() == []
    assert following.notes == ["unreadable"]
    assert following.scanner is not None
    assert [each.state for each in following.scanner.files()] == ["not text"]


@pytest.mark.parametrize("size", [1_000_000, 10_000_000])
def test_a_long_line_is_cut_and_hashed_and_the_next_one_is_intact(following: Following, app: Path, size: int) -> None:
    append(app, "before\n" + "x" * size + "\nafter\n")
    following.begin(max_line_bytes=4096)
    assert following.read() == ["before", "x" * 4096, "after"]
    frame = following.batches[-1].frame
    cut = frame.filter(frame["hash"].is_not_null())
    assert cut["flags"].to_list() == [EntryFlag.CUT]
    assert cut["length"].to_list() == [size + 1]
    assert cut["hash"].to_list() == [hashlib.sha256(b"x" * size + b"\n").hexdigest()]


def test_a_gigabyte_without_a_line_end_needs_little_memory(following: Following, app: Path) -> None:
    import resource

    with app.open("wb") as file:
        file.write(b"x")
        file.truncate(1 << 30)
        file.seek(1 << 30)
        file.write(b"\nnext\n")
    following.begin(block=4 << 20, max_line_bytes=1 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert [len(text) for text in following.read()] == [1 << 20, 4]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_a_hole_is_counted_and_the_line_behind_it_is_intact(following: Following, app: Path) -> None:
    append(app, "before\n")
    with app.open("r+b") as file:
        file.seek(50_000_007)
        file.write(b"behind the hole\n\0nul\0 within\0\n")
    following.begin(max_line_bytes=4096)
    assert following.read() == ["before", "behind the hole", "\0nul\0 within\0"]
    assert sum(batch.counts.get("hole_bytes", 0) for batch in following.batches) == 50_000_000
    offsets = [offset for batch in following.batches for offset in batch.frame["offset"]]
    assert offsets == [0, 50_000_007, 50_000_023]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("wish", [None, "utf-16"])
def test_utf16_is_found_out_and_survives_a_restart(
    following: Following, app: Path, encoding: str, wish: str | None
) -> None:
    append(app, "eins zwei\r\nдва ਊ\n".encode(encoding))
    if wish and encoding == "utf-16-be":
        wish = "utf-16-be"
    following.begin(encoding=wish)
    assert following.read() == ["eins zwei", "два ਊ"]
    following.begin(encoding=wish)
    append(app, "three 🎉\n".encode("utf-16-be" if encoding == "utf-16-be" else "utf-16-le"))
    assert following.read() == ["three 🎉"]


def test_a_backlog_does_not_keep_other_files_waiting(following: Following, tmp_path: Path) -> None:
    append(tmp_path / "big.log", "0123456789abcde\n" * 100_000)
    append(tmp_path / "small.log", "small\n")
    following.begin(tmp_path / "big.log", tmp_path / "small.log", block=65_536)
    assert following.scanner is not None
    first = following.scanner.step()
    assert first.is_busy
    assert "small" in texts_of(first.batches)
    assert sum(batch.size_bytes for batch in first.batches) < 2_000_000


def test_many_rotations_between_two_looks_lose_nothing(following: Following, app: Path) -> None:
    append(app, "line 0\n")
    following.begin()
    assert following.read() == ["line 0"]
    for number in range(1, 8):
        append(app, f"line {number}\n")
        for old in range(number, 0, -1):
            source = Path(f"{app}.{old - 1}") if old > 1 else app
            source.rename(f"{app}.{old}")
        append(app, f"start {number}\n")
    texts = following.read()
    assert texts == [
        "line 1",
        *(text for number in range(1, 7) for text in (f"start {number}", f"line {number + 1}")),
        "start 7",
    ]


def test_only_changes_that_may_concern_a_source_wake_it(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin(app)
    following.read()
    assert following.scanner is not None
    concerns = following.scanner.prefixes
    assert str(app).startswith(concerns)
    assert f"{app}.1".startswith(concerns)
    assert str(app.with_name("app-2026-01-04.log")).startswith(concerns)
    assert not str(app.with_name("other.log")).startswith(concerns)
    following.begin(app.parent)
    following.read()
    assert following.scanner is not None
    assert str(app.with_name("other.log")).startswith(following.scanner.prefixes)


class StaleContent:
    """A handle whose file is gone from the server, as NFS has it."""

    is_compressed = False

    def __init__(self, facts: Callable[[], Any]) -> None:
        self._facts = facts

    def facts(self) -> Any:
        return self._facts()

    def read_at(self, offset: int, size: int) -> bytes:
        from vedette.model.errors import SourceError

        raise SourceError(f"cannot be read at byte {offset}: Stale file handle")

    def close(self) -> None: ...


def test_a_stale_handle_is_opened_again_and_reading_goes_on(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin()
    assert following.read() == ["one"]
    append(app, "two\n")
    assert following.scanner is not None
    reader = next(iter(following.scanner._readers.values()))
    good, reader.content = reader.content, StaleContent(reader.content.facts)
    assert following.read() + following.read() == ["two"]
    assert "unreadable" in following.notes
    good.close()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_new_file_that_is_the_beginning_of_an_older_one_is_no_copy_of_it(
    following: Following, app: Path, is_running: bool
) -> None:
    append(app, "the same\nother\n")
    following.begin()
    assert following.read() == ["the same", "other"]
    if not is_running:
        following.stop()
    app.rename(f"{app}.2")
    append(Path(f"{app}.1"), "the same\n")
    append(app, "new\n")
    if not is_running:
        following.begin()
    assert following.read() == ["the same", "new"]


def test_an_older_file_that_is_like_the_live_one_is_no_copy_of_it(following: Following, app: Path) -> None:
    append(app, "one\n")
    following.begin()
    assert following.read() == ["one"]
    following.stop()
    app.rename(f"{app}.2")
    append(Path(f"{app}.1"), "the same\n")
    wait_for_a_new_stamp(Path(f"{app}.1"))
    append(app, "the same\n")
    following.begin()
    assert following.read() == ["the same", "the same"]


def test_a_log_that_says_the_same_every_day_is_read_every_day(following: Following, app: Path) -> None:
    append(app, "backup done\n")
    following.begin()
    assert following.read() == ["backup done"]
    app.rename(f"{app}.1")
    append(app, "x\n")
    assert following.read(seconds=90) == ["x"]
    assert following.read(seconds=90) == []
    following.stop()
    assert any(position.is_finished for position in following.stored.values())
    app.rename(f"{app}.2")
    Path(f"{app}.1").unlink()
    append(Path(f"{app}.1"), "backup done\n")
    append(app, "y\n")
    following.begin()
    assert following.read() == ["backup done", "y"]
