"""A broken format file disables itself and says what to do; all others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library
from vedette.formats.definition import read_format
from vedette.model.errors import FormatError

GOOD = """
name: shop
title: The shop's own log
rank: 90
patterns: '^SHOP (?P<time>%{iso}) (?P<log.level>\\w+) (?P<user.name>\\S+) (?P<message>.*)$'
stamps: iso
"""
LINE = "SHOP 2026-11-23T22:04:17Z WARN anna bought nothing"


def with_line(line: str) -> str:
    return f"{GOOD}{line}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: [", "shop.yaml: is not YAML"),
        ("- a", "shop.yaml: holds no format"),
        ("title: x\npatterns: x", "shop.yaml: name: Field required"),
        (with_line("colour: red"), "shop.yaml: colour: Extra inputs are not permitted"),
        (
            with_line("looks_like: '(a'"),
            "shop.yaml: looks_like: the regular expression does not compile (error: unclosed group)",
        ),
        (with_line(r"looks_like: '(a)\1'"), "no look-around and no back-references"),
        (with_line("looks_like: '(?=a)'"), "look-around, including look-ahead and look-behind, is not supported"),
        (with_line("looks_like: '(?P<user.nam>a)'"), "'user.nam' is no event column; name it fields.user.nam"),
        (with_line("looks_like: '(a)'"), "an unnamed capture fills nothing"),
        (with_line("looks_like: '%{isso}'"), "%{isso} is no fragment; known are stamp, iso"),
        (
            with_line("defaults: {event.severty: 3}"),
            "shop.yaml: defaults: 'event.severty' is no event column a format may set",
        ),
        (with_line("defaults: {event.severity: 11}"), "event.severity: 11 is not a whole number from 1 to 10"),
        (with_line("defaults: {event.category: stuff}"), "event.category: 'stuff' is none of authentication"),
        (with_line("levels: {bad: terrible}"), "bad: 'terrible' is none of emergency"),
        (with_line("messages: []\nprograms: [a]"), "a message format needs `messages`"),
        ("name: x\ntitle: x", "a line format needs `patterns`, or a `codec`"),
        ("name: x\ntitle: x\nprograms: [a]\nmessages: [{name: y}]", "messages.0: says nothing about the text"),
        (GOOD.replace("stamps: iso", "stamps: isso"), "shop.yaml: stamps: 'isso' is no stamp layout; known are iso"),
    ],
)
def test_broken_file_names_file_key_and_remedy(text: str, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_format(text, "shop.yaml")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("shop.yaml: ")


def test_file_of_the_user_is_used(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(GOOD)
    library = load_library(tmp_path)
    assert library.problems == ()
    event = FormatEngine(library).decode([batch_of([LINE])]).row(0, named=True)
    assert (event["log.format"], event["user.name"], event["log.level"]) == ("shop", "anna", "warning")
    assert (event["message"], event["event.severity"]) == ("bought nothing", 3)


def test_broken_file_disables_only_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: [")
    (tmp_path / "b.yaml").write_bytes(b"name: \xff")
    (tmp_path / "shop.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("not a format")
    library = load_library(tmp_path)
    assert [str(problem).partition(":")[0] for problem in library.problems] == [
        str(tmp_path / "a.yaml"),
        str(tmp_path / "b.yaml"),
    ]
    assert library.line_format("shop") is not None
    assert library.line_format("http-access") is not None


def test_second_file_with_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "two.yaml").write_text(GOOD)
    (problem,) = load_library(tmp_path).problems
    assert str(problem) == (
        f"{tmp_path / 'two.yaml'}: name: 'shop' is taken by {tmp_path / 'one.yaml'}; give one of the two another name"
    )


def test_file_of_the_user_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD.replace("name: shop", "name: generic"))
    library = load_library(tmp_path)
    assert library.definitions["generic"].title == "The shop's own log"


def test_missing_folder_is_no_problem(tmp_path: Path) -> None:
    assert load_library(tmp_path / "none").problems == ()


def test_message_format_of_the_user_speaks_for_its_programs(tmp_path: Path) -> None:
    (tmp_path / "till.yaml").write_text(
        "name: till\ntitle: The till\nprograms: ['till*']\n"
        "messages:\n- {name: theft, starts: 'ALARM ', pattern: 'ALARM (?P<user.name>\\w+)', set: {event.severity: 9}}\n"
    )
    engine = FormatEngine(load_library(tmp_path))
    lines = [f"Nov 23 22:04:17 shop {program}[1]: ALARM bob" for program in ("till2", "bill")]
    events = engine.decode([batch_of(lines)])
    assert events["event.severity"].to_list() == [9, 1]
    assert events["log.format"].to_list() == ["syslog-rfc3164/till", "syslog-rfc3164"]


def test_formats_that_claim_each_others_lines_with_equal_rank_are_named(tmp_path: Path) -> None:
    sample = f"samples: [{{line: '{LINE}', columns: {{}}}}]\n"
    (tmp_path / "shop.yaml").write_text(GOOD + sample)
    (tmp_path / "till.yaml").write_text(GOOD.replace("name: shop", "name: till") + sample)
    library = load_library(tmp_path)
    (problem,) = library.problems
    assert str(problem).startswith(f"{tmp_path / 'shop.yaml'} and {tmp_path / 'till.yaml'}: samples: ")
    assert "both have rank 90" in str(problem)
    assert FormatEngine(library).decode([batch_of([LINE])])["log.format"].to_list() == ["shop"]


def test_of_two_formats_that_claim_the_same_lines_the_more_specific_counts(tmp_path: Path) -> None:
    sample = f"samples: [{{line: '{LINE}', columns: {{}}}}]\n"
    (tmp_path / "shop.yaml").write_text(GOOD + sample)
    (tmp_path / "till.yaml").write_text(
        GOOD.replace("name: shop", "name: till").replace("rank: 90", "rank: 91") + sample
    )
    library = load_library(tmp_path)
    assert library.problems == ()
    for chosen in ("shop", "till", None):
        events = FormatEngine(library).decode([batch_of([LINE], format_name=chosen)])
        assert events["log.format"].to_list() == ["till"]


def test_no_two_shipped_formats_claim_each_others_lines_with_equal_rank() -> None:
    assert load_library().overlaps() == []
