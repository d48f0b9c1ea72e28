"""Compressed files give what they hold, and damage is told after what was readable."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from vedette.model.errors import SourceUnreadable
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
