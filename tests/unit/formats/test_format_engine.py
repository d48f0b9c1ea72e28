"""Entries become events: one each, in order, with everything the engine knows about where they came from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from support.entries import READ_AT, batch_of
from vedette.formats import FormatEngine, FormatLibrary, load_library
from vedette.formats.definition import FormatFile
from vedette.model.entries import EntryFlag
from vedette.model.events import EVENT_SCHEMA

SSH = "Nov 23 22:04:17 web1 sshd[2412]: Failed password for root from 203.0.113.9 port 4711 ssh2"
ACCESS = '203.0.113.9 - - [23/Nov/2026:22:04:17 +0000] "GET /x HTTP/1.1" 404 12 "-" "curl/8"'
OBJECT = '{"time":"2026-11-23T22:04:17Z","level":"warn","msg":"slow","user":"anna"}'
PLAIN = "what is this"


@pytest.fixture(scope="module")
def library() -> FormatLibrary:
    return load_library()


@pytest.fixture
def engine(library: FormatLibrary) -> FormatEngine:
    return FormatEngine(library)


def formats_of(events: pl.DataFrame) -> list[str]:
    return events["log.format"].to_list()


def test_event_has_every_column_of_the_schema(engine: FormatEngine) -> None:
    events = engine.decode([batch_of([SSH], start=100)])
    assert events.schema == EVENT_SCHEMA
    assert {name: value for name, value in events.row(0, named=True).items() if value is not None} == {
        "@timestamp": datetime(2026, 11, 23, 22, 4, 17, tzinfo=UTC),
        "event.ingested": READ_AT,
        "event.original": SSH,
        "message": "Failed password for root from 203.0.113.9 port 4711 ssh2",
        "vedette.source": "s",
        "vedette.generation": 7,
        "log.offset": 100,
        "log.length": len(SSH) + 1,
        "log.format": "syslog-rfc3164/sshd",
        "log.file.path": "/var/log/s",
        "host.name": "web1",
        "process.name": "sshd",
        "process.pid": 2412,
        "user.name": "root",
        "source.ip": "203.0.113.9",
        "source.port": 4711,
        "source.address": "203.0.113.9",
        "event.category": "authentication",
        "event.action": "ssh-login",
        "event.outcome": "failure",
        "event.severity": 4,
        "template.id": engine.templates.templates()[0].id,
        "parse.status": "parsed",
        "fields": '{"ssh.method":"password"}',
    }
    assert [template.text for template in engine.templates.templates()] == ["Failed password for <*> from <*> port <*>"]


def test_nothing_yields_an_empty_frame_of_the_schema(engine: FormatEngine) -> None:
    assert engine.decode([]).schema == EVENT_SCHEMA
    assert engine.decode([batch_of([])]).schema == EVENT_SCHEMA


def test_batches_of_many_sources_keep_their_order(engine: FormatEngine) -> None:
    batches = [
        batch_of([SSH, SSH], source="auth"),
        batch_of([ACCESS], source="web"),
        batch_of([SSH], source="auth", start=500),
        batch_of([], source="empty"),
        batch_of([OBJECT], source="app", timezone="Europe/Berlin"),
        batch_of([ACCESS, ACCESS], source="web", start=900),
    ]
    events = engine.decode(batches)
    assert events["vedette.source"].to_list() == ["auth", "auth", "web", "auth", "app", "web", "web"]
    assert events["log.offset"].to_list() == [0, len(SSH) + 1, 0, 500, 0, 900, 900 + len(ACCESS) + 1]
    assert events["event.original"].to_list() == [SSH, SSH, ACCESS, SSH, OBJECT, ACCESS, ACCESS]
    assert formats_of(events) == [
        "syslog-rfc3164/sshd", "syslog-rfc3164/sshd", "http-access", "syslog-rfc3164/sshd", "json-lines", "http-access",
        "http-access",
    ]  # fmt: skip


def test_one_file_may_hold_several_formats(engine: FormatEngine) -> None:
    lines = [SSH, OBJECT, PLAIN, ACCESS, SSH, ""]
    events = engine.decode([batch_of(lines)])
    assert formats_of(events) == [
        "syslog-rfc3164/sshd", "json-lines", "plain", "http-access", "syslog-rfc3164/sshd", "plain",
    ]  # fmt: skip
    assert events["event.original"].to_list() == lines
    assert events["parse.status"].to_list() == ["parsed", "parsed", "unparsed", "parsed", "parsed", "unparsed"]


def test_line_without_stamp_gets_the_arrival_time_and_a_mark(engine: FormatEngine) -> None:
    event = engine.decode([batch_of([PLAIN])]).row(0, named=True)
    assert event["@timestamp"] == READ_AT
    assert event["vedette.marks"] == "time-missing"
    assert event["message"] == PLAIN
    assert event["event.severity"] == 1


def test_wrong_stamp_gets_the_arrival_time_and_a_mark(engine: FormatEngine) -> None:
    event = engine.decode([batch_of(["Feb 31 22:04:17 web1 sshd[1]: Connection closed by 203.0.113.9"])]).row(
        0, named=True
    )
    assert event["@timestamp"] == READ_AT
    assert event["vedette.marks"] == "time-wrong"
    assert event["parse.status"] == "parsed"


def test_marks_tell_what_was_done_to_an_entry(engine: FormatEngine) -> None:
    flags = [EntryFlag.CUT, EntryFlag.ESCAPED | EntryFlag.UNFINISHED, 0]
    events = engine.decode([batch_of([SSH, PLAIN, SSH], flags=flags, hashes=["ab12", None, None])])
    assert events["vedette.marks"].to_list() == ["cut", "escaped unfinished time-missing", None]
    assert json.loads(events["fields"][0]) == {"ssh.method": "password", "event.hash": "ab12"}


def test_zone_of_the_source_applies_to_stamps_without_one(engine: FormatEngine) -> None:
    events = engine.decode([batch_of([SSH, OBJECT], timezone="Europe/Berlin")])
    assert events["@timestamp"].to_list() == [
        datetime(2026, 11, 23, 21, 4, 17, tzinfo=UTC),
        datetime(2026, 11, 23, 22, 4, 17, tzinfo=UTC),
    ]


def test_year_is_that_of_the_reference_time(engine: FormatEngine) -> None:
    reference = datetime(2009, 3, 1, tzinfo=UTC)
    events = engine.decode([batch_of([SSH], reference_time=reference)])
    assert events["@timestamp"].to_list() == [datetime(2008, 11, 23, 22, 4, 17, tzinfo=UTC)]


def test_severity_follows_the_level_where_nothing_else_is_known(engine: FormatEngine) -> None:
    levels = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    events = engine.decode([batch_of([f"2026-11-23 22:04:17 {level} something" for level in levels])])
    assert events["event.severity"].to_list() == [1, 1, 3, 4, 5]


def test_choice_is_kept_with_confidence_and_reason(engine: FormatEngine) -> None:
    engine.decode([batch_of([ACCESS] * 3, source="web")])
    (choice,) = engine.choices()
    assert (choice.source, choice.format, choice.since) == ("web", "http-access", READ_AT)
    assert choice.confidence > 0.9
    assert choice.reason.startswith("3 of 3 lines have its shape")


def test_format_set_by_configuration_is_used(engine: FormatEngine) -> None:
    line = "2026-11-23T22:04:17Z web1 app[3]: level=info msg=hello"
    engine.decode([batch_of([line], source="a"), batch_of([line], source="b", format_name="generic")])
    assert [(choice.format, choice.reason) for choice in engine.choices()][1] == ("generic", "set by configuration")


def test_plain_set_by_configuration_keeps_every_line_raw(engine: FormatEngine) -> None:
    events = engine.decode([batch_of([SSH, OBJECT, PLAIN], format_name="plain")])
    assert formats_of(events) == ["plain"] * 3
    assert events["message"].to_list() == [SSH, OBJECT, PLAIN]


def test_unknown_format_set_by_configuration_is_detected_instead(engine: FormatEngine) -> None:
    assert formats_of(engine.decode([batch_of([ACCESS], format_name="no-such")])) == ["http-access"]


def test_source_that_changes_its_format_gets_a_new_choice(engine: FormatEngine) -> None:
    engine.decode([batch_of([SSH] * 30)])
    later = READ_AT + timedelta(hours=1)
    events = engine.decode([batch_of([OBJECT] * 30, read_at=later)])
    assert set(formats_of(events)) == {"json-lines"}
    (choice,) = engine.choices()
    assert (choice.format, choice.since) == ("json-lines", later)
    assert choice.reason == "30 of the last 30 lines are json-lines, 0 are syslog-rfc3164"


def test_source_of_plain_lines_gets_a_choice_once_it_has_a_format(engine: FormatEngine) -> None:
    engine.decode([batch_of([PLAIN])])
    assert [choice.format for choice in engine.choices()] == ["plain"]
    for _ in range(30):
        engine.decode([batch_of([ACCESS])])
    assert [choice.format for choice in engine.choices()] == ["http-access"]


def test_choices_survive_a_restart(engine: FormatEngine, library: FormatLibrary) -> None:
    engine.decode([batch_of([ACCESS], source="web"), batch_of([SSH], source="auth")])
    state = engine.snapshot()
    assert state is not None
    assert engine.snapshot() is None
    restarted = FormatEngine(library)
    restarted.restore(state)
    assert restarted.choices() == engine.choices()
    assert restarted.snapshot() is None


@pytest.mark.parametrize("state", [b"", b"{}", b"\xff", b'{"choices":[{"source":"a"}]}', b"[]"])
def test_unreadable_state_starts_empty(engine: FormatEngine, state: bytes) -> None:
    engine.restore(state)
    assert engine.choices() == []
    assert formats_of(engine.decode([batch_of([ACCESS])])) == ["http-access"]


def test_choice_of_a_format_that_is_gone_is_made_anew(engine: FormatEngine) -> None:
    engine.restore(
        b'{"choices":[{"source":"s","path":"/var/log/s","format":"gone","confidence":1,"reason":"","since":"2026-01-01T00:00:00Z"}]}'
    )
    assert formats_of(engine.decode([batch_of([ACCESS])])) == ["http-access"]


def test_explanation_tells_choice_rivals_and_events(engine: FormatEngine) -> None:
    explanation = engine.explain([SSH, SSH], reference_time=READ_AT)
    assert explanation.choice.format == "syslog-rfc3164"
    assert explanation.fits[0].format_name == "syslog-rfc3164"
    assert {fit.format_name for fit in explanation.fits[1:]} <= set(engine.library.catch_alls)
    assert explanation.events["user.name"].to_list() == ["root", "root"]
    assert engine.choices() == []


def test_megabyte_line_and_nul_are_decoded(engine: FormatEngine) -> None:
    lines = [SSH, "x" * 1_048_576, f"{SSH}{'y ' * 500_000}", "\0", "Nov 23 22:04:17 web1 sshd[1]: \0\0"]
    events = engine.decode([batch_of(lines)])
    assert events["event.original"].to_list() == lines
    assert formats_of(events)[0] == "syslog-rfc3164/sshd"


def test_message_is_the_end_of_the_line_without_blanks_around_it(engine: FormatEngine) -> None:
    line = "Nov 23 22:04:17 web1 app[1]:   two  words  "
    assert engine.decode([batch_of([line])])["message"].to_list() == ["two  words"]


def test_files_of_one_source_have_choices_of_their_own(engine: FormatEngine) -> None:
    for _ in range(3):
        engine.decode(
            [batch_of([SSH] * 30, path="/var/log/auth.log"), batch_of([ACCESS] * 30, path="/var/log/access.log")]
        )
    assert [(choice.source, choice.path, choice.format) for choice in engine.choices()] == [
        ("s", "/var/log/access.log", "http-access"),
        ("s", "/var/log/auth.log", "syslog-rfc3164"),
    ]


def test_of_too_many_choices_the_oldest_is_forgotten_and_made_anew(library: FormatLibrary) -> None:
    engine = FormatEngine(library, max_choices=2)
    for name in "abc":
        engine.decode([batch_of([ACCESS], source=name)])
    assert [choice.source for choice in engine.choices()] == ["b", "c"]
    assert formats_of(engine.decode([batch_of([ACCESS], source="a")])) == ["http-access"]
    assert [choice.source for choice in engine.choices()] == ["a", "c"]


def test_another_library_is_used_from_the_next_batch_on(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    line = "<<gate7>> 2026-11-23 10:00:00 | anna"
    assert engine.decode([batch_of([line])])["parse.status"].to_list() == ["unparsed"]
    pattern = r"^<<(?P<host.name>\w+)>> (?P<time>%{stamp}) \| (?P<user.name>\w+)$"
    learned = FormatFile(name="gates", title="Gates", patterns=(pattern,))
    engine.use(FormatLibrary([*engine.library.definitions.values(), learned]))
    assert engine.decode([batch_of([line])])["user.name"].to_list() == ["anna"]
    assert [choice.format for choice in engine.choices()] == ["gates"]


def test_lines_that_no_format_explains_are_handed_over_with_their_file(library: FormatLibrary) -> None:
    told: list[tuple[str, str, list[str]]] = []
    engine = FormatEngine(library, unread=lambda source, path, lines: told.append((source, path, lines.to_list())))
    wished = batch_of(["~~ wished ~~"], source="b", format_name="plain")
    engine.decode([batch_of([SSH, "\tat a.b.C.d(C.java:1)", "~~ what is this ~~"], source="a"), wished])
    assert told == [("a", "/var/log/a", ["~~ what is this ~~"])]


def test_file_without_a_format_is_explained_as_it_would_be_read(engine: FormatEngine) -> None:
    explained = engine.explain([*(["~~ what is this ~~"] * 9), SSH], reference_time=READ_AT)
    assert explained.choice.format == "plain"
    assert formats_of(explained.events)[-1] == "syslog-rfc3164/sshd"


def test_more_specific_lines_are_read_as_such_in_a_file_of_general_ones(engine: FormatEngine) -> None:
    general = "2026-11-23 22:04:17,123 INFO [main] shop.Cart - hello"
    refused = "2026/11/23 22:04:17 [error] 7#7: *3 access forbidden by rule, client: 203.0.113.9, server: shop.example"
    engine.decode([batch_of([general] * 30)])
    events = engine.decode([batch_of([general, refused, ACCESS, OBJECT], start=2_000)])
    assert [name.partition("/")[0] for name in formats_of(events)] == [
        "generic", "nginx-error", "http-access", "json-lines",
    ]  # fmt: skip
    assert events["source.ip"].to_list() == [None, "203.0.113.9", "203.0.113.9", None]


def test_two_batches_of_a_file_are_read_like_one(engine: FormatEngine, library: FormatLibrary) -> None:
    lines = ["#Fields: date time c-ip cs-method cs-uri-stem sc-status", "2026-11-23 22:04:17 203.0.113.9 GET /x 404"]
    apart = engine.decode([batch_of(lines[:1]), batch_of([SSH], source="b"), batch_of(lines[1:], start=99)])
    assert apart["url.original"].to_list() == [None, None, "/x"]


def test_wrongly_decoded_bytes_are_no_hindrance(engine: FormatEngine) -> None:
    line = "Nov 23 22:04:17 web1 sshd[7]: Invalid user m\ufffd\x81ller\\xfc from 203.0.113.9 port 22"
    (event,) = engine.decode([batch_of([line], flags=[EntryFlag.ESCAPED])]).to_dicts()
    assert (event["source.ip"], event["vedette.marks"]) == ("203.0.113.9", "escaped")


def test_large_batches_are_read_like_small_ones(library: FormatLibrary) -> None:
    lines = [SSH, ACCESS, OBJECT, PLAIN, "#Fields: date time c-ip", "2026-11-23 22:04:17 203.0.113.9"] * 6_000
    large = FormatEngine(library).decode([batch_of(lines)])
    small_engine = FormatEngine(library)
    starts = range(0, len(lines), 600)
    offsets = large["log.offset"].to_list()
    small = pl.concat(
        [small_engine.decode([batch_of(lines[start : start + 600], start=offsets[start])]) for start in starts]
    )
    columns = ["event.original", "log.format", "source.ip", "user.name", "parse.status", "@timestamp", "fields"]
    assert_frame_equal(large.select(columns), small.select(columns))
