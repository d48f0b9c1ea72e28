"""What a detector is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

import polars as pl

from vedette.model.findings import Finding


class Detector(Protocol):
    """Turns events into findings. Called by the pipeline with every batch, in order, from one thread.

    Pure but for its own bounded windows: no input or output, no clock but `now`. The findings of a stream do
    not depend on how it was cut into batches. `snapshot` and `restore` carry the windows over a restart.
    """

    @property
    def name(self) -> str:
        """Key of its stored state."""
        ...

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        """Findings that are new or have grown. `events` has EVENT_SCHEMA."""
        ...

    def snapshot(self) -> bytes | None:
        """The windows as they are now, None when unchanged since the last call. Owned by the caller."""
        ...

    def restore(self, state: bytes) -> None:
        """Continue from a snapshot of this or an earlier version; an unreadable one starts empty."""
        ...


Inspection: TypeAlias = Callable[[datetime], list[Finding]]
"""What is left of `inspect`, for the events it was prepared with: takes `now`, belongs to the thread of `inspect`."""


@runtime_checkable
class Preparing(Protocol):
    """A detector of which a part needs nothing but the events themselves. That part is done ahead, batch after batch, in
    a thread of its own."""

    def prepare(self, events: pl.DataFrame) -> Inspection:
        """Called instead of `inspect`, in order; what it returns is called once, in order."""
        ...


@runtime_checkable
class Watch(Protocol):
    """A detector that also speaks when nothing comes. Called every few seconds, in the thread of `inspect`."""

    def tick(self, now: datetime) -> list[Finding]:
        """Findings that are new or have grown because time passed."""
        ...


@runtime_checkable
class Concluding(Protocol):
    """A detector with windows that only their end tells. Called once, when what is read has an end and has reached it;
    in the thread of `inspect`."""

    def finish(self, now: datetime) -> list[Finding]:
        """Findings that are new because nothing more comes."""
        ...
