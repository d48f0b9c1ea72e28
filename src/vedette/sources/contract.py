"""What a source is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from vedette.model.entries import EntryBatch
from vedette.model.positions import Position


class Source(Protocol):
    """Text that keeps coming. Made by its configuration, run by the supervisor, one task each.

    `read` yields batches in order, for as long as the source lives, beginning behind `resume` (every stored
    position of this source id, newest generation last). It waits when its consumer does not ask. It never
    retries (raise SourceError; the supervisor waits and calls `read` again with fresh positions) and never
    considers a batch done: the position in a batch becomes true when the store has committed it. Blocking
    input and output happens in threads. Cancelling the iteration releases everything it opened.
    """

    @property
    def id(self) -> str:
        """Stable over restarts."""
        ...

    def read(self, resume: Sequence[Position]) -> AsyncIterator[EntryBatch]:
        """Yield batches until cancelled, or until a finite source (import) is exhausted."""
        ...
