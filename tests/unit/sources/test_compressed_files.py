"""Packed files give what they hold, and damage is told after what was readable."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from support.evtx import event, evtx_bytes
from support.logfiles import texts_of
from vedette.model.errors import SourceUnreadable
from vedette.sources import FileHistory, LogSourceConfig
from vedette.sources.files.compressed import CompressedContent, DamagedFile, DecompressionLimits

KINDS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gz", gzip.compress),
    ("bz2", bz2.compress),
    ("xz", lzma.compress),
    ("zst", zstandard.ZstdCompressor(write_checksum=True).compress),
]
DATA = b"".join(b"%d %s\n" % (number, random.Random(number).randbytes(20).hex().encode()) for number in range(20_000))


def packed(folder: Path, suffix: str, data: bytes) -> str:
    path = folder / f"app.log.{suffix}"
    path.write_bytes(data)
    return str(path)


def read_all(content: CompressedContent, block: int) -> bytes:
    parts, offset = [], 0
    while part := content.read_at(offset, block):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
@pytest.mark.parametrize("block", [1000, 65_536, 1 << 24])
def test_every_kind_reads_back_what_was_packed(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], block: int
) -> None:
    content = CompressedContent(packed(tmp_path, suffix, compress(DATA)))
    assert read_all(content, block) == DATA
    content.raise_damage()
    assert content.read_at(5000, 10) == DATA[5000:5010]
    content.close()


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
def test_parts_packed_one_after_the_other_are_one_stream(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    content = CompressedContent(packed(tmp_path, suffix, compress(DATA) + compress(b"more\n")))
    assert read_all(content, 65_536) == DATA + b"more\n"
    content.raise_damage()
    content.close()


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
def test_a_stream_cut_off_says_so_after_what_was_readable(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(DATA)
    content = CompressedContent(packed(tmp_path, suffix, whole[: len(whole) // 2]))
    read = read_all(content, 65_536)
    assert DATA.startswith(read)
    if suffix != "bz2":  # its blocks are larger than half of this file
        assert read
    with pytest.raises(DamagedFile, match="ends too early") as caught:
        content.raise_damage()
    assert caught.value.is_cut_off
    content.close()


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
def test_a_corrupt_stream_says_so_after_what_was_readable(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    broken = bytearray(compress(DATA))
    middle = len(broken) // 2
    broken[middle : middle + 64] = bytes(64)
    content = CompressedContent(packed(tmp_path, suffix, bytes(broken)))
    read = read_all(content, 65_536)
    shared = len(DATA) // 4
    assert suffix == "bz2" or read[:shared] == DATA[:shared]
    with pytest.raises(DamagedFile):
        content.raise_damage()
    content.close()


@pytest.mark.parametrize(("suffix", "compress"), KINDS)
def test_a_bomb_is_not_unpacked_beyond_the_limits(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    limits = DecompressionLimits(max_bytes=1 << 30, max_ratio=100, free_bytes=1 << 20)
    content = CompressedContent(packed(tmp_path, suffix, compress(bytes(16 << 20))), limits)
    assert len(read_all(content, 65_536)) < 12 << 20
    with pytest.raises(DamagedFile, match="more than 100 times"):
        content.raise_damage()
    content.close()


def test_a_file_that_only_has_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="named like a compressed file"):
        CompressedContent(packed(tmp_path, "gz", b"plain text\n"))


AT = datetime(2026, 11, 23, 22, 4, 17, 123456, tzinfo=UTC)


def failed_logons(count: int) -> bytes:
    return evtx_bytes(
        [
            event(
                number,
                AT,
                event_id=4625,
                channel="Security",
                provider="Microsoft-Windows-Security-Auditing",
                computer="dc1.example.net",
                data={"TargetUserName": f"user{number}", "IpAddress": "203.0.113.9"},
            )
            for number in range(1, count + 1)
        ],
        AT,
    )


def test_a_windows_event_log_is_a_line_of_json_a_record(tmp_path: Path) -> None:
    (tmp_path / "Security.evtx").write_bytes(failed_logons(20))
    history = FileHistory(LogSourceConfig(paths=(str(tmp_path),)))
    lines = texts_of(list(history.batches(())))
    assert history.problems == history.left_out == []
    records = [json.loads(line)["Event"] for line in lines]
    assert [record["EventData"]["TargetUserName"] for record in records] == [f"user{number}" for number in range(1, 21)]
    assert {record["System"]["EventID"] for record in records} == {"4625"}


def test_a_record_of_an_event_log_that_is_damaged_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    content = bytearray(failed_logons(3))
    content[4096 + 512 + 60 : 4096 + 512 + 70] = b"\xff" * 10
    (tmp_path / "Security.evtx").write_bytes(content)
    lines = texts_of(list(FileHistory(LogSourceConfig(paths=(str(tmp_path),))).batches(())))
    assert "cannot be read" in lines[0]
    assert ["user2" in lines[1], "user3" in lines[2], len(lines)] == [True, True, 3]


@pytest.mark.parametrize("content", [b"ElfFile\0" + bytes(50), b"no event log"])
def test_what_is_only_named_like_an_event_log_is_a_problem_of_its_own(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Security.evtx").write_bytes(content)
    (tmp_path / "app.log").write_bytes(b"fine\n")
    history = FileHistory(LogSourceConfig(paths=(str(tmp_path),)))
    assert texts_of(list(history.batches(()))) == ["fine"]
    assert len(history.problems) == 1


def test_without_the_extra_an_event_log_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Security.evtx").write_bytes(failed_logons(1))
    monkeypatch.setattr("vedette.sources.files.evtx.find_spec", lambda name: None)
    history = FileHistory(LogSourceConfig(paths=(str(tmp_path),)))
    list(history.batches(()))
    assert ["vedette[evtx]" in problem for problem in history.problems] == [True]
