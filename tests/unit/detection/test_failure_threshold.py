"""Brute force: what counts, what a finding says, and that cutting the stream changes nothing."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.detection import FailureThreshold, FailureThresholdRule
from vedette.model.events import EVENT_SCHEMA, event_id
from vedette.model.findings import Finding

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
ATTACKER = "203.0.113.77"


def login(seconds: float, **columns: Any) -> dict[str, Any]:
    """One failed login, `seconds` after the start; keyword names use `_` for the dot."""
    row: dict[str, Any] = {
        "@timestamp": START + timedelta(seconds=seconds),
        "event.category": "authentication",
        "event.outcome": "failure",
        "event.action": "ssh-login",
        "source.ip": ATTACKER,
        "user.name": "root",
        "host.name": "bastion",
        "vedette.source": "auth",
    }
    row.update({name.replace("_", ".", 1): value for name, value in columns.items()})
    row["event.original"] = f"Failed password for {row['user.name']} from {row['source.ip']}"
    return row


def frame(rows: Sequence[dict[str, Any]], first_offset: int = 0) -> pl.DataFrame:
    numbered = [{"vedette.generation": 1, "log.offset": first_offset + index, **row} for index, row in enumerate(rows)]
    return pl.DataFrame(numbered, schema=EVENT_SCHEMA)


def found(rows: Sequence[dict[str, Any]], rule: FailureThresholdRule | None = None) -> list[Finding]:
    return FailureThreshold(rule).inspect(frame(rows), NOW)


def test_ten_failures_in_five_minutes_are_a_finding() -> None:
    (finding,) = found([login(20 * number) for number in range(10)])
    assert finding.severity == 7
    assert finding.rule_level == "high"
    assert finding.entity == {"source.ip": ATTACKER, "host.name": "bastion", "user.name": "root"}
    assert (finding.event_count, finding.first_seen) == (10, START)
    assert finding.last_seen == START + timedelta(seconds=180)
    assert finding.event_ids == tuple(event_id(1, offset) for offset in range(10))
    assert finding.summary == f"{ATTACKER} failed 10 logins in 3 minutes on bastion, all as root."
    assert "attack.t1110" in finding.tags
    assert finding.sources == ("auth",)


def test_nine_failures_are_none() -> None:
    assert found([login(number) for number in range(9)]) == []


def test_ten_failures_spread_over_more_than_the_window_are_none() -> None:
    assert found([login(34 * number) for number in range(10)]) == []


def test_failures_of_several_addresses_are_not_added_up() -> None:
    assert found([login(number, source_ip=f"203.0.113.{number}") for number in range(30)]) == []


def test_only_failed_authentication_counts() -> None:
    others: list[dict[str, Any]] = [
        {"event_category": "web"},
        {"event_outcome": "unknown"},
        {"event_outcome": None},
        {"event_category": None},
        {"source_ip": None},
    ]
    for other in others:
        assert found([login(number, **other) for number in range(20)]) == []


def test_a_name_stands_in_where_there_is_no_address() -> None:
    rows = [login(number, source_ip=None, source_address="crawler.example") for number in range(12)]
    (finding,) = found(rows)
    assert finding.entity["source.address"] == "crawler.example"


def test_several_lines_of_one_attempt_count_once() -> None:
    rows = []
    for number in range(9):
        for action in ("ssh-invalid-user", "pam-authentication", "ssh-login"):
            rows.append(login(number, event_action=action, process_pid=500 + number))
    assert found(rows) == []
    rows += [login(9, event_action="ssh-login", process_pid=600)]
    (finding,) = found(rows)
    assert finding.event_count == 10


def test_three_prompts_on_one_connection_count_three_times() -> None:
    rows = [login(number, process_pid=500 + number // 3) for number in range(12)]
    (finding,) = found(rows)
    assert finding.event_count == 12


def test_a_repeated_message_counts_as_often_as_it_says() -> None:
    rows = [
        login(0, process_pid=7),
        login(1, process_pid=7, fields='{"repeated":"4","ssh.method":"password"}'),
        login(2, process_pid=7, event_action="pam-authentication", fields='{"repeated": "5"}'),
        login(3, process_pid=8),
        login(4, process_pid=8, fields='{"repeated":"5"}'),
    ]
    (finding,) = found(rows)
    assert finding.event_count == 11
    assert finding.event_ids == tuple(event_id(1, offset) for offset in (0, 1, 3, 4))


def test_lines_of_one_attempt_are_known_across_batches_and_restarts() -> None:
    detector = FailureThreshold()
    offset = 0
    for number in range(9):
        for action in ("ssh-invalid-user", "pam-authentication", "ssh-login"):
            batch = frame([login(number, event_action=action, process_pid=500 + number)], offset)
            assert detector.inspect(batch, NOW) == []
            state = detector.snapshot()
            assert state is not None
            detector = FailureThreshold()
            detector.restore(state)
            offset += 1


def test_a_finding_grows_under_one_id() -> None:
    detector = FailureThreshold()
    (first,) = detector.inspect(frame([login(number) for number in range(10)]), NOW)
    (second,) = detector.inspect(frame([login(10 + number) for number in range(30)], 10), NOW)
    assert first.id == second.id
    assert (first.event_count, second.event_count) == (10, 40)
    assert second.found_at == first.found_at
    assert len(second.event_ids) == FailureThresholdRule().max_event_ids


def test_a_batch_without_news_finds_nothing_and_changes_nothing() -> None:
    detector = FailureThreshold()
    detector.inspect(frame([login(number) for number in range(10)]), NOW)
    assert detector.snapshot() is not None
    ordinary = [login(number, event_category="web") for number in range(10)]
    assert detector.inspect(frame(ordinary), NOW) == []
    assert detector.snapshot() is None


def test_a_pause_longer_than_the_window_begins_a_new_finding() -> None:
    rows = [login(number) for number in range(12)] + [login(400 + number) for number in range(12)]
    first, second = found(rows)
    assert first.id != second.id
    assert (first.event_count, second.event_count) == (12, 12)


def test_success_after_failures_raises_severity_and_is_evidence() -> None:
    rows = [login(number) for number in range(10)]
    rows.append(login(12, event_outcome="success", user_name="deploy"))
    (finding,) = found(rows)
    assert finding.severity == 9
    assert ("success after failures", 2) in [(one.reason, one.amount) for one in finding.factors]
    assert finding.evidence[-1].value == "deploy"
    assert finding.evidence[-1].event_id == event_id(1, 10)
    assert finding.event_ids[-1] == event_id(1, 10)
    assert finding.summary.endswith("and then logged in as deploy.")
    assert any("deploy" in action for action in finding.actions)


def test_success_before_the_failures_raises_nothing() -> None:
    rows = [login(0, event_outcome="success"), *(login(1 + number) for number in range(10))]
    (finding,) = found(rows)
    assert finding.severity == 7


def test_success_long_after_the_failures_raises_nothing() -> None:
    rows = [login(number) for number in range(10)]
    (finding,) = found([*rows, login(10 + 301, event_outcome="success")])
    assert finding.severity == 7


def test_many_users_and_success_reach_the_top() -> None:
    rows = [login(number, user_name=f"user{number}") for number in range(38)]
    (finding,) = found(rows)
    assert finding.severity == 8
    assert finding.summary == f"{ATTACKER} failed 38 logins in 37 seconds on bastion, trying 38 users."
    (finding,) = found([*rows, login(40, event_outcome="success")])
    assert finding.severity == 10


def test_evidence_names_clause_column_value_and_text() -> None:
    (finding,) = found([login(number) for number in range(15)])
    window, *samples = finding.evidence
    assert (window.clause, window.value) == ("event_count >= 10 in 5 min by source.ip", "15")
    assert len(samples) == 3
    assert all(one.column == "source.ip" and one.value in one.text for one in samples)
    assert [one.event_id for one in samples] == [event_id(1, offset) for offset in (9, 10, 11)]


def test_a_late_record_still_counts() -> None:
    rows = [login(100 + number) for number in range(9)] + [login(70)]
    (finding,) = found(rows)
    assert finding.first_seen == START + timedelta(seconds=70)


def test_an_old_file_read_beside_a_new_one_is_told_apart() -> None:
    rows = []
    for number in range(12):
        rows += [login(number), login(-86_400 + number)]
    old, new = sorted(found(rows), key=lambda finding: finding.first_seen)
    assert (old.event_count, new.event_count) == (12, 12)
    assert new.first_seen - old.first_seen == timedelta(days=1)


def test_a_siege_read_again_in_another_file_grows_instead_of_repeating() -> None:
    rows = [login(number) for number in range(400)]
    (finding,) = found([*rows, *rows])
    assert finding.event_count == 800


def test_names_from_hostile_text_stand_quoted_in_commands() -> None:
    rows = [login(number) for number in range(10)]
    rows.append(login(12, event_outcome="success", user_name="x; rm -rf ~"))
    (finding,) = found(rows)
    assert not any("terminate-user x; rm" in action for action in finding.actions)
    assert any("terminate-user 'x; rm -rf ~'" in action for action in finding.actions)


def test_memory_and_state_are_bounded_and_eviction_is_counted() -> None:
    rule = FailureThresholdRule(max_episodes=50, max_logins_in_progress=60)
    detector = FailureThreshold(rule)
    rows = [login(number / 10, source_ip=f"198.51.100.{number}", process_pid=number) for number in range(200)]
    detector.inspect(frame(rows), NOW)
    assert detector.evicted == 150 + 140
    state = json.loads(zlib.decompress(detector.snapshot() or b""))
    assert len(state["addresses"]) == 50
    assert len(state["logins"]) == 60


def test_what_is_over_is_forgotten_uncounted() -> None:
    detector = FailureThreshold()
    detector.inspect(frame([login(0, source_ip="198.51.100.1")]), NOW)
    later = NOW + timedelta(hours=1)
    detector.inspect(frame([login(3600, source_ip="198.51.100.2")]), later)
    state = json.loads(zlib.decompress(detector.snapshot() or b""))
    assert list(state["addresses"]) == ["198.51.100.2"]
    assert detector.evicted == 0


def test_a_long_siege_keeps_a_small_state() -> None:
    detector = FailureThreshold()
    rows = [login(number / 10, user_name=f"user{number}", process_pid=number) for number in range(20_000)]
    detector.inspect(frame(rows), NOW)
    assert len(detector.snapshot() or b"") < 50_000


@pytest.mark.parametrize(
    "state",
    [b"", b"nonsense", zlib.compress(b"{}"), zlib.compress(b'{"version":99}'), zlib.compress(b"[1]")],
)
def test_an_unreadable_snapshot_starts_empty(state: bytes) -> None:
    detector = FailureThreshold()
    detector.restore(state)
    assert detector.inspect(frame([login(number) for number in range(9)]), NOW) == []


# --- cutting the stream ---------------------------------------------------------------------------------

SMALL = FailureThresholdRule(
    threshold=4, window=timedelta(seconds=20), lateness=timedelta(seconds=5), many_users=3, max_event_ids=6
)


class RowByRow:
    """The definition of the rule, as plainly as possible, one row at a time; ignores every bound."""

    def __init__(self, rule: FailureThresholdRule) -> None:
        self.rule = rule
        self.episodes: dict[str, list[dict[str, Any]]] = {}
        self.logins: dict[tuple[Any, ...], dict[str, int]] = {}

    def see(self, row: dict[str, Any], identifier: str) -> None:
        address = row["source.ip"]
        time = (row["@timestamp"] - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        window, lateness = self.rule.window.total_seconds(), self.rule.lateness.total_seconds()
        episodes = self.episodes.setdefault(address, [])
        near = [one for one in episodes if -lateness <= time - one["previous"] <= window]
        wide = [
            one for one in episodes if one["siege"] is not None and one["low"] - window <= time <= one["high"] + window
        ]
        episode = near[-1] if near else wide[-1] if wide else None
        if row["event.outcome"] == "success":
            if episode and episode["siege"] is not None:
                episode["successes"].append((row["user.name"], identifier))
            return
        attempts = self.attempts(row, address, time)
        if episode is None:
            episode = {"low": time, "high": time, "attempts": [], "siege": None, "successes": []}
        else:
            episodes.remove(episode)
        episodes.append(episode)
        episode["previous"] = time
        episode["low"], episode["high"] = min(episode["low"], time), max(episode["high"], time)
        if episode["siege"] is not None:
            episode["users"].add(row["user.name"])
        for _ in range(attempts):
            episode["attempts"].append((time, identifier, row["user.name"]))
            if episode["siege"] is None:
                last = episode["attempts"][-self.rule.threshold :]
                times = [one[0] for one in last]
                if len(last) == self.rule.threshold and max(times) - min(times) <= window:
                    episode["siege"] = len(episode["attempts"]) - self.rule.threshold
                    episode["users"] = {one[2] for one in last}

    def attempts(self, row: dict[str, Any], address: str, time: float) -> int:
        lines = int(json.loads(row["fields"] or "{}").get("repeated", 1))
        if row["process.pid"] is None:
            return lines
        key = (address, row["process.pid"], time // self.rule.window.total_seconds())
        counts = self.logins.setdefault(key, {})
        most = max(counts.values(), default=0)
        counts[row["event.action"]] = counts.get(row["event.action"], 0) + lines
        return int(max(0, counts[row["event.action"]] - most))

    def sieges(self) -> set[tuple[Any, ...]]:
        result = set()
        for address, episodes in self.episodes.items():
            for episode in episodes:
                if episode["siege"] is None:
                    continue
                attempts = episode["attempts"][episode["siege"] :]
                identifiers = list(dict.fromkeys(one[1] for one in attempts))[: self.rule.max_event_ids]
                result.add(
                    (
                        address,
                        len(attempts),
                        min(one[0] for one in attempts),
                        len(episode["users"] - {None}),
                        (*identifiers, *(one[1] for one in episode["successes"][:3])),
                        len(episode["successes"]),
                    )
                )
        return result


def as_sieges(findings: Iterable[Finding]) -> set[tuple[Any, ...]]:
    return {
        (
            finding.entity["source.ip"],
            finding.details["failures"],
            (finding.first_seen - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(),
            finding.details["users"],
            finding.event_ids,
            finding.details["successes"],
        )
        for finding in findings
    }


rows_strategy = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1, 2, 3, 5, 19, 20, 21, 45, -1, -4, -5, -6, -30]),
        st.sampled_from(["203.0.113.1", "203.0.113.2"]),
        st.sampled_from(["failure"] * 6 + ["success"]),
        st.sampled_from(["login", "pam", "invalid"]),
        st.sampled_from([None, 1, 2, 3]),
        st.sampled_from(["root", "admin", "deploy", None]),
        st.sampled_from([None] * 5 + ['{"repeated":"2"}', '{"a":"b", "repeated": "5"}']),
    ),
    max_size=60,
)


@settings(max_examples=100, deadline=None)
@given(rows=rows_strategy, data=st.data())
def test_findings_equal_the_row_by_row_rule_however_the_stream_is_cut(rows: Any, data: st.DataObject) -> None:
    seconds = 0
    events = []
    for step, address, outcome, action, pid, user, fields in rows:
        seconds += step
        events.append(
            login(
                seconds,
                source_ip=address,
                event_outcome=outcome,
                event_action=action,
                process_pid=pid,
                user_name=user,
                fields=fields,
            )
        )
    reference = RowByRow(SMALL)
    for index, event in enumerate(events):
        reference.see({"process.pid": None, "fields": None, **event}, event_id(1, index))
    expected = reference.sieges()

    cuts = sorted(data.draw(st.sets(st.integers(0, len(events)), max_size=12)) | {0, len(events)})
    restarts = data.draw(st.booleans())
    detector = FailureThreshold(SMALL)
    findings: dict[str, Finding] = {}
    for begin, end in itertools.pairwise(cuts):
        for finding in detector.inspect(frame(events[begin:end], begin), NOW):
            findings[finding.id] = finding
        state = detector.snapshot()
        if restarts and state is not None:
            detector = FailureThreshold(SMALL)
            detector.restore(state)
    assert as_sieges(findings.values()) == expected

    whole = {finding.id: finding for finding in FailureThreshold(SMALL).inspect(frame(events), NOW)}
    assert {one: replace(finding, found_at=NOW) for one, finding in findings.items()} == whole
