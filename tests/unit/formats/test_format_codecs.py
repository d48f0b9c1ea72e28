"""JSON lines and logfmt whose keys nobody has announced; syslog in its odder forms."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from support.entries import READ_AT, batch_of
from vedette.formats import FormatEngine, load_library
from vedette.formats.contract import Format, ParseContext

LIBRARY = load_library()


def decode(lines: list[str]) -> pl.DataFrame:
    return FormatEngine(LIBRARY).decode([batch_of(lines)])


def columns_of(line: str) -> dict[str, Any]:
    return decode([line]).row(0, named=True)


@pytest.mark.parametrize("name", [one.name for one in (*LIBRARY.line_formats, LIBRARY.plain)])
def test_every_line_format_keeps_the_contract_on_foreign_lines(name: str) -> None:
    one: Format | None = LIBRARY.line_format(name)
    assert one is not None
    lines = pl.Series(["", "\0", "{", "<34>1 ", "[", "Nov 23 22:04:17", "a=b c", "é" * 1_000])
    parsed = one.parse(lines, ParseContext(READ_AT))
    assert parsed.height == lines.len()
    assert parsed["parse.status"].null_count() == 0
    assert parsed["message"].null_count() == 0
    assert 0 <= one.fits(lines.to_list()).confidence <= 1


def test_objects_that_share_no_schema_are_decoded_one_by_one() -> None:
    events = decode(
        [
            '{"msg":"one","user":{"name":"anna"},"level":"info"}',
            '{"msg":"two","user":"bob","level":30}',
            '{"msg":["three"],"user":["carl"],"level":true}',
        ]
    )
    assert events["message"].to_list() == ["one", "two", '{"msg":["three"],"user":["carl"],"level":true}']
    assert events["user.name"].to_list() == ["anna", "bob", None]
    assert events["log.level"].to_list() == ["info", "info", None]


@pytest.mark.parametrize("others", ['{"a":1}', '"text"'], ids=["one-schema", "no-common-schema"])
def test_key_may_name_the_first_member_of_a_list(others: str) -> None:
    record = (
        '{"apiVersion":"audit.k8s.io/v1","verb":"get","user":{"username":"anna"},"sourceIPs":["203.0.113.9","10.0.0.1"],'
        '"requestObject":%s,"stageTimestamp":"2026-11-23T22:04:17Z"}'
    )
    events = decode([record % '{"a":1}', record % others])
    assert events["log.format"].to_list() == ["kubernetes-audit"] * 2
    assert events["source.ip"].to_list() == ["203.0.113.9"] * 2


def test_case_asks_for_all_its_conditions() -> None:
    record = '203.0.113.9 - %s [23/Nov/2026:22:04:17 +0000] "GET /private HTTP/1.1" %d 12'
    events = decode([record % ("bob", 401), record % ("-", 401), record % ("bob", 200)])
    assert events["event.action"].to_list() == ["http-login", "http-request", "http-request"]
    assert events["event.category"].to_list() == ["authentication", "web", "web"]


def test_object_with_very_many_keys_is_decoded() -> None:
    line = json.dumps({"msg": "many", **{f"key{number}": number for number in range(1_000)}})
    event = columns_of(line)
    assert event["message"] == "many"
    assert json.loads(event["fields"])["key999"] == 999


def test_object_is_kept_whole_in_fields() -> None:
    line = '{"msg":"x","a":{"b":[1,{"c":null}]},"big":12345678901234567890,"f":1.10}'
    assert columns_of(line)["fields"] == line


@pytest.mark.parametrize(
    "line", ['{"a":1', '{"a":1} trailing', '{"a":1}{"b":2}', "{}{", '{"a":NaN}', '{"a":01}', "[1]", '"text"']
)
def test_broken_object_is_no_json_line(line: str) -> None:
    assert columns_of(line)["log.format"] == "plain"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param(r"\ud83d\ude00!", "😀!", id="both halves"),
        pytest.param(r"a\ud83d", "a\ufffd", id="first half"),
        pytest.param(r"\uDE00 b", "\ufffd b", id="second half"),
        pytest.param(r"\ud83d\ud83d\ude00", "\ufffd😀", id="half before a whole"),
        pytest.param(r"C:\\ud83d", r"C:\ud83d", id="an escaped backslash"),
        pytest.param(r"\\\ud83d", "\\\ufffd", id="a backslash before half a letter"),
    ],
)
def test_half_letters_make_no_line_unreadable(written: str, read: str) -> None:
    """Loggers write names that are no Unicode, and texts cut within a letter, with half of a pair of escapes."""
    lines = ['{"msg":"before"}', f'{{"msg":"{written}","user":"{written}"}}', '{"msg":"x","user":{"name":"bob"}}']
    events = FormatEngine(load_library()).decode([batch_of(lines)])
    assert events["parse.status"].to_list() == ["parsed"] * 3
    assert events["message"].to_list() == ["before", read, "x"]
    assert events["event.original"].to_list() == lines
    assert [json.loads(text).get("user") for text in events["fields"]] == [None, read, {"name": "bob"}]


def test_half_letters_in_windows_events() -> None:
    event = {
        "Channel": "Security",
        "EventID": 4625,
        "TargetUserName": "b\ud800b",
        "TimeCreated": "2026-11-24T10:00:00Z",
    }
    events = FormatEngine(load_library()).decode([batch_of([json.dumps(event)])])
    assert events["log.format"].to_list() == ["windows-event"]
    assert events["user.name"].to_list() == ["b\ufffdb"]


def test_empty_object_is_its_own_message() -> None:
    assert columns_of("{}")["message"] == "{}"


def test_numbers_stand_for_levels_as_loggers_write_them() -> None:
    events = decode([f'{{"level":{level},"msg":"x"}}' for level in (10, 30, 50, 60, 3, 6)])
    assert events["log.level"].to_list() == ["trace", "info", "error", "critical", "error", "info"]


def test_logfmt_values_may_be_quoted_empty_or_missing() -> None:
    event = columns_of(r'level=error msg="two \"words\"" empty= flag user="" path="/a b" n=1 n=2')
    assert event["message"] == 'two "words"'
    assert event["user.name"] is None
    assert event["url.original"] == "/a b"
    assert json.loads(event["fields"]) == {"n": "1"}


def test_logfmt_keeps_any_number_of_keys() -> None:
    line = "level=info " + " ".join(f"key{number}={number}" for number in range(1_000))
    assert json.loads(columns_of(line)["fields"]) == {f"key{number}": str(number) for number in range(1_000)}


def test_priority_gives_the_level() -> None:
    events = decode([f"<{pri}>Nov 23 22:04:17 web1 app[1]: x" for pri in (0, 11, 38, 191)])
    assert events["log.level"].to_list() == ["emergency", "error", "info", "debug"]
    assert events["event.severity"].to_list() == [6, 4, 1, 1]


def test_same_message_means_the_same_in_every_syslog() -> None:
    message = "Failed password for root from 203.0.113.9 port 4711 ssh2"
    events = decode(
        [
            f"Nov 23 22:04:17 web1 sshd[2412]: {message}",
            f"2026-11-23T22:04:17.123456+00:00 web1 sshd-session[2412]: {message}",
            f"<38>1 2026-11-23T22:04:17.1Z web1 sshd 2412 - - {message}",
            f"web1 sshd[2412]: {message}",
        ]
    )
    assert events["log.format"].str.split("/").list.last().to_list() == ["sshd"] * 4
    assert events["source.ip"].to_list() == ["203.0.113.9"] * 4
    assert events["process.pid"].to_list() == [2412] * 4
    assert events["message"].to_list() == [message] * 4


@pytest.mark.parametrize(
    ("written", "ip"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.000.113.9", None),
        ("256.1.1.1", None),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::1"),
        ("host.example.net", None),
        ("1.2.3", None),
    ],
)
def test_source_ip_is_an_address_in_canonical_text_or_null(written: str, ip: str | None) -> None:
    event = columns_of(f"Nov 23 22:04:17 web1 sshd[1]: Invalid user bob from {written} port 22")
    assert (event["source.address"], event["source.ip"]) == (written, ip)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23 22:04:17,123 WARN [pool-1] shop.cart - low",
        "2026-11-23 22:04:17.123 [pool-1] WARN shop.cart - low",
        "2026-11-23T22:04:17.123Z WARN shop.cart: low",
        "[2026-11-23 22:04:17,123] [WARN] shop.cart - low",
        "2026-11-23 22:04:17,123 - shop.cart - WARN - low",
        "2026-11-23 22:04:17,123 77 WARN shop.cart: low",
        "23/11/2026 22:04:17.123 WARN shop.cart: low",
    ],
)
def test_generic_line_gives_time_level_logger_and_message(line: str) -> None:
    event = columns_of(line)
    assert (event["log.format"], event["log.level"], event["process.name"]) == ("generic", "warning", "shop.cart")
    assert event["message"] == "low"
    assert event["@timestamp"].isoformat() == "2026-11-23T22:04:17.123000+00:00"
