"""Pipeline: exactly once into the store, whatever the stages and the store do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from support.events import finding
from vedette.detection import Detector, default_detectors
from vedette.detection.contract import Inspection
from vedette.formats import FormatEngine, load_library
from vedette.model.batches import CommitBatch, Committed
from vedette.model.clock import SystemClock
from vedette.model.entries import ENTRY_SCHEMA, EntryBatch, LedgerNote
from vedette.model.errors import StoreBroken, StoreFull
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding
from vedette.model.health import HealthState
from vedette.model.positions import Position
from vedette.model.query import MATCH_ALL
from vedette.pipeline import Judge, Pipeline, joined, ledger_of, order, undecoded
from vedette.queue import RealtimeIngestionQueue
from vedette.store import MemoryStore

NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
CLOCK = SystemClock()


def entries(texts: Sequence[str], *, source: str = "auth", offset: int = 0, generation: int = 7) -> EntryBatch:
    """Consecutive lines of a file, with the position behind them."""
    lengths = [len(text.encode()) + 1 for text in texts]
    offsets = [offset + sum(lengths[:index]) for index in range(len(texts))]
    frame = pl.DataFrame(
        {"offset": offsets, "length": lengths, "text": texts, "flags": 0, "hash": None}, schema=ENTRY_SCHEMA
    )
    end = offset + sum(lengths)
    position = Position(source, generation, "/var/log/auth.log", 1, 2, 3, "aa", end, 4, "bb", "utf-8", NOW)
    counts = {"bytes": sum(lengths)}
    return EntryBatch(source, generation, "/var/log/auth.log", frame, position, sum(lengths), NOW, NOW, counts=counts)


def failure(number: int, address: str = "203.0.113.77") -> str:
    return (
        f"Nov 23 21:{number // 60 % 60:02d}:{number % 60:02d} bastion sshd[{4000 + number}]: "
        f"Failed password for root from {address} port {50000 + number} ssh2"
    )


class Setup:
    """A pipeline over a store, and what was told."""

    def __init__(
        self, store: MemoryStore, *, decoder: object | None = None, detectors: Sequence[Detector] | None = None
    ) -> None:
        self.store = store
        self.told: list[Committed] = []
        self.queue = RealtimeIngestionQueue(clock=CLOCK, max_bytes=10**6, batch_bytes=4000, max_age_seconds=0.002)
        self.engine = FormatEngine(load_library())
        self.judge = Judge(
            decoder=decoder or self.engine,  # type: ignore[arg-type]  # stand-ins that fail
            detectors=default_detectors() if detectors is None else detectors,
            analysers=(),
            clock=CLOCK,
            memories=(self.engine.templates,),
        )
        self.judge.restore(store.state())
        self.pipeline = Pipeline(queue=self.queue, judge=self.judge, store=store, tell=self.told.append, clock=CLOCK)

    async def run(self, *batches: EntryBatch) -> None:
        async def feed() -> None:
            for batch in batches:
                await self.queue.put(batch)
            self.queue.close()

        await asyncio.gather(feed(), asyncio.wait_for(self.pipeline.run(), 60))


def stored_texts(store: MemoryStore) -> list[str]:
    page = store.search(MATCH_ALL, limit=100_000, newest_first=False)
    return sorted(row["event.original"] for row in page.rows)


class RefusingStore(MemoryStore):
    """Refuses the first commits; with `applied`, the refused commit was applied all the same."""

    def __init__(self, errors: list[Exception], *, applied: bool = False) -> None:
        super().__init__(clock=CLOCK)
        self._errors = errors
        self._applied = applied

    def commit(self, batch: CommitBatch) -> Committed:
        if self._errors:
            if self._applied:
                super().commit(batch)
            raise self._errors.pop(0)
        return super().commit(batch)


async def test_lines_become_stored_events_in_order_with_their_positions() -> None:
    setup = Setup(MemoryStore(clock=CLOCK))
    lines = [failure(number) for number in range(300)]
    first, second = entries(lines[:150]), entries(lines[150:], offset=sum(len(line) + 1 for line in lines[:150]))
    await setup.run(first, second)
    assert stored_texts(setup.store) == sorted(lines)
    assert [event for told in setup.told for event in told.events["event.original"]] == lines
    assert [position.offset for position in setup.store.positions("auth")] == [second.position.offset]  # type: ignore[union-attr]


async def test_nothing_is_told_before_it_is_committed() -> None:
    store = MemoryStore(clock=CLOCK)
    setup = Setup(store)
    seen: list[bool] = []
    setup.pipeline._tell = lambda told: seen.append(store.next_seq() >= told.next_seq)
    await setup.run(entries([failure(1)]), entries([failure(2)], offset=1000))
    assert seen
    assert all(seen)


async def test_batches_of_a_backlog_share_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_BACKLOG_ROWS", 20)
    monkeypatch.setattr(order, "_COMMIT_ROWS", 90)
    setup = Setup(RefusingStore([StoreBroken("once")]))
    lines = [failure(number) for number in range(210)]
    ends = [sum(len(line) + 1 for line in lines[:cut]) for cut in range(len(lines) + 1)]
    await setup.run(*(entries(lines[start : start + 30], offset=ends[start]) for start in range(0, 210, 30)))
    assert [told.events.height for told in setup.told] == [90, 90, 30]
    assert [event for told in setup.told for event in told.events["event.original"]] == lines
    assert setup.store.ledger()["auth"]["stored"] == 210
    assert [position.offset for position in setup.store.positions("auth")] == [ends[-1]]


def test_joined_batches_hold_the_last_of_what_is_replaced_and_the_sum_of_what_is_counted() -> None:
    events = undecoded(entries(["a"]))
    found, grown = finding("f1", severity=7), finding("f1", severity=8)
    places = entries(["a"]).position, entries(["a", "b"]).position
    whole = joined(
        [
            CommitBatch(events, (found,), (places[0],), {"x": b"1", "y": b"1"}, {"auth": {"read": 1}}, (), "1"),  # type: ignore[arg-type]
            CommitBatch(events, (grown,), (places[1],), {"x": b"2"}, {"auth": {"read": 2, "cut": 1}}, (), "2"),  # type: ignore[arg-type]
        ]
    )
    assert whole.events.height == 2
    assert whole.findings == (grown,)
    assert whole.positions == (places[1],)
    assert whole.state == {"x": b"2", "y": b"1"}
    assert whole.ledger == {"auth": {"read": 3, "cut": 1}}
    assert whole.token == "2"


@pytest.mark.parametrize("error", [StoreFull("no space left"), StoreBroken("reopening"), RuntimeError("a surprise")])
async def test_a_refused_batch_is_offered_until_it_is_taken(error: Exception) -> None:
    store = RefusingStore([error, error])
    setup = Setup(store)
    lines = [failure(number) for number in range(50)]
    await setup.run(entries(lines))
    assert stored_texts(store) == sorted(lines)
    assert setup.pipeline.health().state is HealthState.OK
    assert setup.pipeline.stats().failures == 2


async def test_a_batch_that_was_applied_although_its_commit_failed_is_stored_once() -> None:
    store = RefusingStore([StoreBroken("the reply was lost")], applied=True)
    setup = Setup(store)
    lines = [failure(number) for number in range(50)]
    await setup.run(entries(lines))
    assert stored_texts(store) == sorted(lines)
    assert store.ledger()["auth"]["stored"] == 50


async def test_a_full_store_shows_in_health_with_a_remedy() -> None:
    store = RefusingStore([StoreFull("no space left on device")] * 3)
    setup = Setup(store)
    running = asyncio.create_task(setup.run(entries([failure(1)])))
    while setup.pipeline.health().state is HealthState.OK:
        await asyncio.sleep(0.005)
    health = setup.pipeline.health()
    assert health.state is HealthState.DOWN
    assert "no space left" in health.reason
    assert "space" in health.remedy
    await running


class BrokenDecoder:
    """Fails on batches of one source."""

    name = "formats"

    def __init__(self) -> None:
        self._engine = FormatEngine(load_library())

    def decode(self, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        if any(batch.source_id == "broken" for batch in batches):
            raise ValueError("a bug")
        return self._engine.decode(batches)

    def snapshot(self) -> bytes | None:
        return None

    def restore(self, state: bytes) -> None:
        raise AssertionError("nothing was stored")


async def test_what_cannot_be_decoded_is_kept_raw_and_the_rest_is_decoded() -> None:
    setup = Setup(MemoryStore(clock=CLOCK), decoder=BrokenDecoder())
    await setup.run(entries([failure(1)]), entries(["gibberish", "more"], source="broken", generation=8))
    rows = setup.store.search(MATCH_ALL, limit=10).rows
    by_status = {(row["vedette.source"], row["parse.status"]) for row in rows}
    assert by_status == {("auth", "parsed"), ("broken", "unparsed")}
    assert {row["event.original"] for row in rows if row["vedette.source"] == "broken"} == {"gibberish", "more"}
    assert setup.pipeline.health().state is HealthState.DEGRADED
    assert setup.store.positions("broken")


def test_undecoded_entries_have_the_event_schema() -> None:
    assert undecoded(entries(["a"])).schema == EVENT_SCHEMA


async def test_findings_are_the_same_when_the_process_restarts_in_the_middle_of_a_window() -> None:
    lines = [failure(number) for number in range(24)]
    ends = [sum(len(line) + 1 for line in lines[:cut]) for cut in range(len(lines) + 1)]

    async def run(store: MemoryStore, cuts: list[int]) -> list[Finding]:
        for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
            await Setup(store).run(entries(lines[start:end], offset=ends[start]))
        return store.findings(limit=10)[0]

    whole = await run(MemoryStore(clock=CLOCK), [])
    cut = await run(MemoryStore(clock=CLOCK), [5, 9, 17])
    assert len(whole) == 1
    assert whole[0].event_count == 24
    assert [replace(finding, found_at=NOW) for finding in cut] == [replace(finding, found_at=NOW) for finding in whole]


async def test_templates_are_committed_with_their_events_and_known_after_a_restart() -> None:
    store = MemoryStore(clock=CLOCK)
    await Setup(store).run(entries([failure(1), failure(2)]))
    restarted = Setup(store)
    (template,) = restarted.engine.templates.templates()
    stored = [row["template.id"] for row in store.search(MATCH_ALL, limit=10).rows]
    assert stored == [template.id, template.id]
    assert (template.text, template.count) == ("Failed password for <*> from <*> port <*>", 2)


def test_the_ledger_accounts_for_every_entry() -> None:
    batch = entries([failure(1), "x", "y"])
    batch = replace(batch, counts={"blank": 2, "bytes": 80, "cut": 2, "escaped": 1})
    counts = ledger_of([batch], FormatEngine(load_library()).decode([batch]))["auth"]
    assert counts["entries"] == counts["stored"] == 3
    assert (counts["cut"], counts["escaped"], counts["blank"], counts["bytes"]) == (2, 1, 2, 80)


def test_the_ledger_counts_lines_that_continue_a_record_as_joined() -> None:
    batch = entries([failure(1), "\tat shop.Cart.open(Cart.java:12)", "Caused by: x", "free words"])
    events = FormatEngine(load_library()).decode([batch])
    counts = ledger_of([batch], events)["auth"]
    assert (counts["entries"], counts["stored"], counts["joined"], counts["unparsed"]) == (4, 2, 2, 1)


async def test_a_batch_without_lines_still_moves_the_position_and_carries_its_notes() -> None:
    setup = Setup(MemoryStore(clock=CLOCK))
    note = LedgerNote("auth", "truncated", "it shrank", NOW, "/var/log/auth.log", 12)
    await setup.run(replace(entries([]), notes=(note,)))
    assert setup.store.positions("auth")
    assert list(setup.store.notes("auth")) == [note]


class Scout:
    """Looks ahead, and stumbles over the first batch."""

    name = "scout"

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        raise AssertionError("it was prepared")

    def prepare(self, events: pl.DataFrame) -> Inspection:
        texts = events["event.original"].to_list()
        if "first" in texts:
            raise ValueError("stumbled")

        def inspection(now: datetime) -> list[Finding]:
            self.seen.append(texts)
            return [finding(f"f-{texts[0]}")]

        return inspection

    def snapshot(self) -> bytes | None:
        return None

    def restore(self, state: bytes) -> None: ...


async def test_what_a_detector_does_ahead_is_finished_in_order_and_may_fail_alone() -> None:
    scout = Scout()
    setup = Setup(MemoryStore(clock=CLOCK), detectors=(scout,))
    setup.queue = RealtimeIngestionQueue(clock=CLOCK, max_bytes=10**6, batch_bytes=1, max_age_seconds=0)
    setup.pipeline = Pipeline(
        queue=setup.queue, judge=setup.judge, store=setup.store, tell=setup.told.append, clock=CLOCK
    )
    await setup.run(*(entries([text], offset=100 * place) for place, text in enumerate(["first", "second", "third"])))
    assert scout.seen == [["second"], ["third"]]
    assert stored_texts(setup.store) == ["first", "second", "third"]
    assert {each.id for told in setup.told for each in told.findings} == {"f-second", "f-third"}
    assert "stumbled" in (setup.pipeline.health().reason or "")


class Sentry:
    """Says once that time passed, and then fails."""

    name = "sentry"

    def __init__(self) -> None:
        self.ticks = 0
        self.failed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        return []

    def tick(self, now: datetime) -> list[Finding]:
        self.ticks += 1
        if self.ticks > 1:
            self._loop.call_soon_threadsafe(self.failed.set)
            raise ValueError("no time")
        return [finding("f-1")]

    def snapshot(self) -> bytes | None:
        return b"told"

    def restore(self, state: bytes) -> None: ...


async def test_what_time_alone_brings_is_committed_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_TICK_SECONDS", 0.01)
    sentry = Sentry()
    setup = Setup(MemoryStore(clock=CLOCK), detectors=(sentry,))
    running = asyncio.create_task(setup.pipeline.run())
    await asyncio.wait_for(sentry.failed.wait(), 20)
    await setup.queue.put(entries(["still read"]))
    setup.queue.close()
    await asyncio.wait_for(running, 20)
    assert [each.id for each in setup.store.findings(limit=10)[0]] == ["f-1"]
    assert [each.id for told in setup.told for each in told.findings] == ["f-1"]
    assert setup.store.state()["sentry"] == b"told"
    assert stored_texts(setup.store) == ["still read"]
    assert setup.pipeline.health().state is HealthState.DEGRADED
