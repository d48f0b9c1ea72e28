"""Text or not, by the beginning of a file."""

from __future__ import annotations

from typing import Final

from vedette.sources.encodings import UTF8, sniff

PROBE_BYTES: Final = 1024

_MAGIC: Final = (
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"LPKSHHRH", "a systemd journal"),
    (b"\x89PNG\r\n", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"%PDF-", "a PDF document"),
    (b"ElfFile\0", "a Windows event log (EVTX)"),
)
_CONTROL: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\r\x0b\x0c\x1b\x08") + b"\x7f"


def binary_kind(start: bytes) -> str | None:
    """What kind of binary file begins like this, None where it has no known mark."""
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), None)


def looks_binary(start: bytes) -> str | None:
    """Why a file that begins like this is probably no text; None when it is. A hole at the beginning says nothing."""
    if kind := binary_kind(start):
        return kind
    probe = start[:PROBE_BYTES].lstrip(b"\0")
    if not probe or sniff(start, wish=None)[0] != UTF8:
        return None
    return "binary data" if _is_mostly_no_text(probe) else None


def _is_mostly_no_text(probe: bytes) -> bool:
    """Many control characters; or some, among much that is no UTF-8. Text in an old 8-bit encoding has none."""
    control = (len(probe) - len(probe.translate(None, _CONTROL))) / len(probe)
    foreign = probe.decode("utf-8", "replace").count("\N{REPLACEMENT CHARACTER}") / len(probe)
    return control > 0.3 or (control > 0.02 and foreign > 0.2)
