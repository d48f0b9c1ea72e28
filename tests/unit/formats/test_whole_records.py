"""Records of several lines tell what stands in any of them."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from vedette.formats import FormatEngine, load_library

REFERENCE = datetime(2026, 11, 24, tzinfo=UTC)
LIBRARY = load_library()


def events_of(*lines: str) -> pl.DataFrame:
    return FormatEngine(LIBRARY).explain(lines, reference_time=REFERENCE).events


def test_user_and_address_of_a_slow_query_stand_in_its_second_line() -> None:
    events = events_of(
        "# Time: 2026-11-23T22:04:17.123456Z",
        "# User@Host: shop[shop] @ web1 [192.0.2.7]  Id:    77",
        "# Query_time: 2.0  Lock_time: 0.1 Rows_sent: 1  Rows_examined: 9",
        "SET timestamp=1795471457;",
        "SELECT 1",
        "FROM carts;",
    )
    assert events["message"].to_list() == ["SELECT 1\nFROM carts;"]
    assert events["user.name"].to_list() == ["shop"]
    assert events["source.ip"].to_list() == ["192.0.2.7"]
    assert events["vedette.marks"].to_list() == ["joined"]


def test_failed_login_in_the_second_line_of_a_record_is_seen() -> None:
    events = events_of(
        "Nov 23, 2026 10:04:17 PM org.slf4j.impl.JCLLoggerAdapter warn",
        'WARNING: Authentication attempt from 203.0.113.9 for user "bob" failed.',
        "Nov 23, 2026 10:04:18 PM org.apache.catalina.core.StandardServer await",
        "INFO: stopped",
    )
    assert events["log.level"].to_list() == ["warning", "info"]
    assert events["event.outcome"].to_list() == ["failure", None]
    assert events["source.ip"].to_list() == ["203.0.113.9", None]
    assert events["log.format"].to_list() == ["java-util-logging/guacamole", "java-util-logging"]


def test_what_the_first_line_told_stays_where_the_whole_tells_less() -> None:
    events = events_of(
        "2026-11-23 22:04:17 UTC [77] bob@shop LOG:  connection authorized: user=bob database=shop",
        "2026-11-23 22:04:17 UTC [77] bob@shop DETAIL:  more of it (1)",
    )
    assert events["event.action"].to_list() == ["postgresql-login"]
    assert events["user.name"].to_list() == ["bob"]
    assert events["message"].str.ends_with("more of it (1)").all()


def test_trace_follows_a_record_without_a_stamp_where_its_format_says_so() -> None:
    events = events_of(
        "ERROR:shop.cart:it broke",
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in <module>',
        "ValueError: no",
        "INFO:shop:on",
    )
    assert events["log.level"].to_list() == ["error", "info"]
    assert events["message"][0].endswith("ValueError: no")


def choice_of(*lines: str) -> str:
    return FormatEngine(LIBRARY).explain(lines, reference_time=REFERENCE).choice.format


def test_lines_that_continue_records_speak_for_their_format() -> None:
    fields = [f"    FIELD_{number}=x" for number in range(30)]
    assert choice_of("Mon 2026-11-23 22:04:17.123456 UTC [s=5a;i=7]", *fields) == "journal-verbose"


def test_one_record_does_not_make_the_lines_of_others_its_own() -> None:
    record = "=INFO REPORT==== 23-Nov-2026::22:04:17 ==="
    others = [f"Nov 23 22:04:{second} web1 sshd[7]: Connection closed by 203.0.113.9" for second in range(10, 40)]
    assert choice_of(record, *others) == "syslog-rfc3164"
