"""What every event store must do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from support.events import START, SettableClock, event_frame, finding, numbered_events, position
from vedette.model.batches import CommitBatch
from vedette.model.entries import LedgerNote
from vedette.model.errors import QueryError, StoreError
from vedette.model.events import EVENT_SCHEMA, event_id
from vedette.model.health import HealthState
from vedette.model.query import MATCH_ALL, Query, mask, parse_query
from vedette.store import DuckDbStore, EventStore, MemoryStore


def open_duckdb(folder: Path) -> EventStore:
    return DuckDbStore.open(folder / "events.duckdb", clock=SettableClock())


def open_memory(folder: Path) -> EventStore:
    return MemoryStore(SettableClock())


@pytest.fixture(params=[open_duckdb, open_memory], ids=["duckdb", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStore]:
    opened: EventStore = request.param(tmp_path)
    yield opened
    opened.close()


def q(text: str) -> Query:
    return parse_query(text, now=START)


def put(store: EventStore, rows: list[dict[str, Any]], **more: Any) -> None:
    store.commit(CommitBatch(event_frame(rows), **more))


def originals(rows: list[dict[str, Any]]) -> list[str]:
    return [row["event.original"] for row in rows]


def test_committed_events_are_numbered_in_frame_order(store: EventStore) -> None:
    first = store.commit(CommitBatch(numbered_events(3)))
    second = store.commit(CommitBatch(numbered_events(2, first=3)))
    assert second.first_seq == first.first_seq + 3 == first.next_seq
    assert store.next_seq() == second.next_seq
    rows = store.search(MATCH_ALL, limit=10, newest_first=False).rows
    assert [row["vedette.seq"] for row in rows] == list(range(first.first_seq, second.next_seq))
    assert originals(rows) == [f"line {n}" for n in range(5)]


def test_an_event_comes_back_as_it_was(store: EventStore) -> None:
    values: dict[str, Any] = {
        "event.original": "Nov 23 10:00:00 h sshd[7]: Failed \0 'pass\"word é😀\\",
        "message": "Failed \0 'pass\"word é😀\\",
        "process.pid": 7,
        "source.ip": "2001:db8::1",
        "event.severity": 9,
        "fields": '{"a":{"b":[1,null]}}',
    }
    put(store, [values])
    frame = store.frames_after(0, store.next_seq(), limit=5)
    assert frame.select(pl.all().exclude("vedette.seq")).equals(event_frame([values]))
    assert frame.select(*EVENT_SCHEMA).schema == EVENT_SCHEMA
    (row,) = store.search(MATCH_ALL, limit=1).rows
    assert row["fields"] == {"a": {"b": [1, None]}}
    assert row["event.id"] == event_id(1, 0)
    assert row["@timestamp"] == "2026-11-23T10:00:00.000000Z"
    assert "user.name" not in row


@pytest.mark.parametrize("message", [None, "", "other text", "tail", "line 0 tail"])
def test_message_survives_wherever_it_stands(store: EventStore, message: str | None) -> None:
    put(store, [{"event.original": "line 0 tail", "message": message}])
    assert store.frames_after(0, 99, limit=1)["message"].to_list() == [message]


def test_long_texts_come_back_whole_and_are_searched_whole(store: EventStore) -> None:
    original = "start " + "ä" * 8_180 + "NEEDLE" + "x" * 30_000 + " the end"
    fields = '{"a":"' + "y" * 20_000 + '"}'
    message = original.removeprefix("start ")
    put(store, [{"event.original": "short"}, {"event.original": original, "message": message, "fields": fields}])
    frame = store.frames_after(0, 99, limit=5)
    assert frame["event.original"].to_list() == ["short", original]
    assert frame["message"].to_list() == [None, message]
    assert frame["fields"].to_list() == [None, fields]
    (row,) = store.search(q('"needleXXX"'), limit=5).rows
    assert (row["event.original"], row["fields"]) == (original, {"a": "y" * 20_000})
    texts = (
        "äneedle",
        "xxx*",
        "*end",
        "message:needle",
        "original:start*",
        "original:*ä*the*",
        "a:y*",
        "-needle",
        "äx",
    )
    assert [store.count(q(text)) for text in texts] == [1, 1, 1, 1, 1, 0, 0, 1, 0]
    live = [frame.select(mask(q(text)).sum()).item() for text in texts]
    assert live == [1, 1, 1, 1, 1, 0, 0, 1, 0]
    assert store.drop_before(START + timedelta(days=1)) == 2
    assert store.count(q("needle")) == 0


def test_wrong_schema_is_refused(store: EventStore) -> None:
    with pytest.raises(ValueError, match="EVENT_SCHEMA"):
        store.commit(CommitBatch(pl.DataFrame({"a": [1]})))


def test_an_empty_batch_moves_positions(store: EventStore) -> None:
    put(store, [], positions=(position(offset=5),))
    assert [known.offset for known in store.positions()] == [5]
    assert store.search(MATCH_ALL, limit=5).rows == []


def test_a_repeated_token_is_applied_once(store: EventStore) -> None:
    batch = CommitBatch(numbered_events(3), findings=(finding(),), ledger={"auth": {"stored": 3}}, token="p:1")
    first = store.commit(batch)
    again = store.commit(batch)
    assert (again.first_seq, again.first_finding_seq) == (first.first_seq, first.first_finding_seq)
    assert again.committed_at == first.committed_at
    assert store.count(MATCH_ALL) == 3
    assert store.ledger() == {"auth": {"stored": 3}}
    assert store.commit(replace(batch, token="p:2")).first_seq == first.next_seq


def test_batches_without_a_token_are_all_applied(store: EventStore) -> None:
    for _ in range(2):
        store.commit(CommitBatch(numbered_events(1)))
    assert store.count(MATCH_ALL) == 2


def test_pages_hold_every_match_once_in_order(store: EventStore) -> None:
    times = [START + timedelta(seconds=second) for second in (5, 5, 1, 9, 5, 3, 9)]
    put(store, [{"@timestamp": time} for time in times])
    for newest_first in (True, False):
        rows: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = store.search(MATCH_ALL, limit=2, cursor=cursor, newest_first=newest_first)
            rows += page.rows
            cursor = page.cursor
            if cursor is None:
                break
        places = [(row["@timestamp"], row["vedette.seq"]) for row in rows]
        assert places == sorted(places, reverse=newest_first)
        assert len(set(places)) == len(times)


def test_events_that_arrive_between_pages_do_not_shift_them(store: EventStore) -> None:
    store.commit(CommitBatch(numbered_events(4)))
    page = store.search(MATCH_ALL, limit=2)
    store.commit(CommitBatch(numbered_events(4, first=100)))
    assert originals(store.search(MATCH_ALL, limit=9, cursor=page.cursor).rows) == ["line 1", "line 0"]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "WzFd", "é", "W251bGwsMV0"])
def test_a_foreign_cursor_is_refused(store: EventStore, cursor: str) -> None:
    with pytest.raises(QueryError, match="cursor"):
        store.search(MATCH_ALL, limit=2, cursor=cursor)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("", "0123"),
        ("severity>=7", "13"),
        ("severity:high", "1"),
        ("user:ROOT", "01"),
        ("-user:root", "23"),
        ("user:*", "012"),
        ("user:ad*", "2"),
        ("source.ip:10.0.0.0/8", "02"),
        ("ip:2001:db8::/32", "1"),
        ('"FAILED password"', "01"),
        ("message:accepted", "2"),
        ("ruser:backup", "3"),
        ("fields.ruser:backup", "3"),
        ("http.bytes>100", "3"),
        ("@timestamp>=2026-11-23T10:00:02Z", "23"),
        ("since:2026-11-23T10:00:01Z until:2026-11-23T10:00:02Z", "12"),
        ("user:(root OR admin) severity<5", "02"),
        ("100%", "3"),
    ],
)
def test_queries_find_what_they_say(store: EventStore, text: str, hits: str) -> None:
    put(
        store,
        [
            {"event.original": "0 Failed password", "user.name": "root", "source.ip": "10.1.2.3"},
            {
                "event.original": "1 failed PASSWORD",
                "user.name": "Root",
                "source.ip": "2001:db8::5",
                "event.severity": 8,
            },
            {"event.original": "2 Accepted", "message": "Accepted", "user.name": "admin", "source.ip": "10.0.0.9"},
            {
                "event.original": "3 100% sure",
                "event.severity": 10,
                "fields": '{"ruser":"backup","http":{"bytes":200}}',
            },
        ],
    )
    found = store.search(q(text), limit=10, newest_first=False).rows
    assert "".join(original[0] for original in originals(found)) == hits
    assert store.count(q(text)) == len(hits)


def test_frames_after_gives_a_stretch_of_numbers(store: EventStore) -> None:
    first = store.commit(CommitBatch(numbered_events(10))).first_seq
    frame = store.frames_after(first + 1, first + 8, limit=3)
    assert frame["vedette.seq"].to_list() == [first + 2, first + 3, first + 4]
    assert frame.columns == [*EVENT_SCHEMA, "vedette.seq"]
    assert store.frames_after(first + 9, first + 99, limit=3).height == 0


def test_oldest_number_follows_deletion(store: EventStore) -> None:
    assert store.oldest_seq() == store.next_seq()
    first = store.commit(CommitBatch(numbered_events(10))).first_seq
    assert store.oldest_seq() == first
    assert store.drop_before(START + timedelta(seconds=4)) == 4
    assert store.oldest_seq() == first + 4
    assert store.drop_before(START + timedelta(days=1)) == 6
    assert store.oldest_seq() == store.next_seq() == first + 10


def test_histogram_counts_by_time_and_severity_band(store: EventStore) -> None:
    severities = [1, 2, 3, 9, 10, 7]
    seconds = [0, 59, 59, 59, 60, 200]
    put(
        store,
        [
            {"event.severity": severity, "@timestamp": START + timedelta(seconds=second)}
            for severity, second in zip(severities, seconds, strict=True)
        ],
    )
    assert store.histogram(MATCH_ALL, interval=timedelta(minutes=1)) == [
        {"time": "2026-11-23T10:00:00.000000Z", "severity": "informational", "count": 2},
        {"time": "2026-11-23T10:00:00.000000Z", "severity": "low", "count": 1},
        {"time": "2026-11-23T10:00:00.000000Z", "severity": "critical", "count": 1},
        {"time": "2026-11-23T10:01:00.000000Z", "severity": "critical", "count": 1},
        {"time": "2026-11-23T10:03:00.000000Z", "severity": "high", "count": 1},
    ]
    assert len(store.histogram(q("severity>=9"), interval=timedelta(hours=1))) == 1


def test_buckets_before_1970_are_rounded_down(store: EventStore) -> None:
    put(store, [{"@timestamp": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)}])
    (row,) = store.histogram(MATCH_ALL, interval=timedelta(minutes=1))
    assert row["time"] == "1969-12-31T23:59:00.000000Z"


def test_top_values_are_most_frequent_first(store: EventStore) -> None:
    put(store, [{"user.name": name, "fields": '{"tty":"x"}'} for name in ("b", "a", None, "c", "a", "b")])
    assert store.top(MATCH_ALL, "user", limit=2) == [{"value": "a", "count": 2}, {"value": "b", "count": 2}]
    assert store.top(q("user:c"), "user.name", limit=5) == [{"value": "c", "count": 1}]
    assert store.top(MATCH_ALL, "fields.tty", limit=5) == [{"value": "x", "count": 6}]
    assert store.top(MATCH_ALL, "severity", limit=5) == [{"value": 2, "count": 6}]
    assert store.top(MATCH_ALL, "event.ingested", limit=1) == [{"value": "2026-11-23T10:00:00.000000Z", "count": 6}]


def test_an_event_is_found_by_its_place(store: EventStore) -> None:
    put(store, [{}, {}, {"vedette.generation": 2, "log.offset": 100}])
    row = store.get(event_id(1, 100))
    assert row is not None
    assert row["event.id"] == event_id(1, 100)
    assert store.get(event_id(3, 100)) is None
    assert store.get("nonsense") is None


def test_context_is_the_neighbourhood_in_the_file(store: EventStore) -> None:
    put(store, [{"log.offset": 100 * (9 - at), "event.original": str(9 - at)} for at in range(10)])
    put(store, [{"vedette.generation": 2}])
    assert originals(store.context(event_id(1, 500), before=2, after=3)) == ["3", "4", "5", "6", "7", "8"]
    assert originals(store.context(event_id(1, 0), before=2, after=0)) == ["0"]
    assert store.context(event_id(5, 0), before=2, after=2) == []


def test_a_finding_comes_back_as_it_was(store: EventStore) -> None:
    put(store, [], findings=(finding(),))
    assert store.finding("f1") == finding()
    assert store.finding("f2") is None


def test_a_finding_that_grows_keeps_its_newest_number_only(store: EventStore) -> None:
    first = store.next_finding_seq()
    put(store, [], findings=(finding("f1"), finding("f2", severity=3)))
    put(store, [], findings=(finding("f1", title="grown"),))
    assert [(n, f.id, f.title) for n, f in store.findings_after(0, limit=9)] == [
        (first + 1, "f2", "Brute force"),
        (first + 2, "f1", "grown"),
    ]
    assert store.findings_after(first + 1, limit=9)[0][1].id == "f1"
    assert store.next_finding_seq() == first + 3
    assert store.stats().findings == 2


def test_findings_are_paged_most_recently_changed_first(store: EventStore) -> None:
    put(store, [], findings=tuple(finding(f"f{n}", severity=n) for n in range(1, 8)))
    page, cursor = store.findings(limit=2, min_severity=3)
    assert [f.id for f in page] == ["f7", "f6"]
    page, cursor = store.findings(limit=9, cursor=cursor, min_severity=3)
    assert [f.id for f in page] == ["f5", "f4", "f3"]
    assert cursor is None


def test_findings_that_are_chosen_come_in_pages_and_a_page_ends_where_it_looked(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("vedette.store.results", "vedette.store.duckdb.store"):
        monkeypatch.setattr(f"{module}.FINDINGS_LOOKED_AT", 4)
    store.commit(CommitBatch(numbered_events(1), findings=tuple(finding(f"f{number}") for number in range(11))))
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        found, cursor = store.findings(limit=2, cursor=cursor, where=lambda one: one.id in ("f9", "f8", "f7", "f0"))
        pages.append([one.id for one in found])
        if cursor is None:
            break
    assert pages == [["f9", "f8"], ["f7"], ["f0"]]


def test_positions_are_kept_by_source_and_generation_oldest_change_first(store: EventStore) -> None:
    put(store, [], positions=(position("a", 1), position("b", 1), position("a", 2)))
    put(store, [], positions=(position("a", 1, offset=9), position("a", 1, offset=10)))
    assert [(p.source_id, p.generation, p.offset) for p in store.positions()] == [
        ("b", 1, 0),
        ("a", 2, 0),
        ("a", 1, 10),
    ]
    assert store.positions("b") == [position("b", 1)]
    store.forget_positions("a")
    assert store.positions() == [position("b", 1)]


def test_state_holds_the_newest_snapshot(store: EventStore) -> None:
    put(store, [], state={"d1": b"\0a", "d2": b"b"})
    put(store, [], state={"d1": b"\xff"})
    assert store.state() == {"d1": b"\xff", "d2": b"b"}


def test_the_ledger_adds_up(store: EventStore) -> None:
    put(store, [], ledger={"a": {"read": 2}, "b": {"read": 1}})
    put(store, [], ledger={"a": {"read": 3, "cut": 1}})
    assert store.ledger() == {"a": {"read": 5, "cut": 1}, "b": {"read": 1}}


def test_notes_are_newest_first(store: EventStore) -> None:
    notes = [LedgerNote(source, "gap", f"n{at}", START, "/p", at) for at, source in enumerate("aba")]
    put(store, [], notes=tuple(notes[:2]))
    put(store, [], notes=tuple(notes[2:]))
    assert store.notes() == notes[::-1]
    assert store.notes("a", limit=1) == [notes[2]]


def test_stats_tell_rows_and_times(store: EventStore) -> None:
    empty = store.stats()
    assert (empty.events, empty.oldest, empty.newest) == (0, None, None)
    store.commit(CommitBatch(numbered_events(5), findings=(finding(),)))
    stats = store.stats()
    assert (stats.events, stats.findings) == (5, 1)
    assert (stats.oldest, stats.newest) == (START, START + timedelta(seconds=4))
    assert stats.bytes_on_disk > 0


def test_shrinking_deletes_the_oldest_until_it_fits(store: EventStore) -> None:
    for part in range(4):
        store.commit(CommitBatch(numbered_events(60_000, first=part * 60_000)))
    assert store.shrink_to(10**12) == 0
    full = store.stats()
    goal = full.bytes_on_disk // 2
    deleted = store.shrink_to(goal)
    left = store.stats()
    assert left.bytes_on_disk <= goal
    assert 0 < deleted == full.events - left.events
    assert store.oldest_seq() == store.next_seq() - left.events
    assert store.shrink_to(goal) == 0


def test_a_read_sees_whole_commits_only(store: EventStore) -> None:
    sizes: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            sizes.add(store.count(MATCH_ALL) % 7)

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    for part in range(30):
        store.commit(CommitBatch(numbered_events(7, first=part * 7)))
    stop.set()
    for watcher in watchers:
        watcher.join()
    assert sizes == {0}


def test_health_is_ok(store: EventStore) -> None:
    assert store.health().state is HealthState.OK


def test_a_closed_store_takes_nothing(store: EventStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.commit(CommitBatch(numbered_events(1)))
