"""Correlations equal a plain reading of their definition, one event at a time, however the stream is cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from statistics import mean, median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.correlating import NOW, START, detector_of, event, found_in_pieces, frame, on, together
from vedette.detection.correlation import sightings
from vedette.detection.sigma.rules import (
    AllOccur,
    AnyOccurs,
    CorrelationRule,
    DetectionRule,
    Occurs,
    OccursNot,
)
from vedette.model.findings import Finding

LATENESS = 60
"""Seconds by which an event may be late."""

SPAN = 20

AT_ONCE = {
    "event_count": together("event_count", "a", conditions=(("gte", 4),)),
    "event_count of two rules": together("event_count", "a", "b", conditions=(("gt", 3), ("gte", 2))),
    "value_count": together("value_count", "a", "b", conditions=(("gte", 3),), value_field="user.name"),
    "temporal": together("temporal", "a", "b", "c"),
    "temporal, two of three": together("temporal", "a", "b", "c", conditions=(("gte", 2),)),
    "temporal_ordered": together("temporal_ordered", "a", "b", "c"),
    "extended": together(
        "temporal", "a", "b", "c", occurrence=AnyOccurs((AllOccur((Occurs("a"), Occurs("b"))), Occurs("c")))
    ),
    "extended, ordered": together(
        "temporal_ordered", "a", "b", "c", occurrence=AllOccur((Occurs("b"), AnyOccurs((Occurs("a"), Occurs("c")))))
    ),
    "value_sum": together("value_sum", "a", conditions=(("gt", 20),), value_field="bytes"),
    "value_avg": together("value_avg", "a", conditions=(("gte", 6),), value_field="bytes"),
    "value_avg below": together("value_avg", "a", conditions=(("lt", 3),), value_field="bytes"),
    "value_median": together("value_median", "a", conditions=(("gt", 5),), value_field="bytes"),
    "value_percentile": together("value_percentile", "a", conditions=(("gte", 8),), value_field="bytes", percentile=75),
    "two keys": together("event_count", "a", by=("source.ip", "user.name"), conditions=(("gte", 3),)),
    "no key": together("event_count", "a", by=(), conditions=(("gte", 6),)),
}
AT_THE_END = {
    "fewer than": together("event_count", "a", conditions=(("lt", 3),)),
    "exactly": together("event_count", "a", conditions=(("eq", 2),)),
    "not another": together("temporal", "a", "b", occurrence=AllOccur((Occurs("a"), OccursNot(Occurs("b"))))),
    "few values": together("value_count", "a", "b", conditions=(("lte", 1),), value_field="user.name"),
}

steps = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 9, 10, 19, 20, 21, 45, 90, -1, -5, -19, -20, -25, -70])
streams = st.lists(
    st.tuples(
        steps,
        st.sampled_from(["203.0.113.1", "203.0.113.1", "203.0.113.2", None]),
        st.sampled_from(["a", "a", "b", "c", "ab", "", "x"]),
        st.sampled_from(["root", "admin", "deploy", None]),
        st.sampled_from([None, 1, 2, 4, 8, 9]),
    ),
    max_size=50,
)


def events_of(stream: Any) -> list[dict[str, Any]]:
    seconds, rows = 0, []
    for step, address, action, user, size in stream:
        seconds += step
        fields = None if size is None else f'{{"bytes":"{size}"}}'
        rows.append(event(seconds, action, source_ip=address, user_name=user, fields=fields))
    return rows


def seconds_of(row: dict[str, Any]) -> float:
    return float((row["@timestamp"] - START).total_seconds())


class OneByOne:
    """The definition of a correlation, as plainly as possible; ignores every bound."""

    def __init__(self, rule: CorrelationRule) -> None:
        self.rule = rule
        self.episodes: dict[tuple[Any, ...], list[dict[str, Any]]] = {}

    def see(self, number: int, row: dict[str, Any]) -> None:
        time = seconds_of(row)
        key = tuple(row[name] for name in self.rule.group_by)
        if None in key:
            return
        for part, letter in enumerate(self.rule.rules):
            if letter in row["event.action"]:
                value = self.value(row)
                if self.rule.value_field and value is None:
                    continue
                self.arrive(key, {"time": time, "part": part, "value": value, "number": number})
                if not self.rule.type.value.startswith("temporal"):
                    return

    def end(self) -> None:
        """Nothing more comes."""

    def value(self, row: dict[str, Any]) -> Any:
        match self.rule.value_field:
            case None:
                return None
            case "bytes":
                return float(row["fields"].split('"')[3]) if row["fields"] else None
            case name:
                return row[name]

    def arrive(self, key: tuple[Any, ...], one: dict[str, Any]) -> None:
        episodes = self.episodes.setdefault(key, [])
        time = one["time"]
        near = [each for each in episodes if abs(time - each["previous"]) <= SPAN + LATENESS]
        around = [each for each in episodes if each["window"] and each["low"] - SPAN <= time <= each["high"] + SPAN]
        if near:
            episode = near[-1]
            episodes.remove(episode)
        elif around:
            episode = around[-1]
            episodes.remove(episode)
        else:
            episode = {"low": time, "high": time, "members": [], "window": None, "grown": set()}
        episodes.append(episode)
        episode["previous"] = time
        episode["low"], episode["high"] = min(episode["low"], time), max(episode["high"], time)
        if episode["window"]:
            episode["grown"].add(one["number"])
            return
        episode["members"].append(one)
        episode["members"].sort(key=lambda each: each["time"])
        for end in [each["time"] for each in episode["members"] if time <= each["time"] <= time + SPAN]:
            window = [each for each in episode["members"] if end - SPAN <= each["time"] <= end]
            last_at_end = max(place for place, each in enumerate(episode["members"]) if each["time"] == end)
            for upto in range(episode["members"].index(window[0]), last_at_end + 1):
                if episode["members"][upto]["time"] == end and self.holds(
                    [each for each in episode["members"][: upto + 1] if each["time"] >= end - SPAN]
                ):
                    episode["window"] = [each for each in episode["members"][: upto + 1] if each["time"] >= end - SPAN]
                    return

    def holds(self, window: Sequence[dict[str, Any]]) -> bool:
        measure = self.measure(window)
        signs = {
            "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
            "eq": lambda a, b: a == b,
        }  # fmt: skip
        conditions = self.rule.conditions or (("gte", 1 if self.rule.occurrence else len(self.rule.rules)),)
        return all(signs[name](measure, number) for name, number in conditions)

    def measure(self, window: Sequence[dict[str, Any]]) -> float:
        parts = [each["part"] for each in window]
        values = [each["value"] for each in window]
        match self.rule.type.value:
            case "event_count":
                return len(window)
            case "value_count":
                return len(set(values))
            case "value_sum":
                return float(sum(values))
            case "value_avg":
                return float(mean(values))
            case "value_median":
                return float(median(values))
            case "value_percentile":
                ordered = sorted(values)
                place = self.rule.percentile / 100 * (len(ordered) - 1)
                below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
                return float(below + (above - below) * (place % 1))
            case "temporal" if self.rule.occurrence is not None:
                return float(occurs(self.rule.occurrence, {self.rule.rules[part] for part in parts}))
            case "temporal":
                return len(set(parts))
            case _ if self.rule.occurrence is not None:
                return float(any(parts[at] == 1 and {0, 2} & set(parts[at + 1 :]) for at in range(len(parts))))
            case _:
                longest = dict.fromkeys(range(len(self.rule.rules)), 0)
                for part in parts:
                    longest[part] = max(longest[part], 1 + max((longest[one] for one in range(part)), default=0))
                return max(longest.values())

    def seen(self) -> set[tuple[Any, ...]]:
        return {
            (
                key,
                each["window"][0]["time"],
                each["window"][0]["number"],
                len({one["number"] for one in each["window"]} | each["grown"]),
            )
            for key, episodes in self.episodes.items()
            for each in episodes
            if each["window"]
        }


def occurs(node: Any, seen: set[str]) -> bool:
    match node:
        case Occurs():
            return node.rule in seen
        case AllOccur():
            return all(occurs(one, seen) for one in node.members)
        case AnyOccurs():
            return any(occurs(one, seen) for one in node.members)
        case _:
            return not occurs(node.member, seen)


class AtTheEnd(OneByOne):
    """Conditions that only a window that is over tells, likewise. The stream is one source."""

    def __init__(self, rule: CorrelationRule) -> None:
        super().__init__(rule)
        self.mark = float("-inf")
        self.open: dict[tuple[Any, ...], list[list[dict[str, Any]]]] = {}
        self.over: set[tuple[Any, ...]] = set()

    def see(self, number: int, row: dict[str, Any]) -> None:
        self.pass_by(seconds_of(row))
        super().see(number, row)

    def end(self) -> None:
        self.pass_by(float("inf"))

    def pass_by(self, moment: float) -> None:
        self.mark = max(self.mark, moment)
        for key, windows in self.open.items():
            for window in list(windows):
                if self.mark > window[0]["begin"] + SPAN + LATENESS:
                    windows.remove(window)
                    if self.holds(sorted(window, key=lambda each: each["time"])):
                        self.over.add(
                            (key, window[0]["begin"], window[0]["number"], len({one["number"] for one in window}))
                        )

    def arrive(self, key: tuple[Any, ...], one: dict[str, Any]) -> None:
        windows = self.open.setdefault(key, [])
        for window in reversed(windows):
            if window[0]["begin"] - LATENESS <= one["time"] <= window[0]["begin"] + SPAN:
                window.append(one)
                return
        if self.mark <= one["time"] + SPAN + LATENESS:
            windows.append([one | {"begin": one["time"]}])

    def seen(self) -> set[tuple[Any, ...]]:
        return self.over


def as_seen(findings: dict[str, Finding], rule: CorrelationRule) -> set[tuple[Any, ...]]:
    return {
        (
            tuple(finding.entity[name] for name in rule.group_by),
            int(finding.event_ids[0].partition("-")[2], 16),
            finding.event_count,
        )
        for finding in findings.values()
    }


@contextmanager
def grouped_in(*, columns: bool) -> Iterator[None]:
    """As large batches are, however few the rows, or as small ones are."""
    with pytest.MonkeyPatch.context() as patch:
        for bound in ("_ONE_BY_ONE", "_SMALL", "_FEW"):
            patch.setattr(sightings, bound, 0 if columns else getattr(sightings, bound))
        yield


def rules_with(rule: CorrelationRule) -> list[DetectionRule | CorrelationRule]:
    return [*(on(letter) for letter in "abc"), rule]


@pytest.mark.parametrize("name", [*AT_ONCE, *AT_THE_END])
@settings(max_examples=40, deadline=None)
@given(stream=streams, data=st.data())
def test_a_correlation_equals_its_definition_however_the_stream_is_cut(
    name: str, stream: Any, data: st.DataObject
) -> None:
    rule = AT_ONCE.get(name) or AT_THE_END[name]
    rows = events_of(stream)
    reference = OneByOne(rule) if name in AT_ONCE else AtTheEnd(rule)
    for number, row in enumerate(rows):
        reference.see(number, row)
    ends = data.draw(st.booleans())
    if ends:
        reference.end()
    expected = {(key, number, count) for key, _, number, count in reference.seen()}

    rules = [one for one in rules_with(rule) if one.id in (*rule.rules, rule.id)]
    with grouped_in(columns=data.draw(st.booleans())):
        whole = found_in_pieces(rules, rows, [], restarts=False, ends=ends)
    assert as_seen(whole, rule) == expected
    cuts = data.draw(st.sets(st.integers(0, len(rows)), max_size=12))
    assert found_in_pieces(rules, rows, cuts, restarts=data.draw(st.booleans()), ends=ends) == whole


@settings(max_examples=60, deadline=None)
@given(stream=streams, data=st.data())
def test_rules_over_rules_and_single_rules_are_the_same_however_the_stream_is_cut(
    stream: Any, data: st.DataObject
) -> None:
    rows = events_of(stream)
    rules: list[DetectionRule | CorrelationRule] = [
        on("a"),
        on("b"),
        on("c"),
        on("x"),
        together("event_count", "a", conditions=(("gte", 3),), identifier="many"),
        together("temporal_ordered", "many", "b", identifier="then", generate=True),
        together("event_count", "many", by=("host.name",), conditions=(("gte", 2),), seconds=300, identifier="spread"),
        together("event_count", "a", conditions=(("gte", 2),), seconds=200, identifier="long"),
        together("event_count", "long", by=("host.name",), conditions=(("gte", 2),), seconds=60, identifier="at once"),
        together("event_count", "b", conditions=(("lt", 2),), identifier="few"),
        together("event_count", "few", conditions=(("gte", 1),), seconds=300, identifier="few told"),
        together("event_count", "few", conditions=(("lt", 3),), seconds=300, identifier="few fews", generate=True),
    ]
    with grouped_in(columns=data.draw(st.booleans())):
        whole = found_in_pieces(rules, rows, [], restarts=False, ends=True)
    cuts = data.draw(st.sets(st.integers(0, len(rows)), max_size=12))
    assert found_in_pieces(rules, rows, cuts, restarts=data.draw(st.booleans()), ends=True) == whole


def test_rules_over_rules_hear_of_several_keys_in_the_order_of_events() -> None:
    """One address is told at 2 s and, as it goes on, at 150 s; another at 50 s, within a minute of the first."""
    rows = [
        event(seconds, source_ip=f"203.0.113.{1 if seconds < 9 or seconds > 99 else 2}")
        for seconds in (0, 1, 2, 48, 49, 50, 150)
    ]
    rules: list[DetectionRule | CorrelationRule] = [
        on("a"),
        together("event_count", "a", conditions=(("gte", 3),), seconds=200, identifier="many"),
        together("event_count", "many", by=("host.name",), conditions=(("gte", 2),), seconds=60, identifier="spread"),
    ]
    whole = found_in_pieces(rules, rows, [], restarts=False)
    assert [finding.entity for finding in whole.values()] == [{"host.name": "bastion"}]
    assert found_in_pieces(rules, rows, range(len(rows)), restarts=True) == whole


@pytest.mark.parametrize("name", ["value_count", "temporal", "temporal_ordered", "value_sum", "value_percentile"])
@pytest.mark.parametrize("seed", range(2))
def test_crowded_windows_are_the_same_however_the_stream_is_cut(name: str, seed: int) -> None:
    """Where members share what they stand for."""
    random = Random(seed)
    rule = AT_ONCE[name]
    rule = replace(rule, conditions=tuple((operator, 5_000 * number) for operator, number in rule.conditions))
    if name == "value_count":
        rule = replace(rule, conditions=(("gte", 5),))
    seconds, rows = 0.0, []
    for _ in range(1_500):
        seconds += random.choice([0, 0.02, 0.05, 0.1])
        late = random.choice([0] * 30 + [0.1, 3, 30])
        action = random.choice(["a"] * 12 + ["b"]) if random.random() < 0.998 else "c"
        user = random.choice(["root", "admin", "deploy"] * 300 + ["anna", "bob"])
        fields = f'{{"bytes":"{random.choice([1, 2, 4])}"}}'
        rows.append(event(seconds - late, action, user_name=user, fields=fields))
    rules = [one for one in rules_with(rule) if one.id in (*rule.rules, rule.id)]
    whole, cut = detector_of(*rules), detector_of(*rules)
    with grouped_in(columns=True):
        findings = {finding.id: finding for finding in whole.inspect(frame(rows), NOW)}
    grown: dict[str, Finding] = {}
    for begin, end in itertools.pairwise([0, *sorted(random.sample(range(1, len(rows)), 12)), len(rows)]):
        grown |= {finding.id: finding for finding in cut.inspect(frame(rows[begin:end], begin), NOW)}
        state = cut.snapshot()
        cut = detector_of(*rules)
        cut.restore(state or b"")
    assert grown == findings
    cut.inspect(frame([event(seconds + 1)], len(rows)), NOW)
    whole.inspect(frame([event(seconds + 1)], len(rows)), NOW)
    assert cut.snapshot() == whole.snapshot()
