"""What an analyser is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import polars as pl

from vedette.model.findings import Finding


class Analyser(Protocol):
    """Judges what was found. Called by the pipeline after the detectors, in a fixed order, from one thread."""

    @property
    def name(self) -> str: ...

    def analyse(self, events: pl.DataFrame, findings: Sequence[Finding]) -> tuple[pl.DataFrame, list[Finding]]:
        """The same events, same order (columns may be filled or raised), and the findings, completed."""
        ...


class HasText(Protocol):
    """A template."""

    @property
    def text(self) -> str: ...


class Templates(Protocol):
    """What is known of templates beside their ids: they get other names when they are merged as they are learned."""

    def aliases(self, template_id: str) -> Collection[str]:
        """All ids that events of the same template may carry, the given one included."""
        ...

    def template(self, template_id: str) -> HasText | None: ...


class Keeper(Protocol):
    """State in pieces: a `Memory` of the pipeline, asked for `snapshots` in the thread of `inspect`."""

    def snapshots(self) -> Mapping[str, bytes]:
        """What changed since the last call, by key. Empty bytes: the piece was given up."""
        ...

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Continue with what is found under its keys among all states."""
        ...


class BehaviourDetector(Protocol):
    """A detector that learns what is usual. A `Detector` whose state is not in `snapshot` but in `memory`, in pieces: it
    grows with what is watched, and a commit is to carry only what changed."""

    @property
    def name(self) -> str: ...

    @property
    def memory(self) -> Keeper:
        """Restored before the first batch; its snapshots belong into the commit of the batch just inspected."""
        ...

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]: ...

    def snapshot(self) -> bytes | None: ...

    def restore(self, state: bytes) -> None: ...
