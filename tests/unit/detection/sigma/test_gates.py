"""What a gate says of many events is what the condition says of each, whatever the batches before were like."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest

from vedette.detection.sigma.expressions import check_of
from vedette.detection.sigma.fields import Record
from vedette.detection.sigma.gates import Gate, GateEvents
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.model.events import EVENT_SCHEMA

PLACES = {
    "action": ("event.action",),
    "port": ("dst_port", "destination.port"),
    "ip": ("source.ip",),
    "agent": ("user_agent.original", "agent"),
}


def clause(field: str | None, operator: Operator, value: str) -> Clause:
    return Clause(field, operator, value, f"{field} {operator} {value}")


DENIED = clause("action", Operator.EQUALS, "denied")
TELNET = clause("port", Operator.EQUALS, "23")
PRIVATE = clause("ip", Operator.CIDR, "10.0.0.0/8")
CURL = clause("agent", Operator.STARTS, "curl")
SHELL = clause(None, Operator.CONTAINS, "/bin/sh")
SHELLS = clause(None, Operator.REGEX, r"/bin/(?:ba)?sh\b")

CONDITIONS: dict[str, Node] = {
    "all": AllOf((DENIED, TELNET)),
    "not": AllOf((Not(DENIED), TELNET)),
    "network": PRIVATE,
    "no network": Not(PRIVATE),
    "agent": AnyOf((CURL, clause("agent", Operator.IS_NULL, ""))),
    "keyword": AllOf((SHELL, Not(CURL))),
    "pattern": SHELLS,
    "not a pattern": Not(SHELLS),
}

ROWS: list[dict[str, Any]] = [
    {"event.action": "denied", "destination.port": 23, "source.ip": "10.1.2.3"},
    {"event.action": "Denied", "destination.port": 80, "source.ip": "192.0.2.7", "message": "exec /bin/sh"},
    {"event.action": "allowed", "destination.port": 23, "fields": '{"network.transport":"TCP"}'},
    {"event.action": "denied", "fields": '{"dst_port":"23"}'},
    {"event.action": "denied", "destination.port": 80, "fields": '{"dst":{"port":"23"},"agent":"curl/8"}'},
    {"fields": '{"agent":"Curl"}', "event.original": "run /bin/bash"},
    {"user_agent.original": "curl/7.1", "source.ip": "10.9.9.9", "event.original": "GET /bin/sh"},
    {"log.format": "json-lines/windows-event", "event.original": "ran /bin/sh", "fields": '{"Image":"C"}'},
    {"log.format": "json-lines/windows-event", "event.original": "x", "fields": '{"Image":"\\u002fbin/sh"}'},
]


def events(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in EVENT_SCHEMA} for row in rows], schema=EVENT_SCHEMA)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_gate_agrees_with_the_condition_on_any_mixture(name: str) -> None:
    def places_of(field: str) -> tuple[str, ...]:
        return PLACES[field]

    gate, check = Gate(CONDITIONS[name], places_of), check_of(CONDITIONS[name], places_of)
    for size in (1, 2, 3, len(ROWS)):
        for rows in itertools.combinations(ROWS, size):
            batch = events(list(rows))
            sure, is_open = gate.sift(GateEvents(batch))
            for row, is_sure, is_asked in zip(batch.iter_rows(named=True), sure, is_open, strict=True):
                assert is_asked or is_sure == check(Record(row)), (rows, row)


@pytest.mark.parametrize(
    ("condition", "rows", "held"),
    [
        pytest.param(PRIVATE, [0, 1, 6], [True, False, True], id="networks"),
        pytest.param(AllOf((DENIED, TELNET)), [0, 1, 2], [True, False, False], id="a word that looks like a field's"),
        pytest.param(SHELL, [1, 2], [True, False], id="keywords beside fields"),
    ],
)
def test_no_record_is_asked_where_columns_tell(condition: Node, rows: list[int], held: list[bool]) -> None:
    gate = Gate(condition, PLACES.__getitem__)
    sure, is_open = gate.sift(GateEvents(events([ROWS[row] for row in rows])))
    assert (sure.to_list(), is_open.any()) == (held, False)


def test_only_chosen_places_are_told() -> None:
    gate = Gate(PRIVATE, PLACES.__getitem__)
    sure, _ = gate.sift(GateEvents(events(ROWS)), pl.Series([6, 1], dtype=pl.UInt32))
    assert sure.to_list() == [True, False]
