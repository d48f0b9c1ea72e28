"""What a record's message may be again: container output, structured text inside syslog; and headers of columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library

LIBRARY = load_library()
ACCESS = '203.0.113.9 - - [23/Nov/2026:22:04:17 +0000] "GET /x HTTP/1.1" 404 12 "-" "curl/8"'
OBJECT = '{"time":"2026-11-23T22:04:17Z","level":"warn","msg":"slow","user":"anna"}'
SYSLOG = "Nov 23 22:04:20 web1"


def docker(text: str) -> str:
    return json.dumps({"log": f"{text}\n", "stream": "stdout", "time": "2026-11-23T22:04:20.5Z"}, separators=(",", ":"))


def cri(text: str) -> str:
    return f"2026-11-23T22:04:20.500000000Z stdout F {text}"


def read(line: str) -> dict[str, Any]:
    return FormatEngine(LIBRARY).decode([batch_of([line])]).row(0, named=True)


@pytest.mark.parametrize(("outer", "wrap"), [("docker-json", docker), ("cri", cri)])
def test_container_record_is_read_by_what_its_program_wrote(outer: str, wrap: Any) -> None:
    event = read(wrap(ACCESS))
    assert event["log.format"].startswith(f"{outer}/http-access")
    assert (event["source.ip"], event["url.original"], event["http.response.status_code"]) == ("203.0.113.9", "/x", 404)
    assert event["message"] == "GET /x HTTP/1.1"
    assert event["@timestamp"] == datetime(2026, 11, 23, 22, 4, 17, tzinfo=UTC)


@pytest.mark.parametrize(("outer", "wrap"), [("docker-json", docker), ("cri", cri)])
def test_container_record_of_free_words_keeps_the_containers_stamp(outer: str, wrap: Any) -> None:
    event = read(wrap("hello there"))
    assert (event["log.format"], event["message"], event["parse.status"]) == (outer, "hello there", "parsed")
    assert event["@timestamp"] == datetime(2026, 11, 23, 22, 4, 20, 500_000, tzinfo=UTC)
    assert event["vedette.marks"] is None


def test_object_in_a_container_record_tells_its_columns_and_fields() -> None:
    event = read(cri(OBJECT))
    assert event["log.format"] == "cri/json-lines"
    assert (event["message"], event["user.name"], event["log.level"]) == ("slow", "anna", "warning")
    assert json.loads(event["fields"])["log.stream"] == "stdout"
    assert json.loads(event["fields"])["user"] == "anna"


def test_compose_output_names_the_container_and_is_read_by_what_it_wrote() -> None:
    event = read("web-1  | 2026-11-23 22:04:17,123 WARN [main] shop.Cart - low")
    assert (event["log.format"], event["log.level"], event["process.name"]) == (
        "docker-compose/generic", "warning", "shop.Cart",
    )  # fmt: skip
    assert read("web-1  | hello there")["process.name"] == "web-1"


def test_stamp_that_was_not_read_leaves_the_stamp_around_it() -> None:
    event = read(cri('{"level":"warn","msg":"slow"}'))
    assert event["@timestamp"] == datetime(2026, 11, 23, 22, 4, 20, 500_000, tzinfo=UTC)
    assert event["vedette.marks"] is None


@pytest.mark.parametrize(
    ("message", "inner", "column", "value"),
    [
        (OBJECT, "json-lines", "user.name", "anna"),
        ("CEF:0|Example|Gate|1|7|Login failed|5|src=203.0.113.9 suser=bob", "cef", "source.ip", "203.0.113.9"),
        ("LEEF:1.0|Example|Gate|1|7|src=203.0.113.9\tusrName=bob", "leef", "user.name", "bob"),
        ("level=warn msg=slow user=anna", "logfmt", "user.name", "anna"),
        (
            "type=USER_LOGIN msg=audit(1795471457.123:4): pid=1 res=failed addr=203.0.113.9",
            "auditd",
            "source.ip",
            "203.0.113.9",
        ),
        (ACCESS, "http-access", "http.response.status_code", 404),
    ],
)
def test_structured_message_in_syslog_is_read_again(message: str, inner: str, column: str, value: object) -> None:
    event = read(f"{SYSLOG} shop[7]: {message}")
    assert event["log.format"].split("/")[:2] == ["syslog-rfc3164", inner]
    assert event[column] == value
    assert event["host.name"] == "web1"


def test_record_after_a_bare_syslog_header_is_read() -> None:
    line = "1,2026/11/23 22:04:17,001122334455,TRAFFIC,drop,2561,2026/11/23 22:04:17,203.0.113.9,192.0.2.10,0.0.0.0,0.0.0.0,r1"
    event = read(f"{SYSLOG} {line}")
    assert (event["log.format"], event["source.ip"]) == ("syslog-rfc3164/palo-alto-traffic", "203.0.113.9")
    event = read("<190>Nov 23 22:04:17 fw1 CEF:0|Example|Gate|1|7|Login failed|5|src=203.0.113.9")
    assert (event["log.format"], event["host.name"], event["source.ip"]) == ("syslog-rfc3164/cef", "fw1", "203.0.113.9")


def test_journal_object_is_read_by_what_its_program_wrote() -> None:
    record = {
        "__REALTIME_TIMESTAMP": "1795471457123456", "_HOSTNAME": "web1", "SYSLOG_IDENTIFIER": "sshd", "_PID": "7",
        "PRIORITY": "6", "MESSAGE": "Invalid user bob from 203.0.113.9 port 22",
    }  # fmt: skip
    event = read(json.dumps(record))
    assert (event["host.name"], event["process.name"], event["log.level"]) == ("web1", "sshd", "info")
    assert (event["source.ip"], event["log.format"]) == ("203.0.113.9", "json-lines/sshd")
    assert event["@timestamp"] == datetime(2026, 11, 23, 22, 4, 17, 123_456, tzinfo=UTC)
    event = read(json.dumps({**record, "SYSLOG_IDENTIFIER": "shop", "MESSAGE": OBJECT}))
    assert (event["log.format"], event["user.name"]) == ("json-lines/json-lines", "anna")


def test_message_that_a_program_is_known_for_is_not_read_as_another_record() -> None:
    event = read(
        f"{SYSLOG} kernel: IN=eth0 OUT= MAC=52 SRC=203.0.113.9 DST=192.0.2.1 LEN=40 PROTO=TCP SPT=51234 DPT=23"
    )
    assert event["log.format"] == "syslog-rfc3164/kernel"


def test_user_in_a_message_cannot_forge_a_record() -> None:
    event = read(f'{SYSLOG} sshd[7]: Invalid user {{"user":"root","src_ip":"198.51.100.1"}} from 203.0.113.9 port 22')
    assert (event["log.format"], event["source.ip"]) == ("syslog-rfc3164/sshd", "203.0.113.9")


FIELDS = "#Fields: date time c-ip cs-method cs-uri-stem sc-status"
ROW = "2026-11-23 22:04:17 203.0.113.9 GET /x 404"


def decode(lines: list[str], engine: FormatEngine, **kwargs: Any) -> pl.DataFrame:
    return engine.decode([batch_of(lines, **kwargs)])


def test_header_names_the_columns_of_later_batches_and_after_a_restart() -> None:
    engine = FormatEngine(LIBRARY)
    first = decode(["#Software: Example", FIELDS, ROW], engine)
    assert first["parse.status"].to_list() == ["parsed"] * 3
    assert first["event.severity"].to_list()[:2] == [1, 1]
    assert first["event.category"].to_list() == [None, None, "web"]
    later = decode([ROW, ROW], engine, start=200)
    assert later["http.response.status_code"].to_list() == [404, 404]
    state = engine.snapshot()
    assert state is not None
    restarted = FormatEngine(LIBRARY)
    restarted.restore(state)
    assert decode([ROW], restarted, start=300)["source.ip"].to_list() == ["203.0.113.9"]


def test_header_counts_from_its_line_on_and_for_its_file_only() -> None:
    engine = FormatEngine(LIBRARY)
    swapped = "#Fields: date time cs-method cs-uri-stem c-ip sc-status"
    other = "2026-11-23 22:04:17 GET /y 203.0.113.7 200"
    events = decode([FIELDS, ROW, swapped, other], engine)
    assert events["url.original"].to_list() == [None, "/x", None, "/y"]
    assert events["source.ip"].to_list() == [None, "203.0.113.9", None, "203.0.113.7"]


def test_of_too_many_headers_the_oldest_is_forgotten() -> None:
    engine = FormatEngine(LIBRARY, max_choices=2)
    for name in "abc":
        decode([FIELDS, ROW], engine, source=name)
    statuses = [decode([ROW], engine, source=name, start=99)["http.response.status_code"].item() for name in "bca"]
    assert statuses == [404, 404, None]


def test_zeek_header_names_columns() -> None:
    lines = [
        "#separator \\x09",
        "#path\tssh",
        "#fields\tts\tuid\tid.orig_h\tauth_success",
        "1795471457.5\tCabcdefghij01\t203.0.113.9\tF",
    ]
    event = decode(lines, FormatEngine(LIBRARY)).row(3, named=True)
    assert (event["log.format"], event["source.ip"], event["event.outcome"]) == ("zeek", "203.0.113.9", "failure")
    assert event["@timestamp"] == datetime(2026, 11, 23, 22, 4, 17, 500_000, tzinfo=UTC)
