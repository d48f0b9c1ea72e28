"""Page cursors: where a page ended, opaque to those who carry it."""

from __future__ import annotations

import base64
import binascii
import json
from typing import NoReturn

from vedette.model.errors import QueryError


def to_cursor(*place: int) -> str:
    """The cursor for a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def from_cursor(cursor: str, size: int) -> tuple[int, ...]:
    """The `size` numbers of a place. Raises QueryError for a text that no page ended with."""
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, UnicodeError, ValueError):
        _refuse(cursor)
    if not isinstance(place, list) or len(place) != size or not all(type(part) is int for part in place):
        _refuse(cursor)
    if not all(-(2**63) <= part < 2**63 for part in place):
        _refuse(cursor)
    return tuple(place)


def _refuse(cursor: str) -> NoReturn:
    raise QueryError(
        f"the cursor {cursor[:80]!r} ends no page; leave it out to begin at the first", text=cursor, position=0
    )
