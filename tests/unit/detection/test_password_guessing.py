"""Password guessing, as the shipped rules find it: what counts, and what a finding says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma_detector import SigmaDetector
from vedette.model.events import EVENT_SCHEMA, event_id
from vedette.model.findings import Finding

RULES = load_rules(
    [Path(str(resources.files("vedette") / "content" / "rules" / "authentication" / "password-guessing.yml"))],
    pack="vedette",
)
GUESSING = "Many failed logins from one address"
GOT_IN = "A login after many failures"
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


def detector() -> SigmaDetector:
    return SigmaDetector(RULES)


def found(rows: Sequence[dict[str, Any]], rule: str = GUESSING) -> list[Finding]:
    return [finding for finding in detector().inspect(frame(rows), NOW) if finding.rule_name == rule]


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
    at_work = detector()
    offset = 0
    for number in range(9):
        for action in ("ssh-invalid-user", "pam-authentication", "ssh-login"):
            batch = frame([login(number, event_action=action, process_pid=500 + number)], offset)
            assert at_work.inspect(batch, NOW) == []
            state = at_work.snapshot()
            assert state is not None
            at_work = detector()
            at_work.restore(state)
            offset += 1


def test_a_finding_grows_under_one_id() -> None:
    at_work = detector()
    (first,) = at_work.inspect(frame([login(number) for number in range(10)]), NOW)
    (second,) = at_work.inspect(frame([login(10 + number) for number in range(30)], 10), NOW)
    assert first.id == second.id
    assert (first.event_count, second.event_count) == (10, 40)
    assert second.found_at == first.found_at
    assert len(second.event_ids) == 25


def test_a_batch_without_news_finds_nothing_and_changes_nothing() -> None:
    at_work = detector()
    at_work.inspect(frame([login(number) for number in range(10)]), NOW)
    assert at_work.snapshot() is not None
    ordinary = [login(number, event_category="web") for number in range(10)]
    assert at_work.inspect(frame(ordinary), NOW) == []
    assert at_work.snapshot() is None


def test_a_pause_longer_than_the_window_begins_a_new_finding() -> None:
    rows = [login(number) for number in range(12)] + [login(400 + number) for number in range(12)]
    first, second = found(rows)
    assert first.id != second.id
    assert (first.event_count, second.event_count) == (12, 12)


def test_success_after_failures_is_a_finding_of_its_own_that_names_it() -> None:
    rows = [login(number) for number in range(10)]
    rows.append(login(12, event_outcome="success", user_name="deploy"))
    (guessing,) = found(rows)
    assert guessing.severity == 7
    (finding,) = found(rows, GOT_IN)
    assert finding.severity == 9
    assert ("success after failures", 2) in [(one.reason, one.amount) for one in finding.factors]
    assert finding.title == f"{ATTACKER} guessed passwords and then logged in"
    assert finding.summary == f"{ATTACKER} failed many logins and then logged in as deploy on bastion."
    assert finding.entity == {"source.ip": ATTACKER, "host.name": "bastion", "user.name": "deploy"}
    assert finding.evidence[-1].event_id == event_id(1, 10)
    assert any(one.clause == GUESSING and one.event_id == event_id(1, 9) for one in finding.evidence)
    assert finding.event_ids[-1] == event_id(1, 10)
    assert any("deploy" in action for action in finding.actions)


def test_success_while_the_guessing_goes_on_is_found() -> None:
    rows = [login(10 * number) for number in range(200)]
    rows += [login(2000, event_outcome="success"), *(login(2010 + 10 * number) for number in range(20))]
    (finding,) = found(rows, GOT_IN)
    assert finding.severity == 9


def test_success_before_the_failures_is_none() -> None:
    rows = [login(0, event_outcome="success"), *(login(1 + number) for number in range(10))]
    (finding,) = found(rows)
    assert finding.severity == 7
    assert found(rows, GOT_IN) == []


def test_success_long_after_the_failures_is_none() -> None:
    rows = [login(number) for number in range(10)]
    assert found([*rows, login(10 + 601, event_outcome="success")], GOT_IN) == []


def test_successes_alone_are_silent() -> None:
    rows = [login(number, event_outcome="success") for number in range(30)]
    assert detector().inspect(frame(rows), NOW) == []


def test_many_users_raise_the_severity() -> None:
    rows = [login(number, user_name=f"user{number}") for number in range(38)]
    (finding,) = found(rows)
    assert finding.severity == 8
    assert finding.summary == f"{ATTACKER} failed 38 logins in 37 seconds on bastion, trying 38 users."


def test_evidence_names_clause_column_value_and_text() -> None:
    (finding,) = found([login(number) for number in range(15)])
    window, *samples = finding.evidence
    assert (window.clause, window.value) == ("event_count >= 10 in 5 min by source.ip", "15")
    peers = [one for one in samples if one.column == "source.ip"]
    assert all(one.value in one.text for one in peers)
    assert [one.event_id for one in peers] == [event_id(1, offset) for offset in (9, 10, 11)]


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
    (finding,) = found(rows, GOT_IN)
    assert not any("terminate-user x; rm" in action for action in finding.actions)
    assert any("terminate-user 'x; rm -rf ~'" in action for action in finding.actions)


def test_a_long_siege_keeps_a_small_state() -> None:
    at_work = detector()
    rows = [login(number / 10, user_name=f"user{number}", process_pid=number) for number in range(20_000)]
    at_work.inspect(frame(rows), NOW)
    assert len(at_work.snapshot() or b"") < 50_000


@pytest.mark.parametrize(
    "state",
    [b"", b"nonsense", zstandard.compress(b"{}"), zstandard.compress(b'{"version":99}'), zstandard.compress(b"[1]")],
)
def test_an_unreadable_snapshot_starts_empty(state: bytes) -> None:
    at_work = detector()
    at_work.restore(state)
    assert at_work.inspect(frame([login(number) for number in range(9)]), NOW) == []
