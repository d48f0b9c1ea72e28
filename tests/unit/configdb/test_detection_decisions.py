"""Exceptions, mutes, rule states and triage are kept, end, and leave a trail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from support.events import START, SettableClock
from vedette.configdb import AuditTrail, ExceptionBook, RuleException, RuleStates, TriageBook
from vedette.configdb import audit as audit_module
from vedette.configdb import exceptions as exceptions_module
from vedette.configdb import triage as triage_module
from vedette.model.errors import SettingsError


@pytest.fixture
def book(engine: Engine, clock: SettableClock) -> ExceptionBook:
    return ExceptionBook(engine, clock)


def added(book: ExceptionBook, *, days: int | None = None, rule_id: str | None = "r1") -> RuleException:
    end = START + timedelta(days=days) if days is not None else None
    return book.add(rule_id=rule_id, condition="user:backup", reason="nightly job", expires_at=end, by="anna")


def test_exception_is_there_after_a_restart(engine: Engine, book: ExceptionBook, clock: SettableClock) -> None:
    made = added(book)
    again = ExceptionBook(engine, clock)
    assert again.active() == [made]
    assert again.get(made.id) == made
    assert made.expires_at == START + timedelta(days=30)


def test_exception_ends_by_time_and_by_decision(book: ExceptionBook, clock: SettableClock) -> None:
    short, long = added(book, days=1), added(book, days=90)
    clock.time = START + timedelta(days=2)
    assert book.active() == [long]
    assert book.page(is_active=False) == [short]
    ended = book.end(long.id, by="bob")
    assert ended is not None
    assert (ended.ended_at, ended.ended_by) == (clock.time, "bob")
    assert book.active() == []
    assert book.end(long.id, by="carla") == ended
    assert book.end("nothing", by="carla") is None


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_exception_without_a_bounded_end_to_come_is_refused(book: ExceptionBook, days: int) -> None:
    with pytest.raises(SettingsError) as refused:
        added(book, days=days)
    assert refused.value.field == "expires_at"
    assert book.page() == []


def test_number_of_exceptions_is_bounded(book: ExceptionBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exceptions_module, "MOST_ACTIVE", 2)
    first = added(book)
    added(book)
    with pytest.raises(SettingsError, match="end some first"):
        added(book)
    book.end(first.id, by="anna")
    added(book)


def test_ended_exceptions_are_forgotten_oldest_first(
    book: ExceptionBook, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exceptions_module, "MOST_ENDED", 2)
    made = []
    for number in range(4):
        clock.time = START + timedelta(seconds=number)
        made.append(added(book))
        book.end(made[-1].id, by="anna")
    clock.time = START + timedelta(seconds=9)
    last = added(book)
    assert [one.id for one in book.page()] == [last.id, made[3].id, made[2].id]


def test_pages_hold_each_exception_once(book: ExceptionBook) -> None:
    made = {added(book).id for _ in range(7)}
    seen: list[str] = []
    while page := book.page(limit=3, after=seen[-1] if seen else None):
        seen += [one.id for one in page]
    assert sorted(seen) == sorted(made)


def test_mute_covers_its_rule_and_entity_until_it_ends(
    engine: Engine, book: ExceptionBook, clock: SettableClock
) -> None:
    whole = book.mute(rule_id="r1", entity=None, reason="known", until=None, by="anna")
    one = book.mute(rule_id="r2", entity=("source.ip", "10.0.0.1"), reason="scanner", until=None, by="anna")
    assert ExceptionBook(engine, clock).active_mutes() == book.active_mutes()
    assert whole.covers("r1", {})
    assert not whole.covers("r2", {})
    assert one.covers("r2", {"source.ip": "10.0.0.1", "host.name": "gate"})
    assert not one.covers("r2", {"source.ip": "10.0.0.2"})
    book.unmute(whole.id, by="anna")
    assert [mute.id for mute in book.active_mutes()] == [one.id]
    clock.time = START + timedelta(days=31)
    assert book.active_mutes() == []


def test_rule_state_and_triage_are_there_after_a_restart(engine: Engine, clock: SettableClock) -> None:
    states, triage = RuleStates(engine, clock), TriageBook(engine, clock)
    states.set("r1", is_enabled=False, reason="too loud", by="anna")
    state = states.set("r1", is_enabled=False, reason="far too loud", by="bob")
    triage.decide("finding", "f1", "acknowledged", text="looking", by="anna")
    decided = triage.decide("finding", "f1", "resolved", text="was a test", by="bob")
    assert RuleStates(engine, clock).all() == {"r1": state}
    again = TriageBook(engine, clock)
    assert again.of("finding", ["f1", "f2"]) == {"f1": decided}
    assert again.of("incident", ["f1"]) == {}


def test_triage_forgets_the_oldest(engine: Engine, clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage_module, "MOST_KEPT", 2)
    triage = TriageBook(engine, clock)
    for number in range(3):
        clock.time = START + timedelta(seconds=number)
        triage.decide("finding", f"f{number}", "resolved", text="", by="anna")
    for book in (triage, TriageBook(engine, clock)):
        assert sorted(book.of("finding", ["f0", "f1", "f2"])) == ["f1", "f2"]


def test_every_change_leaves_an_entry_in_the_trail(engine: Engine, book: ExceptionBook, clock: SettableClock) -> None:
    states, triage, trail = RuleStates(engine, clock), TriageBook(engine, clock), AuditTrail(engine)
    made = added(book)
    book.end(made.id, by="bob")
    muted = book.mute(rule_id="r1", entity=("user.name", "root"), reason="known", until=None, by="anna")
    book.unmute(muted.id, by="bob")
    states.set("r1", is_enabled=False, reason="too loud", by="anna")
    states.set("r1", is_enabled=True, reason="", by="bob")
    states.note("rule-file-written", "r9", by="anna", path="own/r9.yml")
    triage.decide("finding", "f1", "false-positive", text="test", by="anna")
    triage.decide("incident", "i1", "acknowledged", text="", by="bob")
    entries = trail.page()
    assert [(entry.action, entry.who) for entry in reversed(entries)] == [
        ("exception-created", "anna"), ("exception-ended", "bob"), ("mute-created", "anna"), ("mute-ended", "bob"),
        ("rule-disabled", "anna"), ("rule-enabled", "bob"), ("rule-file-written", "anna"),
        ("finding-triaged", "anna"), ("incident-triaged", "bob"),
    ]  # fmt: skip
    assert entries[-1].details["condition"] == "user:backup"
    assert [entry.action for entry in trail.page(subject=made.id)] == ["exception-ended", "exception-created"]
    assert trail.page(limit=2, before=entries[1].number) == entries[2:4]


def test_trail_is_bounded(engine: Engine, clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "MOST_KEPT", 3)
    states, trail = RuleStates(engine, clock), AuditTrail(engine)
    for number in range(5):
        states.note("something", f"s{number}", by="anna")
    assert [entry.subject for entry in trail.page()] == ["s4", "s3", "s2"]
    assert trail.count() == 3
