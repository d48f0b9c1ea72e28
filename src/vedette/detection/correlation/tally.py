"""What a finding is made of while its window is open, and how it is written down.

Times are integers: microseconds since 1970, event time unless said otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple, Self

from vedette.model.findings import Evidence

MAX_NAMES: Final = 100
MAX_EVENT_IDS: Final = 25
MAX_SAMPLES: Final = 3
"""Events whose evidence is kept, for each rule that takes part."""
MAX_EVIDENCE: Final = 24
MAX_TEXT: Final = 400
MAX_NAME: Final = 500
"""Characters of a name, a key's part or a counted value that are looked at."""


@dataclass(slots=True)
class Names:
    """Distinct names in the order they came up, at most MAX_NAMES; `is_full` says that there were more."""

    values: dict[str, None] = field(default_factory=dict)
    is_full: bool = False

    def add(self, names: Iterable[str | None]) -> None:
        for name in names:
            if name is None or (name := name[:MAX_NAME]) in self.values:
                continue
            if len(self.values) >= MAX_NAMES:
                self.is_full = True
                return
            self.values[name] = None

    def __len__(self) -> int:
        return len(self.values)

    def __str__(self) -> str:
        return f"more than {len(self.values)}" if self.is_full else str(len(self.values))


class Summary(NamedTuple):
    """Sightings that share a window for certain, summed up. `weight` counts attempts, not lines."""

    weight: int
    low: int
    high: int
    users: Iterable[str | None]
    hosts: Iterable[str | None]
    sources: Iterable[str | None]
    addresses: Iterable[str | None]
    values: Iterable[str | None]


@dataclass(slots=True)
class Tally:
    """A finding in the making: everything its wording needs, bounded.

    `entity` is the key of the window by column. `values` are the distinct values that count, of the types that
    count values; `measure` what the condition saw when it held. `samples` are proofs of single events.
    """

    id: str
    found_at: int  # wall time
    start: int
    last: int
    entity: dict[str, str]
    category: str = ""
    count: int = 0
    measure: float = 0
    users: Names = field(default_factory=Names)
    hosts: Names = field(default_factory=Names)
    sources: Names = field(default_factory=Names)
    addresses: Names = field(default_factory=Names)
    values: Names = field(default_factory=Names)
    event_ids: list[str] = field(default_factory=list)
    samples: list[Evidence] = field(default_factory=list)
    sampled: dict[str, int] = field(default_factory=dict)
    """How many events were sampled, by the place of the rule they matched."""

    def add(self, summary: Summary) -> None:
        self.users.add(summary.users)
        self.hosts.add(summary.hosts)
        self.sources.add(summary.sources)
        self.addresses.add(summary.addresses)
        self.values.add(summary.values)
        if summary.weight > 0:
            self.count += summary.weight
            self.start = min(self.start, summary.low)
            self.last = max(self.last, summary.high)

    def name_event(self, identifier: str) -> None:
        """Keep the id of an event that takes part, while there is room. Once."""
        if len(self.event_ids) < MAX_EVENT_IDS and identifier not in self.event_ids:
            self.event_ids.append(identifier)

    def wants_sample(self, part: int) -> bool:
        """Whether the proof of another event of this part is wanted."""
        return self.sampled.get(str(part), 0) < MAX_SAMPLES and len(self.samples) < MAX_EVIDENCE

    def sample(self, part: int, evidence: Iterable[Evidence]) -> None:
        self.sampled[str(part)] = self.sampled.get(str(part), 0) + 1
        self.samples.extend(list(evidence)[: MAX_EVIDENCE - len(self.samples)])

    def to_json(self) -> dict[str, Any]:
        """Its members by name, sharing what they hold: to be written at once."""
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        for kind in _NAMES:
            names: Names = state[kind]
            state[kind] = [list(names.values), names.is_full]
        state["samples"] = [[one.clause, one.column, one.value, one.event_id, one.text] for one in self.samples]
        return state

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        known = dict(state)
        for kind in _NAMES:
            values, is_full = known[kind]
            known[kind] = Names(dict.fromkeys(map(str, values)), bool(is_full))
        known["samples"] = [Evidence(*one) for one in known["samples"]]
        return cls(**known)


_NAMES: Final = ("users", "hosts", "sources", "addresses", "values")


def finding_id(rule_id: str, key: str, time: int, first_event: str) -> str:
    """The first event is part of it: two windows may begin in the same second of a coarse stamp."""
    text = f"{rule_id}\0{key}\0{time}\0{first_event}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def cut(text: str, value: str = "") -> str:
    """At most MAX_TEXT characters of a record, those around the value where it stands further behind."""
    at = text.find(value) if value else 0
    if at + len(value) <= MAX_TEXT:
        return text[:MAX_TEXT]
    begin = max(0, at - MAX_TEXT // 4)
    return text[begin : begin + MAX_TEXT]
