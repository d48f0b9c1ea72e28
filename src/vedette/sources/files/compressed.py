"""Packed files (compressed ones, and event logs of Windows) as streams: bounded memory, a bound for bombs, and what is
readable of a damaged one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

import zstandard

from vedette.model.errors import SourceError, SourceUnreadable
from vedette.sources.files.content import FileFacts, open_regular
from vedette.sources.files.evtx import EVTX, MAGIC, EvtxStream
from vedette.sources.files.rotation import COMPRESSED

_MEMORY_LIMIT: Final = 256 * 1024 * 1024
_MAGIC: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (MAGIC, "evtx"),
)


PACKED: Final = (*COMPRESSED, EVTX)
"""How the names of files end that are unpacked when they are read."""


@dataclass(frozen=True, slots=True)
class DecompressionLimits:
    """Where a compressed file stops being believed. Beyond `free_bytes` it may not grow to more than `max_ratio`
    times its size, and never beyond `max_bytes`. Repetitive logs reach a ratio of 50, bombs 1000."""

    max_bytes: int = 256 * 1024**3
    max_ratio: int = 300
    free_bytes: int = 1024**3


class DamagedFile(SourceError):
    """The stream is cut off or corrupt from here on; everything before was given out. `is_cut_off`: its end is
    missing, which is usual while it is still being written."""

    def __init__(self, message: str, *, is_cut_off: bool) -> None:
        super().__init__(message)
        self.is_cut_off = is_cut_off


class _Stream(Protocol):
    def read1(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


def compression_of(start: bytes) -> str | None:
    """gzip, bzip2, xz, zstd or evtx by the first bytes of a file."""
    for magic, name in _MAGIC:
        if start.startswith(magic):
            return name
    return None


class CompressedContent:
    """A packed file, read forwards. Going back starts anew, so callers read in order."""

    is_compressed = True

    def __init__(self, path: str, limits: DecompressionLimits | None = None) -> None:
        self.path = path
        self._limits = limits or DecompressionLimits()
        self._raw: BinaryIO = os.fdopen(open_regular(path), "rb")
        kind = compression_of(self._raw.read(8))
        if kind is None:
            self._raw.close()
            what = "a Windows event log" if path.endswith(EVTX) else "a compressed file"
            raise SourceUnreadable(f"'{path}' is named like {what}, but is none: rename it")
        self._open_stream: Callable[[BinaryIO], _Stream] = _OPENERS[kind]
        self._kind = kind
        self._stream: _Stream | None = None
        self._offset = 0
        self._damage: DamagedFile | None = None

    def facts(self) -> FileFacts:
        return FileFacts.of(os.fstat(self._raw.fileno()))

    @property
    def compressed_bytes_read(self) -> int:
        """How far into the compressed file reading has come, for progress."""
        return self._raw.tell()

    def read_at(self, offset: int, size: int) -> bytes:
        if self._stream is None or offset < self._offset:
            self._restart()
        while self._offset < offset:
            if not self._next(min(offset - self._offset, 1 << 20)):
                return b""
        parts: list[bytes] = []
        while size > 0 and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def raise_damage(self) -> None:
        """Raise the DamagedFile that ended reading, if one did."""
        if self._damage is not None:
            raise self._damage

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._raw.close()

    def _restart(self) -> None:
        self._raw.seek(0)
        self._stream = self._open_stream(self._raw)
        self._offset, self._damage = 0, None

    def _next(self, size: int) -> bytes:
        if self._damage is not None:
            return b""
        assert self._stream is not None
        try:
            part = self._stream.read1(size)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            self._damage = self._described(error)
            return b""
        self._offset += len(part)
        self._check_limits()
        return part

    def _described(self, error: Exception) -> DamagedFile:
        cut_off = isinstance(error, EOFError)
        what = "ends too early" if cut_off else "is damaged"
        return DamagedFile(
            f"'{self.path}' {what} at byte {self._offset} of its content ({self._kind}): what came before was read, "
            "restore the file to read the rest",
            is_cut_off=cut_off,
        )

    def _check_limits(self) -> None:
        limits = self._limits
        if self._offset > limits.max_bytes:
            reason = f"is larger than {limits.max_bytes} bytes when unpacked"
        elif self._offset > limits.free_bytes and self._offset > limits.max_ratio * max(1, self._raw.tell()):
            reason = f"unpacks to more than {limits.max_ratio} times its size"
        else:
            return
        self._damage = DamagedFile(
            f"'{self.path}' {reason} and is not read further: unpack it yourself if it is no bomb", is_cut_off=False
        )


class _ZstdStream:
    """The zstd reader ends quietly where a frame is cut off; this one says so."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MEMORY_LIMIT)
        self._frame = self._decompressor.decompressobj()
        self._input = b""
        self._output = b""
        self._is_fresh = True

    def read1(self, size: int, /) -> bytes:
        while not self._output:
            chunk = self._input or self._raw.read(_ZSTD_CHUNK)
            self._input = b""
            if not chunk:
                if self._is_fresh:
                    return b""
                raise EOFError("the last frame is not complete")
            self._is_fresh = False
            self._output = self._frame.decompress(chunk)
            if self._frame.eof:
                self._input = self._frame.unused_data
                self._frame = self._decompressor.decompressobj()
                self._is_fresh = True
        part, self._output = self._output[:size], self._output[size:]
        return part

    def close(self) -> None:
        self._input = self._output = b""


_ZSTD_CHUNK: Final = 512  # a chunk of nothing but repetition unpacks to 16 MiB


class _XzStream:
    """xz with a bound on memory, which LZMAFile does not have."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decompressor = _xz_decompressor()
        self._is_fresh = True

    def read1(self, size: int, /) -> bytes:
        while True:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data.lstrip(b"\0")
                self._decompressor = _xz_decompressor()
                self._is_fresh = True
                chunk = rest or self._raw.read(io.DEFAULT_BUFFER_SIZE).lstrip(b"\0")
            elif self._decompressor.needs_input:
                chunk = self._raw.read(io.DEFAULT_BUFFER_SIZE)
            else:
                chunk = b""
            if not chunk and self._decompressor.needs_input:
                if self._is_fresh:
                    return b""
                raise EOFError("the stream is not complete")
            self._is_fresh = False
            part = self._decompressor.decompress(chunk, size)
            if part:
                return part

    def close(self) -> None:
        pass


def _xz_decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)


def _gzip_stream(raw: BinaryIO) -> _Stream:
    return gzip.GzipFile(fileobj=raw, mode="rb")


def _bz2_stream(raw: BinaryIO) -> _Stream:
    return bz2.BZ2File(raw, "rb")


_OPENERS: Final[dict[str, Callable[[BinaryIO], _Stream]]] = {
    "gzip": _gzip_stream,
    "bzip2": _bz2_stream,
    "xz": _XzStream,
    "zstd": _ZstdStream,
    "evtx": EvtxStream,
}
