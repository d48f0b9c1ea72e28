"""How many a second, over the last moments."""

from __future__ import annotations

from collections import deque
from typing import Final

from vedette.model.clock import Clock

WINDOWS: Final = (1, 10, 60)
"""Seconds that a rate is averaged over."""


class RateMeter:
    """Counts per second over the last 1, 10 and 60 seconds, and in total. For one thread.

    Counts fall into slots of 0.1 s, so that memory does not depend on the rate.
    """

    def __init__(self, clock: Clock) -> None:
        self.total = 0
        self._clock = clock
        self._started = clock.monotonic()
        self._slots: deque[tuple[int, int]] = deque()

    def add(self, count: int) -> None:
        """Something happened `count` times just now."""
        if count <= 0:
            return
        self.total += count
        slot = self._slot()
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = (slot, self._slots[-1][1] + count)
        else:
            self._slots.append((slot, count))
        self._forget(slot)

    def per_second(self, seconds: int) -> float:
        """The average over the last `seconds` (at most 60), over less when less time has passed."""
        slot = self._slot()
        self._forget(slot)
        passed = self._clock.monotonic() - self._started
        counted = sum(count for at, count in self._slots if at > slot - 10 * seconds)
        return counted / max(1.0, min(float(seconds), passed))

    def rates(self) -> dict[str, float]:
        """`1s`, `10s` and `60s` to the rate."""
        return {f"{seconds}s": round(self.per_second(seconds), 2) for seconds in WINDOWS}

    def _slot(self) -> int:
        return int(self._clock.monotonic() * 10)

    def _forget(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - 10 * WINDOWS[-1]:
            self._slots.popleft()
