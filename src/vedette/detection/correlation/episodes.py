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

    While there are too few members for any window to be full, nothing is measured: most keys never get further.
    """

    __slots__ = ("_condition", "_gauge", "_kinds", "_overall", "_shared", "_span", "_start", "dropped", "members")

    def __init__(self, condition: Condition, span: Span, members: Sequence[Member] = ()) -> None:
        self._condition = condition
        self._span = span
        self._shared: Member | None = None
        self._gauge: Gauge | None = None
        self._overall: Gauge | None = None
        self._kinds: dict[tuple[int, int, Value], Member] | None = None
        self._start = 0
        self.members = list(members)
        self.dropped = 0

    def add(self, member: Member) -> tuple[list[Member], float] | None:
        """Take a member in; the window that it fills, with its measure, None while none is full."""
        members = self.members
        is_late = bool(members) and member.time < members[-1].time
        gauge = self._gauge
        if gauge is None:
            if self._is_too_few(member):
                place = bisect_right(members, member.time, key=_time) if is_late else len(members)
                members.insert(place, member)
                return None
            gauge = self._follow_the_end()
        if is_late:
            self._shared = None
            return self._add_late(member)
        self._slide(member.time)
        self._append(member, gauge)
        self._drop_old(member.time - self._span.reach)
        measure = gauge.reading(members, self._start)
        return (members[self._start :], measure) if self._condition.holds(measure) else None

    def counts_again(self, time: int, part: int, weight: int, value: Value) -> bool:
        """Take in what only repeats a member that is there, where that cannot fill a window; whether it was taken.

        It is what `add` does, without the steps that change nothing.
        """
        members = self.members
        if self._gauge is None or not self._condition.counts_kinds or not members:
            return False
        if time < members[-1].time:
            shared = self._sharing_late(time, part, value)
            if shared is None:
                return False
            self._shared = None
            shared.weight += weight
            shared.rows += 1
            return True
        shared = self._shared
        if shared is None or part != shared.part or value != shared.value:
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

    def _is_too_few(self, member: Member) -> bool:
        """Whether no window can be full with this member, whatever the members are."""
        number = len(self.members) + 1
        if number >= self._condition.least_members or number > _EXACT_MEMBERS // 2:
            return False
        return member.weight <= 1 and all(one.weight <= 1 for one in self.members)

    def _slide(self, time: int) -> None:
        oldest = time - self._span.length
        members = self.members
        if self._start >= len(members) or members[self._start].time >= oldest:
            return
        gauge = self._gauge or self._follow_the_end()
        while self._start < len(members) and members[self._start].time < oldest:
            gauge.remove(members[self._start])
            self._start += 1

    def _append(self, member: Member, gauge: Gauge) -> None:
        shared = self._sharing(member)
        self._shared = shared if self._condition.counts_kinds else None
        if shared is None:
            self.members.append(member)
            self._note(member)
            gauge.add(member)
            return
        gauges = (gauge,) if self._overall is None else (gauge, self._overall)
        for one in gauges:
            one.remove(shared)
        _count_in(shared, member)
        for one in gauges:
            one.add(shared)

    def _note(self, member: Member) -> None:
        if self._overall is not None:
            self._overall.add(member)
        if self._kinds is not None:
            self._know(self._kinds, member)

    def _know(self, kinds: dict[tuple[int, int, Value], Member], member: Member) -> None:
        """Of one slot and kind the last member is the one that others share."""
        kind = self._kind(member.time, member.part, member.value)
        known = kinds.get(kind)
        if known is None or known.time <= member.time:
            kinds[kind] = member

    def _kind(self, time: int, part: int, value: Value) -> tuple[int, int, Value]:
        return time // self._span.slot, part, None if self._condition.adds_values else value

    def _known(self, time: int, part: int, value: Value) -> Member | None:
        if self._kinds is None:
            self._kinds = {}
            for member in self.members:
                self._know(self._kinds, member)
        return self._kinds.get(self._kind(time, part, value))

    def _forget(self, begin: int, end: int) -> None:
        """Members from the start, or of whole slots, are no longer there."""
        gone = self.members[begin:end]
        del self.members[begin:end]
        for member in gone:
            if self._overall is not None:
                self._overall.remove(member)
            if self._kinds is not None:
                kind = self._kind(member.time, member.part, member.value)
                if self._kinds.get(kind) is member:
                    del self._kinds[kind]

    def _sharing(self, member: Member) -> Member | None:
        """The member in the same slot that can stand for this one, too."""
        members = self.members
        if len(members) - self._start < _EXACT_MEMBERS or not self._condition.may_share:
            return None
        known = self._known(member.time, member.part, member.value)
        return None if self._condition.is_ordered and known is not members[-1] else known

    def _add_late(self, member: Member) -> tuple[list[Member], float] | None:
        members = self.members
        shared = self._sharing_late(member.time, member.part, member.value)
        if shared is None:
            self._insert(member)
        else:
            is_followed = shared.time >= members[-1].time - self._span.length
            gauges = [gauge for gauge in (self._gauge if is_followed else None, self._overall) if gauge is not None]
            for gauge in gauges:
                gauge.remove(shared)
            _count_in(shared, member)
            for gauge in gauges:
                gauge.add(shared)
            if self._condition.counts_kinds:
                return None
        found = self._first_full((shared or member).time) if self._may_be_full() else None
        self._drop_old(members[0].time)
        return found

    def _insert(self, member: Member) -> None:
        members = self.members
        members.insert(bisect_right(members, member.time, key=_time), member)
        self._note(member)
        if member.time < members[-1].time - self._span.length:
            self._start += 1
        elif self._gauge is not None:
            self._gauge.add(member)
        if len(members) > 2 * _EXACT_MEMBERS:
            slot = self._span.slot
            behind = bisect_left(members, ((member.time + self._span.reach) // slot + 1) * slot, key=_time)
            if behind < len(members):
                self._forget(behind, len(members))
                self._follow_the_end()

    def _sharing_late(self, time: int, part: int, value: Value) -> Member | None:
        """The member in the same slot that can stand for one that comes late, where there are many."""
        if len(self.members) <= 2 * _EXACT_MEMBERS or not self._condition.may_share or self._condition.is_ordered:
            return None
        return self._known(time, part, value)

    def _may_be_full(self) -> bool:
        """Whether all members together measure enough, where no window can measure more than that."""
        if not self._condition.only_rises:
            return True
        if self._overall is None:
            self._overall = self._condition.gauge(self.members)
        return self._condition.holds(self._overall.reading(self.members, 0))

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

    def _follow_the_end(self) -> Gauge:
        self._start = 0
        if self.members:
            self._start = bisect_left(self.members, self.members[-1].time - self._span.length, key=_time)
        self._gauge = self._condition.gauge(self.members[self._start :])
        return self._gauge

    def _drop_old(self, horizon: int) -> None:
        """What no window reaches any more, in bulk; and, counted, what is too much."""
        if len(self.members) > _MAX_MEMBERS:
            surplus = len(self.members) - _MAX_MEMBERS
            for member in self.members[self._start : surplus]:
                if self._gauge is not None:
                    self._gauge.remove(member)
            self._forget(0, surplus)
            self._start = max(0, self._start - surplus)
            self.dropped += surplus
        elif self._start > _EXACT_MEMBERS // 2 and self.members[_EXACT_MEMBERS // 4].time < horizon:
            gone = min(self._start, bisect_left(self.members, horizon, key=_time))
            self._forget(0, gone)
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
