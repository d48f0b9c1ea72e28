"""Which encoding a file is in, and which encodings can be cut into lines at all."""

from __future__ import annotations

import codecs
from typing import Final

UTF8: Final = "utf-8"
UTF16_LE: Final = "utf-16-le"
UTF16_BE: Final = "utf-16-be"
SNIFF_BYTES: Final = 64

_BOMS: Final = ((codecs.BOM_UTF8, UTF8), (codecs.BOM_UTF16_LE, UTF16_LE), (codecs.BOM_UTF16_BE, UTF16_BE))
_NOT_FOR_FILES: Final = {"idna", "punycode", "raw-unicode-escape", "unicode-escape"}
_ASCII: Final = bytes((9, 10, 13, *range(32, 127)))


def canonical_encoding(name: str) -> str:
    """The codec's own name for `name`. Raises ValueError when it is unknown or its lines cannot be told apart.

    A usable encoding has one fixed byte for a line feed that stands for nothing else: UTF-8, UTF-16, and every
    stateless extension of ASCII.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        raise ValueError(f"'{name}' is no known encoding, use for example utf-8, utf-16, latin-1 or cp1252") from None
    if codec.name in {"utf-16", UTF16_LE, UTF16_BE}:
        return codec.name
    if codec.name == "utf-8-sig":
        return UTF8
    if not _extends_ascii(codec.name):
        raise ValueError(f"'{name}' cannot be read line by line, use for example utf-8, utf-16, latin-1 or cp1252")
    return codec.name


def unit_of(encoding: str) -> int:
    """Bytes in a code unit."""
    return 2 if encoding.startswith("utf-16") else 1


def can_sniff(start: bytes) -> bool:
    """Whether `start` holds enough of the beginning of a file for `sniff`, however the reads were cut."""
    return len(start) >= SNIFF_BYTES or b"\n" in start


def sniff(start: bytes, *, wish: str | None, fallback: str = UTF8) -> tuple[str, int]:
    """(encoding, length of the byte order mark) of a file that begins with `start`.

    `wish` is the configured encoding; a mark in `start` only overrules it where it names UTF-16 without an order.
    Only the first SNIFF_BYTES, or those before the first line feed, are looked at, so that the verdict does not depend
    on how much happens to be there. `fallback` is for a file that begins with a hole.
    """
    for mark, encoding in _BOMS:
        if start.startswith(mark) and wish in {None, encoding, "utf-16" if encoding != UTF8 else UTF8}:
            return encoding, len(mark)
    if wish is not None:
        return (UTF16_LE if wish == "utf-16" else wish), 0
    probe = start[:SNIFF_BYTES].partition(b"\n")[0]
    if len(probe) < 4:
        return UTF8, 0
    if not probe.strip(b"\0"):
        return fallback, 0
    return _utf16_order(probe) or UTF8, 0


def _utf16_order(probe: bytes) -> str | None:
    even, odd = probe[0::2], probe[1::2]
    nul_even, nul_odd = even.count(0) / len(even), odd.count(0) / len(odd)
    if nul_odd >= 0.7 and nul_even <= 0.1:
        return UTF16_LE
    if nul_even >= 0.7 and nul_odd <= 0.1:
        return UTF16_BE
    return None


def _extends_ascii(name: str) -> bool:
    if name.startswith(("iso2022", "hz", "utf-7")) or name in _NOT_FOR_FILES:
        return False
    try:
        return _ASCII.decode(name) == _ASCII.decode("ascii") and _ASCII.decode("ascii").encode(name) == _ASCII
    except (UnicodeError, LookupError):
        return False
