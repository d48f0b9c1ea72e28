"""What is wrong with the store at the moment, for health."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from vedette.model.clock import Clock
from vedette.model.errors import StoreError, StoreFull
from vedette.model.health import HealthState, PartHealth

_PART = "store"


class Trouble:
    """Remembers the last refusal until an operation succeeds, and damage until the store is closed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.now()
        self._refusal: StoreError | None = None
        self._damage: str = ""

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Around a write: a refusal is remembered, a success ends it."""
        try:
            yield
        except StoreError as error:
            if type(error) is not type(self._refusal):
                self._since = self._clock.now()
            self._refusal = error
            raise
        if self._refusal is not None:
            self._refusal, self._since = None, self._clock.now()

    def last(self, damage: tuple[str, ...]) -> None:
        """Damage that was met when the store was opened."""
        self._damage = "; ".join(damage)

    def health(self) -> PartHealth:
        """down while it takes nothing, degraded after damage, else ok."""
        since: datetime = self._since
        refusal = self._refusal
        if isinstance(refusal, StoreFull):
            return PartHealth(
                _PART, HealthState.DOWN, since, str(refusal), "Free space on the disk; it goes on by itself."
            )
        if refusal is not None:
            return PartHealth(
                _PART, HealthState.DOWN, since, str(refusal), "It is tried again; look at the disk if this stays."
            )
        if self._damage:
            remedy = "Reading began anew from what the sources still hold. Keep the file for an expert, or delete it."
            return PartHealth(_PART, HealthState.DEGRADED, since, self._damage, remedy)
        return PartHealth(_PART, HealthState.OK, since)
