"""How short the lead is: a budget of requests and tokens, and a breaker that leaves a failing model alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


class Budget:
    """Requests in any hour and tokens in any day. `spent` are requests of an earlier run: when, and how many tokens."""

    def __init__(
        self, *, requests_per_hour: int, tokens_per_day: int, spent: Iterable[tuple[datetime, int]] = ()
    ) -> None:
        self._requests_per_hour = requests_per_hour
        self._tokens_per_day = tokens_per_day
        self._spent = deque(sorted(spent))

    def spend(self, now: datetime, tokens: int) -> None:
        self._spent.append((now, tokens))

    def exhausted(self, now: datetime) -> str:
        """Which limit is reached; empty when none is."""
        while self._spent and self._spent[0][0] <= now - DAY:
            self._spent.popleft()
        if sum(when > now - HOUR for when, _ in self._spent) >= self._requests_per_hour:
            return f"{self._requests_per_hour} requests were made within an hour (ai.requests_per_hour)"
        if sum(tokens for _, tokens in self._spent) >= self._tokens_per_day:
            return f"{self._tokens_per_day} tokens were used within a day (ai.tokens_per_day)"
        return ""


class Breaker:
    """Open after three failures in a row, or one that lasts: a minute, then twice as long each time, at most 15.

    Times are monotonic seconds. When it closes one question is tried; its failure opens it again.
    """

    TOLERATED: Final = 3
    FIRST_SECONDS: Final = 60.0
    LONGEST_SECONDS: Final = 900.0

    def __init__(self) -> None:
        self._failures = 0
        self._wait = self.FIRST_SECONDS
        self._open_until: float | None = None

    def is_open(self, now: float) -> bool:
        return self._open_until is not None and now < self._open_until

    def note_success(self) -> None:
        self._failures, self._wait, self._open_until = 0, self.FIRST_SECONDS, None

    def note_failure(self, now: float, *, is_lasting: bool) -> None:
        self._failures += 1
        if is_lasting:
            self._wait = self.LONGEST_SECONDS
        if is_lasting or self._failures >= self.TOLERATED:
            self._open_until = now + self._wait
            self._wait = min(self._wait * 2, self.LONGEST_SECONDS)
