"""What a model said is kept, shared for a while, and bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from support.events import START, SettableClock
from vedette.configdb import AdviceBook
from vedette.configdb import advice as advice_module
from vedette.model.advice import Claim, ModelAdvice

ADVICE = ModelAdvice("tiny", START, "f1", (Claim("guessed", ("e-1",), "Failed"),), (), (Claim("look", ("e-1",)),), 2)


def test_advice_is_there_after_a_restart_and_the_newest_counts(engine: Engine, clock: SettableClock) -> None:
    book = AdviceBook(engine, clock)
    book.keep("finding", "f1", "k", replace(ADVICE, dropped=0), tokens=5)
    book.keep("finding", "f1", "k", ADVICE, tokens=7)
    again = AdviceBook(engine, clock)
    assert again.of("finding", ["f1", "f2"]) == {"f1": ADVICE}
    assert again.of("incident", ["f1"]) == {}
    assert again.spent_since(START - timedelta(days=1)) == [(START, 7)]


def test_answer_to_an_equal_question_of_the_same_model_holds_a_week(engine: Engine, clock: SettableClock) -> None:
    book = AdviceBook(engine, clock)
    book.keep("finding", "f1", "k", ADVICE, tokens=5)
    assert book.with_key("k", "tiny") == ADVICE
    assert book.with_key("k", "large") is None
    clock.time = START + timedelta(days=8)
    assert book.with_key("k", "tiny") is None
    assert book.holds("finding", "f1", "k", "tiny")
    assert not book.holds("finding", "f1", "other", "tiny")


def test_answer_that_was_used_again_costs_nothing(engine: Engine, clock: SettableClock) -> None:
    book = AdviceBook(engine, clock)
    book.keep("finding", "f2", "k", ADVICE, tokens=0)
    assert book.spent_since(START - timedelta(days=1)) == []


def test_oldest_answers_are_forgotten(engine: Engine, clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice_module, "MOST_KEPT", 3)
    book = AdviceBook(engine, clock)
    for number in range(5):
        clock.time = START + timedelta(minutes=number)
        book.keep("finding", f"f{number}", "k", ADVICE, tokens=1)
    assert set(book.of("finding", [f"f{number}" for number in range(5)])) == {"f2", "f3", "f4"}


def test_answers_are_kept_no_longer_than_events(engine: Engine, clock: SettableClock) -> None:
    book = AdviceBook(engine, clock, keep_for=timedelta(days=1))
    book.keep("finding", "f1", "k", ADVICE, tokens=1)
    clock.time = START + timedelta(days=2)
    assert book.of("finding", ["f1"]) == {}
    book.keep("finding", "f2", "k", replace(ADVICE, asked_at=clock.time), tokens=1)
    assert not book.holds("finding", "f1", "k", "tiny")
