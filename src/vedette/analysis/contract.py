"""What an analyser is."""

from __future__ import annotations

from collections.abc import Sequence
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
