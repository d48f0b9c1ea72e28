"""How detectors that learn keep what they learned: in pieces, so that a commit carries only what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

log = structlog.get_logger(__name__)


class Pieces:
    """A `Memory` of the pipeline: state under many keys that begin with the detector's name and a slash.

    `write` gives the piece of a key (the part behind the slash), `read` takes one up again. A piece that is empty is
    one that was given up. To be asked for `snapshots` after every batch, in the thread of `inspect`.
    """

    def __init__(self, name: str, *, write: Callable[[str], bytes], read: Callable[[str, bytes], None]) -> None:
        self._prefix: Final = f"{name}/"
        self._write = write
        self._read = read
        self._changed: dict[str, None] = {}

    def changed(self, key: str) -> None:
        """The piece of this key is to be written with the next commit."""
        self._changed[key] = None

    def snapshots(self) -> dict[str, bytes]:
        """The pieces that changed since the last call, by full key."""
        pieces = {f"{self._prefix}{key}": self._write(key) for key in self._changed}
        self._changed.clear()
        return pieces

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Continue with the pieces found among all states. What is unreadable is learned anew."""
        for full_key in sorted(key for key in states if key.startswith(self._prefix)):
            if not (piece := states[full_key]):
                continue
            try:
                self._read(full_key.removeprefix(self._prefix), piece)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                log.warning("piece_unreadable", key=full_key, reason=str(error), remedy="it is learned anew")
        self._changed.clear()
