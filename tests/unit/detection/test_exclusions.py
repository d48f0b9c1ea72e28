"""What people excepted is left out, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from support.events import START, event_frame
from vedette.detection.exclusions import Exclusion, ExclusionList
from vedette.model.query import parse_query

EVENTS = event_frame(
    [
        {"user.name": "backup", "source.ip": "10.0.0.1"},
        {"user.name": "root", "source.ip": "10.0.0.1"},
        {"user.name": "BACKUP", "source.ip": "203.0.113.9"},
        {"user.name": None, "fields": '{"job":"nightly"}'},
    ]
)
MATCHES = pl.DataFrame({"rule": [0, 1, 0, 1, 0], "row": [0, 0, 1, 2, 3]}, schema={"rule": pl.UInt32, "row": pl.UInt32})


def hidden(*exclusions: Exclusion, matches: pl.DataFrame = MATCHES, after: timedelta = timedelta(0)) -> list[bool]:
    return ExclusionList(exclusions)(["a", "b"], matches, EVENTS, START + after).to_list()


def exclusion(rule_id: str | None, query: str) -> Exclusion:
    return Exclusion(rule_id, parse_query(query, now=START), START + timedelta(days=1))


def test_exception_hides_the_events_that_fit_from_its_rule_only() -> None:
    assert hidden(exclusion("a", "user:backup")) == [True, False, False, False, False]
    assert hidden(exclusion("b", "user:backup")) == [False, True, False, True, False]


def test_exception_of_any_rule_hides_them_from_all() -> None:
    assert hidden(exclusion(None, "user:backup")) == [True, True, False, True, False]
    assert hidden(exclusion(None, "fields.job:nightly")) == [False, False, False, False, True]


def test_several_exceptions_hide_what_any_of_them_fits() -> None:
    both = hidden(exclusion("a", "user:root"), exclusion("b", "source.ip:203.0.113.0/24"))
    assert both == [False, False, True, True, False]


def test_exception_that_fits_everything_hides_every_match_of_its_rule() -> None:
    assert hidden(exclusion("a", "*")) == [True, False, True, False, True]


def test_exception_ends_by_itself() -> None:
    assert not any(hidden(exclusion(None, "user:backup"), after=timedelta(days=1)))


def test_exception_of_a_rule_that_is_not_there_hides_nothing() -> None:
    assert not any(hidden(exclusion("z", "user:backup")))
    assert hidden(exclusion("a", "user:backup"), matches=MATCHES.clear()) == []


def test_list_can_be_replaced() -> None:
    held = ExclusionList([exclusion("a", "user:backup")])
    held.use([exclusion("a", "user:root")])
    assert held(["a", "b"], MATCHES, EVENTS, START).to_list() == [False, False, True, False, False]
