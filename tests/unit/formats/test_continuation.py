"""Stack traces and details belong to the record before them; everything else stays by itself."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from support.entries import READ_AT, batch_of
from vedette.formats import FormatEngine, load_library
from vedette.formats.continuation import MOST_BYTES, MOST_LINES

LIBRARY = load_library()
HEAD = "2026-11-23 22:04:17,123 ERROR [main] shop.Cart - it broke"
NEXT = "2026-11-23 22:04:18,001 INFO [main] shop.Cart - goes on"
JAVA = [
    "java.lang.IllegalStateException: no cart",
    "\tat shop.Cart.open(Cart.java:12)",
    "\tat java.base/java.lang.Thread.run(Thread.java:840)",
    "Caused by: java.io.IOException: disk full",
    "\tat shop.Disk.write(Disk.java:7)",
    "\t... 12 more",
]
PYTHON = [
    "Traceback (most recent call last):",
    '  File "/srv/shop/app.py", line 7, in cart',
    "    return carts[key]",
    "ValueError: no such cart",
]
GO = [
    "panic: runtime error: index out of range [5] with length 3",
    "goroutine 1 [running]:",
    "main.open(0xc000010000)",
    "\t/srv/shop/main.go:12 +0x1d",
    "exit status 2",
]
DOTNET = [
    "System.InvalidOperationException: no cart",
    "   at Shop.Cart.Open(String key) in /srv/shop/Cart.cs:line 12",
    "--- End of stack trace from previous location ---",
    "   at Shop.Program.Main()",
]
PHP = ["Stack trace:", "#0 /srv/shop/cart.php(12): open()", "#1 {main}", "  thrown in /srv/shop/cart.php on line 12"]
RUBY = ["NoMethodError: undefined method 'open'", "  app/cart.rb:12:in 'open'", "  app/shop.rb:3:in '<main>'"]


def decode(lines: list[str], engine: FormatEngine | None = None, *, start: int = 0) -> pl.DataFrame:
    return (engine or FormatEngine(LIBRARY)).decode([batch_of(lines, start=start)])


@pytest.mark.parametrize(
    "trace", [JAVA, PYTHON, GO, DOTNET, PHP, RUBY], ids=["java", "python", "go", "net", "php", "ruby"]
)
def test_trace_belongs_to_the_record_before_it(trace: list[str]) -> None:
    events = decode([HEAD, *trace, NEXT])
    assert events["event.original"].to_list() == ["\n".join([HEAD, *trace]), NEXT]
    assert events["message"].to_list() == ["\n".join(["it broke", *trace]), "goes on"]
    assert events["vedette.marks"].to_list() == ["joined", None]
    assert events["log.offset"].to_list() == [0, sum(len(line) + 1 for line in [HEAD, *trace])]
    assert events["log.length"].to_list() == [sum(len(line) + 1 for line in [HEAD, *trace]), len(NEXT) + 1]
    assert events["log.level"].to_list() == ["error", "info"]
    assert events["parse.status"].to_list() == ["parsed", "parsed"]


def test_unstamped_line_that_looks_like_no_trace_stays_by_itself() -> None:
    lines = [HEAD, "free words", NEXT]
    assert decode(lines)["event.original"].to_list() == lines


def test_files_without_stamps_are_never_joined() -> None:
    lines = ["one", "  two", *JAVA]
    events = decode(lines)
    assert events["event.original"].to_list() == lines
    assert set(events["parse.status"]) == {"unparsed"}


def test_lines_after_a_plain_line_are_not_joined_to_the_record_before_it() -> None:
    events = decode([HEAD, "free words", "  indented"])
    assert events["event.original"].to_list() == [HEAD, "free words", "  indented"]


def test_detail_with_a_stamp_of_its_own_joins_the_record_of_its_process() -> None:
    lines = [
        '2026-11-23 22:04:17.123 UTC [77] anna@shop ERROR:  duplicate key value violates unique constraint "carts_pkey"',
        "2026-11-23 22:04:17.123 UTC [77] anna@shop DETAIL:  Key (id)=(7) already exists.",
        "2026-11-23 22:04:17.123 UTC [77] anna@shop STATEMENT:  insert into carts",
        "\tvalues (7)",
        "2026-11-23 22:04:17.200 UTC [78] bob@shop LOG:  connection authorized: user=bob database=shop",
        "2026-11-23 22:04:17.300 UTC [77] anna@shop DETAIL:  of another process",
    ]
    events = decode(lines)
    assert events["event.original"].to_list() == ["\n".join(lines[:4]), lines[4], lines[5]]
    assert events["process.pid"].to_list() == [77, 78, 77]


def test_continuation_in_the_next_batch_has_the_stamp_level_and_process_of_its_record() -> None:
    engine = FormatEngine(LIBRARY)
    decode([NEXT, HEAD, JAVA[0]], engine)
    events = decode([*JAVA[1:], NEXT], engine, start=500)
    assert events["event.original"].to_list() == ["\n".join(JAVA[1:]), NEXT]
    assert events["message"][0] == "\n".join(JAVA[1:])
    assert events["vedette.marks"].to_list() == ["joined continuation", None]
    assert events["@timestamp"][0] == datetime(2026, 11, 23, 22, 4, 17, 123_000, tzinfo=UTC)
    assert (events["log.level"][0], events["process.name"][0]) == ("error", "shop.Cart")
    assert events["parse.status"].to_list() == ["partial", "parsed"]
    assert events["log.offset"][0] == 500


def test_continuation_knows_its_record_after_a_restart() -> None:
    engine = FormatEngine(LIBRARY)
    decode([NEXT, HEAD], engine)
    state = engine.snapshot()
    assert state is not None
    restarted = FormatEngine(LIBRARY)
    restarted.restore(state)
    events = decode(JAVA[1:3], restarted)
    assert events["vedette.marks"].to_list() == ["joined continuation"]
    assert events["log.level"].to_list() == ["error"]


def test_file_that_grows_without_trouble_does_not_change_the_state() -> None:
    engine = FormatEngine(LIBRARY)
    decode([NEXT] * 30, engine)
    engine.snapshot()
    decode([NEXT] * 30, engine)
    assert engine.snapshot() is None


def test_other_files_do_not_take_part() -> None:
    batches = [batch_of([HEAD], source="a"), batch_of(JAVA, source="b"), batch_of(JAVA[1:2], source="a", start=99)]
    events = FormatEngine(LIBRARY).decode(batches)
    assert events["event.original"].to_list() == ["\n".join([HEAD, JAVA[1]]), *JAVA]
    assert events["vedette.source"].to_list() == ["a", *["b"] * len(JAVA)]


def test_record_of_too_many_lines_is_cut_and_the_rest_marked() -> None:
    lines = [HEAD, *[f"\tat shop.Cart.open{number}(Cart.java:1)" for number in range(MOST_LINES + 10)], NEXT]
    events = decode(lines)
    assert [text.count("\n") + 1 for text in events["event.original"]] == [MOST_LINES + 1, 10, 1]
    assert events["vedette.marks"].to_list() == ["joined", "joined continuation", None]
    assert events["log.level"].to_list() == ["error", "error", "info"]
    assert "\n".join(events["event.original"]).split("\n") == lines


def test_record_of_too_many_bytes_is_cut_and_the_rest_marked() -> None:
    long = "\tat " + "x" * (MOST_BYTES - 100)
    events = decode([HEAD, long, long, "\tat last", NEXT])
    assert events["event.original"].to_list() == [f"{HEAD}\n{long}", f"{long}\n\tat last", NEXT]
    assert events["vedette.marks"].to_list() == ["joined", "joined continuation", None]


def test_cut_lines_are_not_joined() -> None:
    engine = FormatEngine(LIBRARY)
    events = engine.decode([batch_of([HEAD, JAVA[1], JAVA[2]], flags=[0, 1, 0], hashes=[None, "ab", None])])
    assert events["event.original"].to_list() == [HEAD, JAVA[1], JAVA[2]]


def test_traces_in_container_records_are_joined() -> None:
    def record(text: str) -> str:
        return f"2026-11-23T22:04:17.123456789Z stderr F {text}"

    events = decode([record(line) for line in [HEAD, *JAVA, NEXT]])
    assert events["message"].to_list() == ["\n".join(["it broke", *(line.strip() for line in JAVA)]), "goes on"]
    assert events["log.level"].to_list() == ["error", "info"]
    assert READ_AT not in events["@timestamp"].to_list()
