"""History is read once, to the end, and again only as far as it is new."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Sequence
from datetime import UTC, datetime
from os import utime
from pathlib import Path
from typing import Any

import zstandard

from support.logfiles import kinds_of, positions_of, texts_of
from vedette.model.entries import EntryBatch, EntryFlag
from vedette.model.positions import Position
from vedette.sources import FileHistory, LogFileMonitor, LogSourceConfig
from vedette.sources.files.scanner import FileScanner


def config_of(*paths: Path, **settings: Any) -> LogSourceConfig:
    return LogSourceConfig(paths=tuple(map(str, paths)), **{"id": "history", **settings})


def imported(*paths: Path, resume: Sequence[Position] = (), **settings: Any) -> list[EntryBatch]:
    return list(FileHistory(config_of(*paths, **settings)).batches(resume))


def stored(batches: list[EntryBatch]) -> list[Position]:
    return list(positions_of(batches).values())


def test_every_kind_of_file_in_a_folder_is_read_oldest_first(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"5\n")
    (tmp_path / "app.log.1").write_bytes(b"4\n")
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(b"3\n"))
    (tmp_path / "app.log.3.xz").write_bytes(lzma.compress(b"2\n"))
    (tmp_path / "app.log.4.bz2").write_bytes(bz2.compress(b"1\n"))
    (tmp_path / "app.log.5.zst").write_bytes(zstandard.compress(b"0\n"))
    assert texts_of(imported(tmp_path)) == ["0", "1", "2", "3", "4", "5"]


def test_importing_twice_gives_nothing_new_and_a_grown_file_its_rest(tmp_path: Path) -> None:
    app = tmp_path / "app.log"
    app.write_bytes(b"one\ntwo\n")
    first = imported(app)
    assert texts_of(imported(app, resume=stored(first))) == []
    with app.open("ab") as file:
        file.write(b"three\n")
    assert texts_of(imported(app, resume=stored(first))) == ["three"]


def test_a_file_that_was_compressed_since_is_recognised(tmp_path: Path) -> None:
    app = tmp_path / "app.log"
    app.write_bytes(b"one\ntwo\n")
    first = imported(app)
    app.unlink()
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(b"one\ntwo\nthree\n"))
    assert texts_of(imported(tmp_path, resume=stored(first))) == ["three"]


def test_an_interrupted_import_goes_on_where_it_was(tmp_path: Path) -> None:
    lines = [f"line {number} of many" for number in range(5000)]
    (tmp_path / "app.log.gz").write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    from vedette.sources import MonitoringConfig

    monitoring = MonitoringConfig(read_block_bytes=8192)
    config = config_of(tmp_path / "app.log.gz")
    whole = list(FileHistory(config, monitoring).batches(()))
    for kept in (1, 3, len(whole) - 1):
        done = whole[:kept]
        rest = list(FileHistory(config, monitoring).batches(stored(done)))
        assert texts_of([*done, *rest]) == lines


def test_a_last_line_without_end_is_a_record_and_is_marked(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"one\ntwo")
    batches = imported(tmp_path / "app.log")
    assert texts_of(batches) == ["one", "two"]
    assert batches[-1].frame["flags"].to_list() == [EntryFlag.UNFINISHED]
    assert texts_of(imported(tmp_path / "app.log", resume=stored(batches))) == []


def test_stamps_without_a_year_refer_to_the_time_the_file_was_changed(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"one\n")
    changed = datetime(2019, 5, 4, tzinfo=UTC)
    utime(tmp_path / "app.log", (changed.timestamp(), changed.timestamp()))
    assert [batch.reference_time for batch in imported(tmp_path / "app.log")] == [changed]


def test_a_damaged_file_gives_what_is_readable_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"".join(b"%d\n" % n for n in range(100_000)))[:50_000])
    (tmp_path / "b.log").write_bytes(b"fine\n")
    (tmp_path / "c.log").write_bytes(b"\x7fELF\2\1\1\0\0")
    history = FileHistory(config_of(tmp_path, tmp_path / "missing.log"))
    batches = list(history.batches(()))
    texts = texts_of(batches)
    assert texts[:3] == ["0", "1", "2"]
    assert "fine" in texts
    assert kinds_of(batches) == ["unreadable"] * 2
    assert any("ends too early" in problem for problem in history.problems)
    assert ["a program, not text" in problem for problem in history.left_out] == [True]
    assert any("missing.log' does not exist" in problem for problem in history.problems)


def test_a_binary_file_that_was_named_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "c.log").write_bytes(b"\x7fELF\2\1\1\0\0")
    history = FileHistory(config_of(tmp_path / "c.log"))
    assert kinds_of(list(history.batches(()))) == ["unreadable"]
    assert ["a program, not text" in problem for problem in history.problems] == [True]


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n" * 1000)
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(b"two\n" * 1000))
    history = FileHistory(config_of(tmp_path))
    seen = [history.progress.done_bytes for _ in history.batches(())]
    assert seen == sorted(seen)
    assert history.progress.done_bytes == history.progress.total_bytes > 4000
    assert (history.progress.files, history.progress.files_done) == (2, 2)


async def test_standard_input_is_read_to_its_end() -> None:
    history = FileHistory(LogSourceConfig(paths=("-",)), stdin=io.BytesIO(b"one\r\n\ntwo"))
    batches = [batch async for batch in history.read(())]
    assert texts_of(batches) == ["one", "two"]
    assert all(batch.position is None and batch.path == "-" for batch in batches)


def test_following_goes_on_where_an_import_of_the_same_path_ended(tmp_path: Path) -> None:
    app = tmp_path / "app.log"
    app.write_bytes(b"one\n")
    config = LogSourceConfig(paths=(str(app),))
    first = list(FileHistory(config).batches(()))
    with app.open("ab") as file:
        file.write(b"two\n")
    assert LogFileMonitor(LogSourceConfig(paths=(str(app),))).id == FileHistory(config).id
    scanner = FileScanner(config, None, stored(first))
    assert texts_of(scanner.step().batches) == ["two"]
    scanner.close()
