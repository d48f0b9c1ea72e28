"""The windows of one key of one correlation, and how they are written down.

Times are integers: microseconds since 1970, event time unless said otherwise.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Self

from vedette.detection.correlation.gauges import Condition, Gauge, Member, Value
from vedette.detection.correlation.tally import Tally

LATENESS: Final = 60_000_000
"""How much later than its neighbours an event may arrive and still share their windows."""

_EXACT_MEMBERS: Final = 64
_SLOTS: Final = 100
_MAX_MEMBERS: Final = 2_048
_time = attrgetter("time")


@dataclass(frozen=True, slots=True)
class Span:
    """The lengths that belong to a timespan, in microseconds."""

    length: int

    @property
    def reach(self) -> int:
        """Within which two events may share a window."""
        return self.length + LATENESS

    @property
    def slot(self) -> int:
        """Events of one kind that are no further apart share a member once a window has many."""
        return max(1, self.length // _SLOTS)

    @property
    def refresh(self) -> int:
        """How often a growing finding is told to the rules over it."""
        return max(1, self.length // 10)


class Watch:
    """Members that do not fill a window yet, by time; of equal times, by arrival.

    A window is a stretch of the timespan that ends with a member. The arrival of a member judges the windows it is in.
    In order that is one window, which the gauge follows. Up to 64 members are kept each for itself; from then on
    members of one rule and value share one within a hundredth of the timespan.
    """

    __slots__ = ("_condition", "_gauge", "_shared", "_span", "_start", "dropped", "members")

    def __init__(self, condition: Condition, span: Span, members: Sequence[Member] = ()) -> None:
        self._condition = condition
        self._span = span
        self._shared: Member | None = None
        self.members = list(members)
        self._follow_the_end()
        self.dropped = 0

    def add(self, member: Member) -> tuple[list[Member], float] | None:
        """Take a member in; the window that it fills, with its measure, None while none is full."""
        members = self.members
        if members and member.time < members[-1].time:
            self._shared = None
            return self._add_late(member)
        self._slide(member.time)
        self._append(member)
        self._drop_old(member.time - self._span.reach)
        measure = self._gauge.reading(members, self._start)
        return (members[self._start :], measure) if self._condition.holds(measure) else None

    def counts_again(self, time: int, part: int, weight: int, value: Value) -> bool:
        """Take in what only repeats the member before it, where that cannot fill a window; whether it was taken.

        It is what `add` does, without the steps that change nothing.
        """
        shared = self._shared
        if shared is None or part != shared.part or value != shared.value or time < self.members[-1].time:
            return False
        if time // self._span.slot != shared.time // self._span.slot:
            return False
        self._slide(time)
        if len(self.members) - self._start < _EXACT_MEMBERS:
            return False
        shared.weight += weight
        shared.rows += 1
        self._drop_old(time - self._span.reach)
        return True

    def _slide(self, time: int) -> None:
        oldest = time - self._span.length
        members = self.members
        while self._start < len(members) and members[self._start].time < oldest:
            self._gauge.remove(members[self._start])
            self._start += 1

    def _append(self, member: Member) -> None:
        shared = self._sharing(member)
        self._shared = shared if self._condition.counts_kinds else None
        if shared is None:
            self.members.append(member)
            self._gauge.add(member)
            return
        self._gauge.remove(shared)
        _count_in(shared, member)
        self._gauge.add(shared)

    def _sharing(self, member: Member) -> Member | None:
        """The member in the same slot that can stand for this one, too."""
        members = self.members
        if len(members) - self._start < _EXACT_MEMBERS or not self._condition.may_share:
            return None
        slot = member.time // self._span.slot
        for place in range(len(members) - 1, self._start - 1, -1):
            other = members[place]
            if other.time // self._span.slot != slot:
                return None
            if other.part == member.part and (other.value == member.value or self._condition.adds_values):
                return other
            if self._condition.is_ordered:
                return None
        return None

    def _add_late(self, member: Member) -> tuple[list[Member], float] | None:
        members = self.members
        shared = self._sharing_late(member)
        if shared is None:
            members.insert(bisect_right(members, member.time, key=_time), member)
            if len(members) > 2 * _EXACT_MEMBERS:
                del members[bisect_right(members, member.time + self._span.reach, key=_time) :]
        else:
            _count_in(shared, member)
            if self._condition.counts_kinds:
                return None
        found = self._first_full((shared or member).time)
        self._follow_the_end()
        self._drop_old(members[0].time)
        return found

    def _sharing_late(self, member: Member) -> Member | None:
        """The member in the same slot that can stand for one that comes late, where there are many."""
        members = self.members
        if len(members) <= 2 * _EXACT_MEMBERS or not self._condition.may_share or self._condition.is_ordered:
            return None
        slot = member.time // self._span.slot
        for place in range(bisect_left(members, slot * self._span.slot, key=_time), len(members)):
            other = members[place]
            if other.time // self._span.slot != slot:
                return None
            if other.part == member.part and (other.value == member.value or self._condition.adds_values):
                return other
        return None

    def _first_full(self, time: int) -> tuple[list[Member], float] | None:
        """The first full window among those that a member of this time is in."""
        members, length = self.members, self._span.length
        end = bisect_left(members, time, key=_time)
        last = bisect_right(members, time + length, key=_time)
        start = bisect_left(members, time - length, key=_time)
        gauge = self._condition.gauge(members[start:end])
        while end < last:
            gauge.add(members[end])
            while members[start].time < members[end].time - length:
                gauge.remove(members[start])
                start += 1
            end += 1
            window = members[start:end] if self._condition.is_ordered else members
            measure = gauge.reading(window, 0)
            if self._condition.holds(measure):
                return members[start:end], measure
        return None

    def _follow_the_end(self) -> None:
        self._start = 0
        if self.members:
            self._start = bisect_left(self.members, self.members[-1].time - self._span.length, key=_time)
        self._gauge: Gauge = self._condition.gauge(self.members[self._start :])

    def _drop_old(self, horizon: int) -> None:
        """What no window reaches any more, in bulk; and, counted, what is too much."""
        if len(self.members) > _MAX_MEMBERS:
            surplus = len(self.members) - _MAX_MEMBERS
            for member in self.members[self._start : surplus]:
                self._gauge.remove(member)
            del self.members[:surplus]
            self._start = max(0, self._start - surplus)
            self.dropped += surplus
        elif self._start > _EXACT_MEMBERS // 2 and self.members[_EXACT_MEMBERS // 4].time < horizon:
            gone = min(self._start, bisect_left(self.members, horizon, key=_time))
            del self.members[:gone]
            self._start -= gone


def _count_in(shared: Member, member: Member) -> None:
    shared.weight += member.weight
    shared.rows += member.rows
    if isinstance(shared.value, float) and isinstance(member.value, float):
        shared.value += member.value


@dataclass(slots=True)
class Episode:
    """Sightings of one key of which each is near the one that arrived before it.

    `previous` is the time of the latest arrived, `touched` wall time, `told` the event time at which rules over this
    one last heard of it. There is a `watch` until a window is full, and a `tally` from then on.
    """

    low: int
    high: int
    previous: int
    touched: int
    watch: Watch | None
    tally: Tally | None = None
    told: int | None = None

    def widen(self, low: int, high: int, previous: int) -> None:
        self.low, self.high, self.previous = min(self.low, low), max(self.high, high), previous

    def is_near(self, time: int, span: Span) -> bool:
        return abs(time - self.previous) <= span.reach

    def is_around(self, time: int, span: Span) -> bool:
        """Whether a moment lies in a finding, so that what is read once more grows it."""
        return self.tally is not None and self.low - span.length <= time <= self.high + span.length

    def to_json(self) -> dict[str, Any]:
        state: dict[str, Any] = {"l": self.low, "h": self.high, "p": self.previous, "t": self.touched}
        if self.watch is not None:
            state["w"] = members_to_json(self.watch.members)
        if self.tally is not None:
            state |= {"f": self.tally.to_json(), "o": self.told}
        return state

    @classmethod
    def from_json(cls, state: dict[str, Any], condition: Condition, span: Span) -> Self:
        low, high, previous, touched = (int(state[name]) for name in "lhpt")
        watch = Watch(condition, span, members_from_json(state["w"])) if "w" in state else None
        tally = Tally.from_json(state["f"]) if "f" in state else None
        return cls(low, high, previous, touched, watch, tally, state.get("o"))


@dataclass(slots=True)
class Term:
    """A window that begins with a sighting and lasts one timespan, for conditions that only a window that is over tells.

    `deadline` is the event time of `source` at which it is over.
    """

    start: int
    source: str
    touched: int
    tally: Tally
    members: list[Member] = field(default_factory=list)
    dropped: int = 0

    def deadline(self, span: Span) -> int:
        return self.start + span.reach

    def covers(self, time: int, span: Span) -> bool:
        return self.start - LATENESS <= time <= self.start + span.length

    def add(self, member: Member) -> None:
        if len(self.members) >= _MAX_MEMBERS:
            self.dropped += 1
            return
        self.members.insert(bisect_right(self.members, member.time, key=_time), member)

    def to_json(self) -> dict[str, Any]:
        return {
            "b": self.start,
            "s": self.source,
            "t": self.touched,
            "f": self.tally.to_json(),
            "m": members_to_json(self.members),
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        tally = Tally.from_json(state["f"])
        return cls(int(state["b"]), str(state["s"]), int(state["t"]), tally, members_from_json(state["m"]))


def members_to_json(members: Sequence[Member]) -> list[list[Any]]:
    """One list a member."""
    return [
        [m.time, m.part, m.weight, m.value, m.event_id, m.rows, m.user, m.host, m.source, m.address, m.text]
        for m in members
    ]


def members_from_json(state: Sequence[Sequence[Any]]) -> list[Member]:
    """What `members_to_json` wrote."""
    return [Member(*one) for one in state]
