"""Formats for lines that none explains are proposed by the lines alone, and are right."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from support.inventedlogs import INVENTED, Chance, Told, invented, pairs_with_odd_separators, prefix_before_the_stamp
from vedette.formats import load_library
from vedette.formats.definition import read_format
from vedette.formats.learning import (
    Proposed,
    UnreadSampler,
    columns_told,
    edited,
    propose,
    sample_problems,
)
from vedette.model.errors import FormatError
from vedette.model.rows import iso_utc

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Make = Callable[[datetime, Chance], Told]


def proposed(lines: list[str]) -> Proposed:
    made = propose(lines, name="learned-x", title="X", reference_time=NOW)
    assert made is not None
    return made


def as_told(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: iso_utc(value) if isinstance(value, datetime) else value for name, value in columns.items()}


@pytest.mark.parametrize("make", INVENTED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("count", [40, 200])
def test_proposal_has_every_column_right_on_lines_it_never_saw(make: Make, count: int) -> None:
    made = proposed([told.line for told in invented(make, count)])
    later = invented(make, 300, seed=2)
    told = columns_told(made.definition, [one.line for one in later], NOW)
    assert told == [as_told(one.columns) for one in later]
    assert made.evaluation.parsed == 1
    assert made.evaluation.stamps == 1
    assert made.evaluation.confidence > 0.9


@pytest.mark.parametrize("make", INVENTED, ids=lambda make: make.__name__)
def test_proposal_is_a_file_like_any_other_with_samples_that_hold(make: Make) -> None:
    made = proposed([told.line for told in invented(make, 60)])
    again = read_format(made.text, "x.yaml")
    assert again == made.definition
    assert len(again.samples) == 3
    assert sample_problems(again, NOW) == []


def test_same_lines_give_the_same_proposal() -> None:
    lines = [told.line for told in invented(prefix_before_the_stamp, 100)]
    assert proposed(lines).text == proposed(lines).text


@pytest.mark.parametrize("make", INVENTED, ids=lambda make: make.__name__)
def test_five_hundred_lines_take_about_a_second(make: Make) -> None:
    lines = [told.line for told in invented(make, 500)]
    started = time.thread_time()
    proposed(lines)
    assert time.thread_time() - started < 1.5


def test_file_that_mixes_shapes_gets_a_pattern_for_each() -> None:
    one, other = invented(pairs_with_odd_separators, 120), invented(prefix_before_the_stamp, 60)
    lines = [told.line for pair in zip(one[::2], one[1::2], other, strict=True) for told in pair]
    made = proposed(lines)
    assert len(made.definition.patterns) >= 2
    for expected in invented(pairs_with_odd_separators, 50, seed=2) + invented(prefix_before_the_stamp, 50, seed=2):
        assert columns_told(made.definition, [expected.line], NOW) == [as_told(expected.columns)]


def test_peer_and_user_in_messages_are_told_and_cannot_be_forged() -> None:
    chance = Chance(3)
    says: list[Callable[[], str]] = [
        lambda: (
            f"login refused for {chance.one_of('anna', 'bob')} from {chance.address()} port {chance.number(1024, 9999)}"
        ),
        lambda: f"connection from {chance.address()} closed",
        lambda: "disk nearly full on /srv",
        lambda: "user list reloaded",
    ]
    begin = "<gate7> 2026-11-24 09:00:{:02d} [{}] "
    lines = [
        begin.format(number % 60, chance.one_of("INFO", "WARN")) + says[number % len(says)]() for number in range(120)
    ]
    made = proposed(lines)
    forged = "login refused for root from 203.0.113.9 port 22 from 192.0.2.7 port 4711"
    told = columns_told(
        made.definition,
        [begin.format(1, "INFO") + text for text in (forged, "connection from 192.0.2.8 closed", "user list reloaded")],
        NOW,
    )
    assert [(columns or {}).get("source.ip") for columns in told] == ["192.0.2.7", "192.0.2.8", None]
    assert [(columns or {}).get("source.port") for columns in told] == [4711, None, None]
    assert [(columns or {}).get("message") for columns in told][2] == "user list reloaded"
    (refused,) = columns_told(
        made.definition, [begin.format(1, "INFO") + forged.replace("root from 203.0.113.9 port 22", "anna")], NOW
    )
    assert refused is not None
    assert refused["user.name"] == "anna"


def test_lines_without_anything_in_common_get_no_proposal() -> None:
    chance = Chance(1)
    words = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "and", "runs", "away", "again"]
    prose = [" ".join(chance.one_of(*words) for _ in range(chance.number(2, 9))) for _ in range(100)]
    assert propose(prose, name="x", title="X", reference_time=NOW) is None
    assert propose(["one", "two"], name="x", title="X", reference_time=NOW) is None
    assert propose(["", "  "] * 50, name="x", title="X", reference_time=NOW) is None


def test_odd_lines_never_raise() -> None:
    chance = Chance(7)
    letters = "[]{}()<>|;:=\"'\\ \t,.~^$*+?#%aB7é\u0000\u202e🙂"
    for _ in range(60):
        lines = ["".join(chance.one_of(*letters) for _ in range(chance.number(0, 40))) for _ in range(40)]
        propose(lines, name="x", title="X", reference_time=NOW)


@pytest.mark.parametrize(
    "line",
    [
        " " * 2000 + "{}", "a" * 1990 + "{}", '"' * 1990 + "{}", "[" * 1990 + "{}", "a=b " * 450 + "{}", "1:" * 950 + "{}",
        "a.b" * 600 + "! {}", "x | " * 480 + "{}", "1" * 1990 + "{}", "- " * 950 + "{}", "2026-11-24 09:00:0{} " * 90,
        "a1" * 950 + "!{}", "k: " * 600 + "{}", "\\" * 1900 + "{}", "(a) " * 480 + "{}",
    ],
    ids=lambda line: line.strip()[:6],
)  # fmt: skip
def test_pathological_lines_take_no_longer(line: str) -> None:
    lines = [line.replace("{}", str(number % 7)) for number in range(400)]
    started = time.thread_time()
    propose(lines, name="x", title="X", reference_time=NOW)
    assert time.thread_time() - started < 2.5


def test_noise_does_not_spoil_a_proposal() -> None:
    told = invented(prefix_before_the_stamp, 100)
    lines = [one.line for one in told]
    for place in range(3, 100, 20):
        lines[place:place] = ["    at core.Main.run(Main.java:7)", "~~~~ what is this ~~~~"]
    made = proposed(lines)
    later = invented(prefix_before_the_stamp, 50, seed=2)
    assert columns_told(made.definition, [one.line for one in later], NOW) == [as_told(one.columns) for one in later]
    assert made.evaluation.parsed < 1
    assert made.evaluation.misfits


def test_proposal_leaves_lines_of_known_formats_alone() -> None:
    """It would else take them over: it is more specific than the formats that explain nearly everything."""
    library = load_library()
    samples = [sample.line for one in library.line_formats for sample in one.definition.samples if sample.columns]
    for make in INVENTED:
        made = proposed([told.line for told in invented(make, 100)])
        taken = [line for line, told in zip(samples, columns_told(made.definition, samples, NOW), strict=True) if told]
        assert taken == []


def test_sampler_keeps_few_lines_from_all_over_the_file() -> None:
    sampler = UnreadSampler()
    for start in range(0, 100_000, 1000):
        sampler.add("s", "/f", pl.Series([f"line {number}" for number in range(start, start + 1000)]))
    due = sampler.take_due()
    assert due is not None
    assert (due.source, due.path, due.seen) == ("s", "/f", 100_000)
    assert 100 <= len(due.lines) <= 400
    assert int(due.lines[-1].split()[1]) > 90_000
    assert sampler.take_due() is None


def test_sampler_waits_for_thirty_lines_and_then_for_twice_as_many() -> None:
    sampler = UnreadSampler()
    sampler.add("s", "/f", pl.Series(["x"] * 29))
    assert sampler.take_due() is None
    sampler.add("s", "/f", pl.Series(["x"]))
    assert sampler.take_due() is not None
    sampler.add("s", "/f", pl.Series(["x"] * 29))
    assert sampler.take_due() is None
    sampler.add("s", "/f", pl.Series(["x"]))
    assert sampler.take_due() is not None


def test_sampler_forgets_the_files_that_were_silent_longest() -> None:
    sampler = UnreadSampler(files_kept=2)
    for name in ("a", "b", "a", "c"):
        sampler.add("s", name, pl.Series(["x"] * 40))
    assert {due.path for due in (sampler.take_due(), sampler.take_due()) if due} == {"a", "c"}


def test_captures_are_renamed_in_every_pattern() -> None:
    made = proposed([told.line for told in invented(prefix_before_the_stamp, 60)])
    changed = read_format(
        edited(made.text, name="gates", title="Gates", captures={"fields.logger": "fields.part"}), "x"
    )
    assert (changed.name, changed.title) == ("gates", "Gates")
    assert "(?P<fields.part>" in changed.patterns[0]
    with pytest.raises(FormatError, match=r"no capture 'user\.name'"):
        edited(made.text, name=None, title=None, captures={"user.name": "host.name"})
    with pytest.raises(FormatError, match="no event column"):
        edited(made.text, name=None, title=None, captures={"fields.logger": "nonsense"})
