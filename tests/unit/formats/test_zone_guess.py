"""The zone of clocks without one: found by files that are followed, never by history and backlogs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.entries import batch_of
from vedette.formats import FormatEngine, FormatLibrary, load_library
from vedette.formats.timestamps import ZoneGuess

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILE = ("s", "/var/log/s")


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def follow(
    guess: ZoneGuess,
    offset: timedelta,
    *,
    times: int = 6,
    every: float = 4.0,
    lag: float = 0.3,
    start: datetime = START,
) -> str | None:
    """One line at a time of a clock that is ahead by `offset`, read `lag` seconds later."""
    for number in range(times):
        read_at = start + seconds(number * every)
        if guess.is_due(FILE, read_at=read_at, changed_at=read_at):
            guess.observe(FILE, [read_at + offset - seconds(lag)], read_at)
    zone = guess.zone_of(FILE)
    return None if zone is None else zone.offset


@pytest.mark.parametrize(
    ("ahead", "offset"),
    [
        (2, "+02:00"),
        (-5, "-05:00"),
        (5.5, "+05:30"),
        (5.75, "+05:45"),
        (14, "+14:00"),
        (-12, "-12:00"),
        (-3.5, "-03:30"),
    ],
)
def test_offset_of_a_followed_file_is_found(ahead: float, offset: str) -> None:
    assert follow(ZoneGuess(), hours(ahead)) == offset


def test_clock_in_utc_is_found_to_be_so() -> None:
    guess = ZoneGuess()
    assert follow(guess, hours(0)) is None
    zone = guess.zone_of(FILE)
    assert zone is not None
    assert zone.reason == "stamps without zone are UTC: 4 times in 12 s lines came at that time"


def test_clock_without_date_that_was_read_as_yesterdays_is_found_ahead() -> None:
    assert follow(ZoneGuess(), hours(2 - 24)) == "+02:00"


def test_reason_tells_zone_and_evidence() -> None:
    guess = ZoneGuess()
    follow(guess, hours(2))
    zone = guess.zone_of(FILE)
    assert zone is not None
    assert zone.reason == "stamps without zone are UTC+02:00: 4 times in 12 s lines came at that time"
    assert zone.since == START + seconds(12)


@pytest.mark.parametrize("times", [1, 2])
def test_few_lines_prove_nothing(times: int) -> None:
    assert follow(ZoneGuess(), hours(2), times=times, every=60) is None


def test_many_lines_of_one_moment_prove_nothing() -> None:
    guess = ZoneGuess()
    follow(guess, hours(2), times=30, every=0.3)
    assert guess.zone_of(FILE) is None


@pytest.mark.parametrize("ahead", [0.25, 1.25, 0.1, 0.9, 16, -13.25, -11.75, 100])
def test_skew_of_no_zone_proves_nothing(ahead: float) -> None:
    guess = ZoneGuess()
    follow(guess, hours(ahead), times=50)
    assert guess.zone_of(FILE) is None


def test_late_lines_prove_nothing() -> None:
    guess = ZoneGuess()
    follow(guess, hours(2), lag=400, times=50)
    assert guess.zone_of(FILE) is None


def test_file_that_was_changed_long_ago_is_not_observed() -> None:
    assert not ZoneGuess().is_due(FILE, read_at=START, changed_at=START - seconds(60))


@given(st.floats(2, 1e6), st.integers(-14 * 60, 14 * 60), st.lists(st.floats(0.2, 5), min_size=10, max_size=60))
def test_backlog_that_is_read_faster_than_it_was_written_proves_nothing(
    pace: float, minutes: int, pauses: list[float]
) -> None:
    guess = ZoneGuess()
    read_at, stamp = START, START + timedelta(minutes=minutes)
    for pause in pauses:
        read_at += seconds(pause)
        stamp += seconds(pause * pace)
        if guess.is_due(FILE, read_at=read_at, changed_at=read_at):
            guess.observe(FILE, [stamp - seconds(1), stamp], read_at)
    assert guess.zone_of(FILE) is None


def test_batches_of_many_minutes_prove_nothing() -> None:
    guess = ZoneGuess()
    for number in range(20):
        read_at = START + seconds(number * 10)
        guess.observe(FILE, [read_at + hours(1), read_at + hours(2)], read_at)
    assert guess.zone_of(FILE) is None


def test_clock_that_is_put_forward_is_found_again() -> None:
    guess = ZoneGuess()
    assert follow(guess, hours(1)) == "+01:00"
    assert follow(guess, hours(2), start=START + hours(1), times=5, every=61) == "+02:00"


def test_file_whose_stamps_name_their_zone_is_left_alone() -> None:
    guess = ZoneGuess()
    guess.has_zone(FILE, START)
    assert not guess.is_due(FILE, read_at=START + seconds(60), changed_at=START + seconds(60))
    assert guess.is_due(FILE, read_at=START + hours(1), changed_at=START + hours(1))


def test_few_files_are_observed_at_once() -> None:
    guess = ZoneGuess()
    guess.observe(("s", "a"), [START], START)
    assert not guess.is_due(("s", "b"), read_at=START + seconds(0.4), changed_at=START)
    assert guess.is_due(("s", "b"), read_at=START + seconds(0.6), changed_at=START)


def test_guesses_are_bounded_and_survive_a_restart() -> None:
    guess = ZoneGuess(max_files=2)
    for name in "abc":
        for number in range(4):
            guess.observe(("s", name), [START + seconds(number * 4) + hours(2)], START + seconds(number * 4))
    assert [one["path"] for one in guess.to_json()] == ["b", "c"]
    restarted = ZoneGuess()
    restarted.restore(guess.to_json())
    assert restarted.zone_of(("s", "c")) == guess.zone_of(("s", "c"))
    assert restarted.zone_of(("s", "a")) is None


@pytest.fixture(scope="module")
def library() -> FormatLibrary:
    return load_library()


def written(moment: datetime, ahead: float = 2, zone: str = "") -> str:
    """A line of a clock that is so many hours ahead."""
    return f"{moment + hours(ahead):%Y-%m-%d %H:%M:%S}{zone} INFO shop: order 7 is paid"


def decode(engine: FormatEngine, lines: list[str], read_at: datetime, **batch: Any) -> list[datetime]:
    changed = batch.pop("reference_time", read_at)
    events = engine.decode([batch_of(lines, read_at=read_at, reference_time=changed, **batch)])
    return [time.astimezone(UTC) for time in events["@timestamp"]]


def decode_live(engine: FormatEngine, *, times: int = 5, **line: Any) -> list[datetime]:
    moments = [START + seconds(4 * number) for number in range(times)]
    return [decode(engine, [written(moment, **line)], moment + seconds(0.4))[0] for moment in moments]


def test_followed_file_is_read_in_its_zone_once_that_is_known(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    times = decode_live(engine)
    assert times[0] == START + hours(2)
    assert times[-2:] == [START + seconds(12), START + seconds(16)]
    (choice,) = engine.choices()
    assert choice.reason.endswith("; stamps without zone are UTC+02:00: 4 times in 12 s lines came at that time")


def test_guessed_zone_survives_a_restart_and_holds_for_a_backlog(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    decode_live(engine)
    state = engine.snapshot()
    assert state is not None
    restarted = FormatEngine(library)
    restarted.restore(state)
    assert restarted.choices() == engine.choices()
    assert restarted.snapshot() is None
    lines = [written(START + timedelta(minutes=number)) for number in range(60)]
    assert decode(restarted, lines, START + hours(1))[::59] == [START, START + timedelta(minutes=59)]


def test_history_is_read_in_utc(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    for number in range(10):
        stamp = START + seconds(4 * number)
        read_at = stamp + hours(2)
        assert decode(engine, [written(stamp, 0)], read_at, reference_time=stamp) == [stamp]
    assert "zone" not in engine.choices()[0].reason


def test_backlog_of_a_file_that_grows_is_read_in_utc(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    for number in range(40):
        stamps = [START - hours(2) + seconds(100 * number + second) for second in range(0, 100, 10)]
        read_at = START + seconds(number)
        assert decode(engine, [written(stamp, 0) for stamp in stamps], read_at) == stamps
    assert "zone" not in engine.choices()[0].reason


def test_zone_that_is_set_is_not_guessed(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    for number in range(10):
        moment = START + seconds(4 * number)
        assert decode(engine, [written(moment)], moment, timezone="Asia/Tokyo") == [moment - hours(7)]
    assert "zone" not in engine.choices()[0].reason


def test_stamps_that_name_their_zone_are_taken_at_their_word(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    assert decode_live(engine, times=20, zone=" +0500")[-1] == START + seconds(76) - hours(3)
    assert "zone" not in engine.choices()[0].reason


def test_zone_of_one_file_is_not_that_of_another(library: FormatLibrary) -> None:
    engine = FormatEngine(library)
    decode_live(engine)
    assert decode(engine, [written(START)], START + hours(1), path="/var/log/other") == [START + hours(2)]
