"""The oracle: what the writers wrote against what the store holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from support.writer import LogWriter, Written

_ESCAPE = re.compile(rb"\\(\\|x[0-9a-f]{2})")


def assert_exactly_once(stored: Sequence[dict[str, Any]], writers: Iterable[LogWriter]) -> None:
    """0 lost, 0 duplicated, payload and place identical."""
    truth = [line for writer in writers for line in writer.written]
    assert_payloads(stored, truth)
    assert_places(stored, truth)


def assert_payloads(stored: Sequence[dict[str, Any]], truth: Sequence[Written]) -> None:
    """Every payload as often as it was written."""
    wanted = Counter(line.payload for line in truth)
    found = Counter(original_bytes(event) for event in stored)
    lost, extra = wanted - found, found - wanted
    if lost or extra:
        raise AssertionError(
            f"{lost.total()} of {len(truth)} lost, {extra.total()} too many; "
            f"lost: {_some(lost)}; too many: {_some(extra)}"
        )


def assert_places(stored: Sequence[dict[str, Any]], truth: Sequence[Written]) -> None:
    """Every event has an id of its own and stands at the offset its line was written at."""
    ids = Counter(event["event.id"] for event in stored)
    repeated = [identifier for identifier, count in ids.items() if count > 1]
    assert not repeated, f"ids given twice: {repeated[:5]}"
    wanted = Counter((line.offset, line.payload) for line in truth)
    found = Counter((event["log.offset"], original_bytes(event)) for event in stored)
    misplaced = found - wanted
    assert not misplaced, f"{misplaced.total()} at a place where they were not written: {_some(misplaced)}"


def original_bytes(event: dict[str, Any]) -> bytes:
    """The bytes of a record again: where it is marked as escaped, `\\xNN` and `\\\\` are undone."""
    text = str(event["event.original"]).encode()
    if "escaped" not in str(event.get("vedette.marks", "")).split():
        return text
    return _ESCAPE.sub(lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1][1:], 16)]), text)


def _some(counter: Counter[Any]) -> str:
    return ", ".join(f"{key!r:.120} x{count}" for key, count in counter.most_common(4)) or "none"
