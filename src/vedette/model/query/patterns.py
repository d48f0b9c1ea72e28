"""Wildcards and networks, each turned into what every reading of a query understands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

_ESCAPABLE: Final = frozenset('*?\\"():<>=!-|&')
_GROUPS: Final = 8


def pieces(pattern: str) -> Iterator[str | None]:
    """Its literal runs (never empty), None for each `*` and "" for each `?`."""
    literal: list[str] = []
    signs = iter(pattern)
    for sign in signs:
        if sign in "*?":
            if literal:
                yield "".join(literal)
                literal = []
            yield None if sign == "*" else ""
        elif sign == "\\":
            following = next(signs, None)
            literal.append("\\" if following is None else following if is_special(following) else f"\\{following}")
        else:
            literal.append(sign)
    if literal:
        yield "".join(literal)


def is_special(sign: str) -> bool:
    """True when a backslash before it takes its meaning; before any other character a backslash is itself."""
    return sign in _ESCAPABLE or sign.isspace()


def has_wildcard(pattern: str) -> bool:
    """True when a `*` or `?` stands in it without a backslash."""
    return any(not piece for piece in pieces(pattern))


def literal_text(pattern: str) -> str:
    """The text of a pattern without wildcards, escapes removed."""
    return "".join(piece for piece in pieces(pattern) if piece)


def escaped(text: str) -> str:
    """The pattern that fits exactly this text."""
    return "".join(f"\\{sign}" if sign in "*?\\" else sign for sign in text)


def normal(pattern: str) -> str:
    """The shortest pattern that fits the same texts: runs of `*` are one, needless backslashes gone."""
    parts = ["*" if piece is None else "?" if piece == "" else escaped(piece) for piece in pieces(pattern)]
    return "".join(part for at, part in enumerate(parts) if part != "*" or at == 0 or parts[at - 1] != "*")


def network_regex(network: str) -> str:
    """A regular expression that fits the canonical text of exactly the addresses in a network."""
    parsed = ip_network(network)
    return _ipv4_regex(parsed) if isinstance(parsed, IPv4Network) else _ipv6_regex(parsed)


def _ipv4_regex(network: IPv4Network) -> str:
    octets = []
    low, high = network.network_address.packed, network.broadcast_address.packed
    for first, last in zip(low, high, strict=True):
        if (first, last) == (0, 255):
            octets.append("[0-9]{1,3}")
        else:
            octets.append("(?:" + "|".join(str(octet) for octet in range(first, last + 1)) + ")")
    return "^" + r"\.".join(octets) + "$"


def _ipv6_regex(network: IPv6Network) -> str:
    """One alternative for each place where `::` may stand for a run of zero groups."""
    ranges = list(zip(_groups(network.network_address.packed), _groups(network.broadcast_address.packed), strict=True))
    groups = [_group_regex(first, last) for first, last in ranges]
    ways = [":".join(groups)]
    for start in range(_GROUPS):
        for end in range(start + 1, _GROUPS + 1):
            if ranges[end - 1][0] != 0:
                break
            ways.append(":".join(groups[:start]) + "::" + ":".join(groups[end:]))
    return "^(?:" + "|".join(ways) + ")$"


def _groups(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[at : at + 2], "big") for at in range(0, len(packed), 2)]


def _group_regex(first: int, last: int) -> str:
    """Fits the hexadecimal numbers first..last, whose count is a power of two that divides `first`."""
    free, partial = divmod((last - first).bit_length(), 4)
    any_digits = f"[0-9a-f]{{{free}}}" if free else ""
    if first == 0:
        short = f"[0-9a-f]{{1,{free}}}" if free else "0"
        if not partial:
            return short
        return f"(?:{short}|{_digits(1, (1 << partial) - 1)}{any_digits})" if free else _digits(0, (1 << partial) - 1)
    text = f"{first:x}"
    kept = len(text) - free
    if not partial:
        return text[:kept] + any_digits
    digit = int(text[kept - 1], 16)
    return text[: kept - 1] + _digits(digit, digit + (1 << partial) - 1) + any_digits


def _digits(first: int, last: int) -> str:
    return "[" + re.escape("".join(f"{digit:x}" for digit in range(first, last + 1))) + "]"
