"""What is remembered about the failed logins of one address, and how it is written down.

Times are integers: microseconds since 1970, event time unless said otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any, NamedTuple, Self

from vedette.detection.rule import FailureThresholdRule
from vedette.model.events import event_id

_MICROSECOND = timedelta(microseconds=1)


class Attempt(NamedTuple):
    """One failed login."""

    time: int
    generation: int
    offset: int
    user: str | None
    host: str | None
    source: str | None

    @property
    def event_id(self) -> str:
        return event_id(self.generation, self.offset)


@dataclass(slots=True)
class Success:
    """A login that worked while the address was guessing."""

    time: int
    event_id: str
    user: str
    text: str


@dataclass(slots=True)
class Names:
    """Distinct names in the order they came up, at most `limit`; `is_full` says that there were more."""

    limit: int
    values: dict[str, None] = field(default_factory=dict)
    is_full: bool = False

    def add(self, names: Iterable[str | None]) -> None:
        for name in names:
            if name is None or name in self.values:
                continue
            if len(self.values) >= self.limit:
                self.is_full = True
                return
            self.values[name] = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(slots=True)
class Siege:
    """An episode that has reached the threshold: what its finding is made of."""

    id: str
    found_at: int  # wall time
    start: int
    last: int
    count: int
    users: Names
    hosts: Names
    sources: Names
    event_ids: list[str]
    samples: list[tuple[str, str]] = field(default_factory=list)  # event id, text
    successes: list[Success] = field(default_factory=list)
    success_count: int = 0

    def to_json(self) -> dict[str, Any]:
        """Its members by name, sharing what they hold: to be written at once. Copying it took most of a snapshot's time."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        for kind in ("users", "hosts", "sources"):
            names: Names = state[kind]
            state[kind] = {"limit": names.limit, "values": names.values, "is_full": names.is_full}
        state["successes"] = [asdict(success) for success in self.successes]
        return state


@dataclass(slots=True)
class Episode:
    """A row of failures of one address without a long pause.

    `previous` is the time of its latest arrived failure, `recent` the attempts that may still become part of
    a full window (fewer than the threshold), empty once there is a siege. `touched` is wall time.
    """

    low: int
    high: int
    previous: int
    touched: int
    recent: list[Attempt] = field(default_factory=list)
    siege: Siege | None = None

    def widen(self, low: int, high: int, previous: int) -> None:
        self.low, self.high, self.previous = min(self.low, low), max(self.high, high), previous

    def add_attempts(self, attempt: Attempt, count: int, rule: FailureThresholdRule, address: str, now: int) -> int:
        """Add an attempt `count` times, until a window is full and the siege begins; how often it was added."""
        for used in range(1, count + 1):
            self.recent.append(attempt)
            if len(self.recent) < rule.threshold:
                continue
            times = [one.time for one in self.recent]
            if max(times) - min(times) <= rule.window // _MICROSECOND:
                self._open(rule, address, now)
                return used
            del self.recent[0]
        return count

    def _open(self, rule: FailureThresholdRule, address: str, now: int) -> None:
        times = [one.time for one in self.recent]
        self.siege = Siege(
            id=_finding_id(rule.id, address, self.recent[0]),
            found_at=now,
            start=min(times),
            last=max(times),
            count=len(self.recent),
            users=Names(rule.max_names),
            hosts=Names(rule.max_names),
            sources=Names(rule.max_names),
            event_ids=list(dict.fromkeys(one.event_id for one in self.recent))[: rule.max_event_ids],
        )
        self.siege.users.add(one.user for one in self.recent)
        self.siege.hosts.add(one.host for one in self.recent)
        self.siege.sources.add(one.source for one in self.recent)
        self.recent = []

    def to_json(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "l": self.low,
            "h": self.high,
            "p": self.previous,
            "t": self.touched,
            "r": self.recent,
        }
        if self.siege is not None:
            state["s"] = self.siege.to_json()
        return state

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        episode = cls(int(state["l"]), int(state["h"]), int(state["p"]), int(state["t"]))
        episode.recent = [Attempt(*attempt) for attempt in state["r"]]
        if "s" in state:
            siege = dict(state["s"])
            for kind in ("users", "hosts", "sources"):
                siege[kind] = Names(**siege[kind])
            siege["samples"] = [(identifier, text) for identifier, text in siege["samples"]]
            siege["successes"] = [Success(**success) for success in siege["successes"]]
            episode.siege = Siege(**siege)
        return episode


def _finding_id(rule_id: str, address: str, first: Attempt) -> str:
    """The first event is part of it: two episodes may begin in the same second of a coarse stamp."""
    key = f"{rule_id}\0{address}\0{first.time}\0{first.event_id}"
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
