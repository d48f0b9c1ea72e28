"""What a subscription is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.journal import Journal, events_of, finding_of
from support.manual_clock import ManualClock
from support.ranges import Told, listen
from vedette.live import EventBroadcaster, LiveLimits, ResumePoint, Stream
from vedette.model.errors import QueryError, StoreBroken

SMALL = LiveLimits(flush_seconds=0, batch_rows=4, window_rows=20, replay_rows=40, lag_rows=16)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def live(journal: Journal, clock: ManualClock) -> Iterator[EventBroadcaster]:
    broadcaster = journal.broadcaster(limits=SMALL, clock=clock)
    yield broadcaster
    broadcaster.close()


def tell(live: EventBroadcaster, journal: Journal, *messages: str, **columns: object) -> None:
    live.publish(journal.commit(events_of(*messages, **columns)))


def after(seq: int) -> ResumePoint:
    return ResumePoint(epoch=Journal.epoch, seq=seq)


async def test_new_rows_come_in_order(live: EventBroadcaster, journal: Journal) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "")
    tell(live, journal, "one", "two")
    tell(live, journal, "three")
    told = await listen(subscription)
    assert told.messages == ["one", "two", "three"]
    assert told.numbers == [1, 2, 3]
    assert told.batches == 1


async def test_rows_before_the_subscription_are_not_told(live: EventBroadcaster, journal: Journal) -> None:
    tell(live, journal, "early")
    assert (await listen(await live.subscribe("a", Stream.EVENTS, ""))).rows == []


async def test_filter_keeps_matching_rows_and_covers_all_numbers(
    live: EventBroadcaster, journal: Journal, clock: ManualClock
) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "severity>=7")
    told = Told(1)
    tell(live, journal, "calm", "calm")
    tell(live, journal, "danger", event_severity=9)
    tell(live, journal, "calm")
    await listen(subscription, told)
    assert told.messages == ["danger"]
    clock.advance(SMALL.progress_seconds)
    await listen(subscription, told)
    assert told.next_seq == 5


async def test_range_advances_while_nothing_matches(
    live: EventBroadcaster, journal: Journal, clock: ManualClock
) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "severity>=7")
    tell(live, journal, "calm", "calm")
    assert await subscription.next_message() is None
    assert subscription.wants_tick
    clock.advance(SMALL.progress_seconds)
    told = await listen(subscription)
    assert (told.batches, told.rows, told.next_seq) == (1, [], 3)


async def test_one_answer_is_shared_by_all_subscribers_of_a_query(
    live: EventBroadcaster, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vedette.live import channel, chunk

    encoded = 0
    view = chunk.view

    def counted(*args: object) -> object:
        nonlocal encoded
        encoded += 1
        return view(*args)  # type: ignore[arg-type]  # handed on as they come

    monkeypatch.setattr(channel, "view", counted)
    many = [await live.subscribe(str(number), Stream.EVENTS, "severity>=1") for number in range(50)]
    tell(live, journal, "one", "two")
    for subscription in many:
        assert (await listen(subscription)).messages == ["one", "two"]
    assert encoded == 1


async def test_resume_tells_exactly_what_was_missed(live: EventBroadcaster, journal: Journal) -> None:
    tell(live, journal, *"abcdefgh")
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", resume=after(3)))
    assert told.messages == list("defgh")
    assert told.gaps == []


async def test_resume_reaches_behind_memory_into_the_store(live: EventBroadcaster, journal: Journal) -> None:
    for number in range(35):
        tell(live, journal, str(number))
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", resume=after(2)))
    assert told.numbers == list(range(3, 36))
    assert told.gaps == []
    assert journal.reads > 0


async def test_resume_works_after_a_restart_of_the_server(journal: Journal, clock: ManualClock) -> None:
    journal.commit(events_of(*"abcdef"))
    restarted = journal.broadcaster(limits=SMALL, clock=clock)
    restarted.seed()
    told = await listen(await restarted.subscribe("a", Stream.EVENTS, "", resume=after(2)))
    assert told.messages == list("cdef")
    restarted.close()


async def test_resume_further_back_than_the_replay_window_begins_with_a_gap(
    live: EventBroadcaster, journal: Journal
) -> None:
    for number in range(60):
        tell(live, journal, str(number))
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", resume=after(5)))
    assert [(gap["first_seq"], gap["last_seq"], gap["reason"]) for gap in told.gaps] == [(6, 20, "too-old")]
    assert told.numbers == list(range(21, 61))


async def test_resume_with_another_epoch_begins_anew(live: EventBroadcaster, journal: Journal) -> None:
    tell(live, journal, "a", "b")
    stranger = ResumePoint(epoch="other", seq=1)
    subscription = await live.subscribe("a", Stream.EVENTS, "", resume=stranger)
    assert not subscription.is_resumed
    assert (await listen(subscription)).rows == []


async def test_deleted_rows_are_told_as_a_gap(live: EventBroadcaster, journal: Journal) -> None:
    for number in range(35):
        tell(live, journal, str(number))
    journal.delete(first=1, last=5)
    journal.delete(first=8, last=9)
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", resume=after(2)))
    assert [(gap["first_seq"], gap["last_seq"], gap["reason"]) for gap in told.gaps] == [
        (3, 5, "deleted"),
        (8, 9, "deleted"),
    ]
    assert told.numbers == [6, 7, *range(10, 36)]


async def test_store_that_cannot_be_read_is_told_as_a_gap(clock: ManualClock) -> None:
    class Broken(Journal):
        def events_after(self, seq: int, until: int, limit: int) -> object:  # type: ignore[override]
            raise StoreBroken("reopening")

    journal = Broken()
    journal.commit(events_of("a", "b"))
    live = journal.broadcaster(limits=SMALL, clock=clock)
    subscription = await live.subscribe("a", Stream.EVENTS, "", resume=after(0))
    tell(live, journal, "c")
    told = await listen(subscription)
    assert [(gap["first_seq"], gap["last_seq"], gap["reason"]) for gap in told.gaps] == [(1, 2, "unavailable")]
    assert told.messages == ["c"]
    live.close()


async def test_client_too_many_rows_behind_skips_to_the_newest(live: EventBroadcaster, journal: Journal) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "")
    for number in range(30):
        tell(live, journal, str(number))
    told = await listen(subscription)
    assert [(gap["first_seq"], gap["last_seq"], gap["reason"]) for gap in told.gaps] == [(1, 29, "too-slow")]
    assert told.messages == ["29"]


async def test_client_too_late_skips_to_the_newest(
    live: EventBroadcaster, journal: Journal, clock: ManualClock
) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "")
    for number in range(12):
        tell(live, journal, str(number))
    clock.advance(SMALL.lag_seconds + 1)
    told = await listen(subscription)
    assert [gap["missed"] for gap in told.gaps] == [11]


async def test_late_client_with_few_rows_waiting_loses_none(
    live: EventBroadcaster, journal: Journal, clock: ManualClock
) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "")
    tell(live, journal, "a", "b")
    clock.advance(500)
    assert (await listen(subscription)).messages == ["a", "b"]


async def test_backlog_opens_with_the_newest_matching_rows(live: EventBroadcaster, journal: Journal) -> None:
    for number in range(30):
        tell(live, journal, str(number), event_severity=9 if number % 3 == 0 else 1)
    told = await listen(await live.subscribe("a", Stream.EVENTS, "severity>=7", backlog=5))
    assert told.messages == ["15", "18", "21", "24", "27"]
    assert told.gaps == []


async def test_backlog_of_a_store_with_fewer_rows_tells_them_all(journal: Journal, clock: ManualClock) -> None:
    journal.commit(events_of(*"abc"))
    live = journal.broadcaster(limits=SMALL, clock=clock)
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", backlog=100))
    assert told.messages == list("abc")
    live.close()


async def test_backlog_passes_over_deleted_rows_without_a_gap(journal: Journal, clock: ManualClock) -> None:
    journal.commit(events_of(*"abcdef"))
    journal.delete(first=3, last=4)
    live = journal.broadcaster(limits=SMALL, clock=clock)
    live.seed()
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", backlog=100))
    assert told.messages == list("abef")
    assert told.gaps == []
    live.close()


async def test_backlog_of_an_empty_store_is_empty(live: EventBroadcaster, journal: Journal) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "", backlog=100)
    tell(live, journal, "first")
    assert (await listen(subscription)).messages == ["first"]


async def test_newest_rows_deleted_before_the_start_do_not_move_numbers_back(
    journal: Journal, clock: ManualClock
) -> None:
    journal.commit(events_of(*"abcdef"))
    journal.delete(first=5, last=6)
    live = journal.broadcaster(limits=SMALL, clock=clock)
    live.seed()
    subscription = await live.subscribe("a", Stream.EVENTS, "")
    tell(live, journal, "g")
    assert (await listen(subscription)).numbers == [7]
    live.close()


async def test_paused_subscription_counts_what_waits_and_tells_it_later(
    live: EventBroadcaster, journal: Journal, clock: ManualClock
) -> None:
    subscription = await live.subscribe("a", Stream.EVENTS, "severity>=7")
    assert subscription.pause().waiting == 0
    tell(live, journal, "danger", event_severity=9)
    tell(live, journal, "calm")
    tell(live, journal, "danger", event_severity=8)
    clock.advance(SMALL.progress_seconds)
    text = await subscription.next_message()
    assert text == '{"type":"status","id":"a","state":"paused","waiting":2}'
    clock.advance(SMALL.progress_seconds)
    assert await subscription.next_message() is None
    assert subscription.resume().state == "live"
    assert (await listen(subscription)).numbers == [1, 3]


async def test_findings_are_told_and_can_be_filtered(live: EventBroadcaster, journal: Journal) -> None:
    everything = await live.subscribe("a", Stream.FINDINGS, "")
    severe = await live.subscribe("b", Stream.FINDINGS, "severity>=9 source.ip:203.0.113.0/24")
    live.publish(journal.commit(events_of("x"), [finding_of("mild"), finding_of("grave", severity=10)]))
    assert [row["id"] for row in (await listen(everything)).rows] == ["mild", "grave"]
    (row,) = (await listen(severe)).rows
    assert (row["id"], row["severity"], row["severity_name"], row["seq"]) == ("grave", 10, "critical", 2)
    assert row["last_seen"] == "2024-05-01T12:00:00.000000Z"


async def test_finding_that_grew_while_away_comes_once_and_without_a_gap(journal: Journal, clock: ManualClock) -> None:
    for count in range(1, 6):
        journal.commit(events_of("x"), [finding_of("same", event_count=count)])
    live = journal.broadcaster(limits=SMALL, clock=clock)
    told = await listen(await live.subscribe("a", Stream.FINDINGS, "", resume=after(1)))
    assert [(row["id"], row["event_count"]) for row in told.rows] == [("same", 5)]
    assert told.gaps == []
    live.close()


async def test_status_and_metrics_are_streams_too(live: EventBroadcaster) -> None:
    status = await live.subscribe("a", Stream.STATUS, "")
    metrics = await live.subscribe("b", Stream.METRICS, "")
    live.publish_status([{"part": "store", "state": "ok"}, {"part": "disk", "state": "degraded"}])
    live.publish_metrics({"events_per_second": 12.5})
    assert [row["part"] for row in (await listen(status)).rows] == ["store", "disk"]
    assert (await listen(metrics)).rows[0]["events_per_second"] == 12.5


async def test_newest_status_is_there_for_who_comes_later(live: EventBroadcaster) -> None:
    live.publish_status([{"part": "store", "state": "ok"}])
    assert len((await listen(await live.subscribe("a", Stream.STATUS, "", backlog=10))).rows) == 1


async def test_status_takes_no_query(live: EventBroadcaster) -> None:
    with pytest.raises(QueryError, match="takes no query"):
        await live.subscribe("a", Stream.STATUS, "severity>=3")


async def test_wrong_query_tells_its_position(live: EventBroadcaster) -> None:
    with pytest.raises(QueryError) as caught:
        await live.subscribe("a", Stream.EVENTS, "severity>=7 (user.name:root")
    assert caught.value.position == 12


async def test_memory_of_the_window_is_bounded(journal: Journal, clock: ManualClock) -> None:
    limits = replace(SMALL, window_rows=10**6, window_bytes=200_000, batch_rows=50)
    live = journal.broadcaster(limits=limits, clock=clock)
    for _ in range(100):
        tell(live, journal, *["x" * 1000] * 10)
    channel = live.channel(Stream.EVENTS)
    assert channel.head - channel.first_in_memory < 100
    live.close()


async def test_window_forgets_with_time(live: EventBroadcaster, journal: Journal, clock: ManualClock) -> None:
    tell(live, journal, *"abc")
    clock.advance(SMALL.window_seconds + 1)
    tell(live, journal, "d")
    assert live.channel(Stream.EVENTS).first_in_memory == 4


async def test_thousands_of_single_rows_are_kept_in_few_frames(journal: Journal, clock: ManualClock) -> None:
    live = journal.broadcaster(limits=replace(SMALL, window_rows=10**6, replay_rows=10**6, batch_rows=500), clock=clock)
    for number in range(600):
        tell(live, journal, str(number))
    told = await listen(await live.subscribe("a", Stream.EVENTS, "", resume=after(0)))
    assert told.numbers == list(range(1, 601))
    assert journal.reads == 0
    assert told.batches <= 3
    live.close()


async def test_commits_in_quick_succession_are_told_together(journal: Journal, clock: ManualClock) -> None:
    live = journal.broadcaster(limits=replace(SMALL, flush_seconds=0.05), clock=clock)
    subscription = await live.subscribe("a", Stream.EVENTS, "")
    tell(live, journal, "at once")
    assert subscription.has_more
    tell(live, journal, "held back")
    assert live.channel(Stream.EVENTS).head == 2
    live.flush()
    assert (await listen(subscription)).messages == ["at once", "held back"]
    live.close()


@settings(max_examples=60, deadline=None)
@given(
    commits=st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=9), min_size=1, max_size=30),
    reads=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    cuts=st.sets(st.integers(0, 29)),
)
async def test_every_number_is_told_once_however_it_is_read_and_cut(
    commits: list[list[str]], reads: list[int], cuts: set[int]
) -> None:
    journal, clock = Journal(), ManualClock()
    live = journal.broadcaster(limits=SMALL, clock=clock)
    told = Told(1)
    subscription = await live.subscribe("a", Stream.EVENTS, "message:a")
    expected: dict[int, str] = {}
    for step, letters in enumerate(commits):
        first = live.channel(Stream.EVENTS).head
        expected |= {first + index: letter for index, letter in enumerate(letters)}
        tell(live, journal, *letters)
        if step in cuts:
            assert told.next_seq is not None
            subscription = await live.subscribe("a", Stream.EVENTS, "message:a", resume=after(told.next_seq - 1))
        for _ in range(reads[step % len(reads)]):
            clock.advance(0.7)
            text = await subscription.next_message()
            if text is not None:
                told.hear(json.loads(text))
    for _ in range(2):  # rows that match, then the numbers behind them
        clock.advance(2)
        await listen(subscription, told)
    assert told.next_seq == live.channel(Stream.EVENTS).head
    missed = {number for gap in told.gaps for number in range(gap["first_seq"], gap["last_seq"] + 1)}
    assert told.numbers == [number for number, letter in expected.items() if letter == "a" and number not in missed]
    live.close()
