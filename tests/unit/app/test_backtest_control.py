"""Backtests run one at a time, can be stopped, and are bounded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest

from support.deciding import Deciding
from support.events import START, SettableClock, event_frame
from support.process import wait_until
from vedette.api.problems import Refused
from vedette.api.rule_bodies import BacktestAsk
from vedette.app import backtest_control as module
from vedette.model.batches import CommitBatch
from vedette.model.errors import StoreBroken
from vedette.store import MemoryStore

TEXT = (
    "title: Root\nid: 11111111-1111-4111-8111-111111111111\nlogsource:\n  service: sshd\n"
    "detection:\n  a:\n    user.name: root\n  condition: a\n"
)
ASK = BacktestAsk(text=TEXT)


class SlowStore(MemoryStore):
    """Hands out frames only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_read = Event()
        self.reads = 0
        self.is_broken = False

    def frames_after(self, seq: int, until_seq: int, *, limit: int) -> pl.DataFrame:
        self.reads += 1
        assert self.may_read.wait(20)
        if self.is_broken:
            raise StoreBroken("the database must be reopened")
        return super().frames_after(seq, until_seq, limit=limit)


@pytest.fixture
def store() -> SlowStore:
    made = SlowStore()
    row: dict[str, Any] = {"log.format": "syslog-rfc3164/sshd", "process.name": "sshd", "user.name": "root"}
    made.commit(CommitBatch(event_frame([row] * 100)))
    return made


@pytest.fixture
def deciding(tmp_path: Path, store: SlowStore) -> Iterator[Deciding]:
    with Deciding(tmp_path, store, clock=SettableClock(START + timedelta(hours=1))) as made:
        yield made
        store.may_read.set()


def test_one_runs_and_the_others_wait(deciding: Deciding, store: SlowStore) -> None:
    first, second = (deciding.backtests.start(ASK) for _ in range(2))
    assert deciding.backtests.get(second.id).state == "waiting"
    store.may_read.set()
    assert deciding.backtests.wait(second.id, 20).state == "finished"
    told = deciding.backtests.get(first.id)
    assert (told.state, told.matches, told.events) == ("finished", 100, 100)
    assert len(told.rules[0].samples) == 10


def test_number_that_waits_is_bounded(deciding: Deciding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    running = deciding.backtests.start(ASK)
    wait_until(lambda: deciding.backtests.get(running.id).state == "running", what="it runs")
    for _ in range(2):
        deciding.backtests.start(ASK)
    with pytest.raises(Refused, match="wait already"):
        deciding.backtests.start(ASK)


def test_waiting_and_running_ones_can_be_cancelled(deciding: Deciding, store: SlowStore) -> None:
    running, waiting = (deciding.backtests.start(ASK) for _ in range(2))
    assert deciding.backtests.cancel(waiting.id).state == "cancelled"
    deciding.backtests.cancel(running.id)
    store.may_read.set()
    told = deciding.backtests.wait(running.id, 20)
    assert (told.state, told.finished_at is not None) == ("cancelled", True)


def test_only_the_last_ones_are_kept(deciding: Deciding, store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 3)
    store.may_read.set()
    ids = []
    for _ in range(5):
        ids.append(deciding.backtests.start(ASK).id)
        deciding.backtests.wait(ids[-1], 20)
    assert [one.id for one in deciding.backtests.list().backtests] == ids[:1:-1]


def test_one_that_fails_says_why_and_the_next_runs(deciding: Deciding, store: SlowStore) -> None:
    store.may_read.set()
    store.is_broken = True
    told = deciding.backtests.wait(deciding.backtests.start(ASK).id, 20)
    assert (told.state, "reopened" in told.problems[-1]) == ("failed", True)
    store.is_broken = False
    assert deciding.backtests.wait(deciding.backtests.start(ASK).id, 20).matches == 100


ALONE = (
    TEXT + "---\ntitle: Alone\nid: 22222222-2222-4222-8222-222222222222\ncorrelation:\n  type: event_count\n"
    "  rules: [11111111-1111-4111-8111-111111111111]\n  timespan: 5m\n  condition: {lte: 100}\n"
)


@pytest.mark.parametrize(("minutes", "findings"), [(60, 1), (5, 0)], ids=["over", "not yet over"])
def test_windows_that_wait_for_their_end_are_judged_when_they_are_over(
    deciding: Deciding, store: SlowStore, minutes: int, findings: int
) -> None:
    store.may_read.set()
    ask = BacktestAsk(text=ALONE, since=START - timedelta(hours=1), until=START + timedelta(minutes=minutes))
    told = deciding.backtests.wait(deciding.backtests.start(ask).id, 20)
    by_id = {rule.rule_id: rule.findings for rule in told.rules}
    assert (told.state, by_id.get("22222222-2222-4222-8222-222222222222", 0)) == ("finished", findings)


def test_large_store_is_read_in_pieces(deciding: Deciding, store: SlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 7)
    store.may_read.set()
    told = deciding.backtests.wait(deciding.backtests.start(ASK).id, 20)
    assert (told.matches, store.reads) == (100, 16)
