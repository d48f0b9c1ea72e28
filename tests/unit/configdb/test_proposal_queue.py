"""The review queue is kept, ordered, and decided once."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from support.events import SettableClock
from vedette.configdb import Proposal, ProposalQueue
from vedette.configdb import proposals as module


@pytest.fixture
def queue(engine: Engine, clock: SettableClock) -> ProposalQueue:
    return ProposalQueue(engine, clock)


def added(queue: ProposalQueue, name: str) -> Proposal:
    return queue.add(
        source="shop", path="/srv/shop.log", name=name, document=f"name: {name}", lines=["a", "b"], lines_seen=30,
        evaluation={"parsed": 1.0},
    )  # fmt: skip


def test_proposal_is_there_after_a_restart(engine: Engine, queue: ProposalQueue) -> None:
    one = added(queue, "x")
    again = ProposalQueue(engine, SettableClock())
    assert again.get(one.id) == one
    assert (one.state, one.lines, one.decided_at) == ("proposed", ("a", "b"), None)


def test_pages_come_newest_first_and_hold_each_once(queue: ProposalQueue) -> None:
    names = [added(queue, f"n{number}").id for number in range(7)]
    seen: list[str] = []
    after: str | None = None
    while page := queue.page(limit=3, after=after):
        seen += [one.id for one in page]
        after = seen[-1]
    assert sorted(seen) == sorted(names)
    assert queue.page("accepted") == []


def test_decision_is_taken_once(queue: ProposalQueue) -> None:
    one = added(queue, "x")
    accepted = queue.decide(one.id, "accepted", by="anna")
    assert accepted is not None
    assert (accepted.state, accepted.decided_by, accepted.decided_at is not None) == ("accepted", "anna", True)
    assert queue.decide(one.id, "rejected", by="bob") is None
    assert queue.change(one.id, name="y", document="", evaluation={}) is None
    assert queue.decide("none", "accepted", by="bob") is None
    assert (queue.count("accepted"), queue.count("proposed")) == (1, 0)


def test_oldest_are_forgotten_when_there_are_too_many(queue: ProposalQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    kept = [added(queue, f"n{number}").id for number in range(5)]
    assert queue.count("proposed") == 3
    assert len([one for one in kept if queue.get(one)]) == 3


def test_lines_seen_only_grow(queue: ProposalQueue) -> None:
    one = added(queue, "x")
    queue.saw(one.id, 90)
    queue.saw(one.id, 40)
    found = queue.get(one.id)
    assert found is not None
    assert found.lines_seen == 90
