"""Where a page ended, as a text that a client hands back."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from vedette.model.errors import QueryError


def to_cursor(*place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_from(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The place that `to_cursor` was given. Raises QueryError for any other text."""
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, UnicodeError, ValueError):
        raise unknown_cursor(cursor) from None
    if not isinstance(place, list) or len(place) != len(kinds):
        raise unknown_cursor(cursor)
    if not all(type(part) is kind for part, kind in zip(place, kinds, strict=True)):
        raise unknown_cursor(cursor)
    return tuple(place)


def unknown_cursor(cursor: str) -> QueryError:
    text = f"the cursor {cursor[:80]!r} ends no page; leave it out to begin at the first"
    return QueryError(text, text=cursor, position=0)
