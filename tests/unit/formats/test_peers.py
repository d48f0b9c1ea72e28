"""A process that named its peer once still speaks of it later."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library, peers

LIBRARY = load_library()


def line(text: str, pid: int = 7, host: str = "web1", program: str = "sshd") -> str:
    return f"Nov 23 22:04:17 {host} {program}[{pid}]: {text}"


def addresses(*batches: Sequence[str]) -> list[str | None]:
    engine = FormatEngine(LIBRARY)
    found: list[str | None] = []
    for number, lines in enumerate(batches):
        found += engine.decode([batch_of(lines, start=number * 10_000)])["source.ip"].to_list()
    return found


CONNECTION = line("Connection from 203.0.113.9 port 40000 on 192.0.2.1 port 22")
TOO_MANY = line("Disconnecting: Too many authentication failures [preauth]")


def test_a_failure_without_a_peer_gets_that_of_its_process() -> None:
    events = FormatEngine(LIBRARY).decode([batch_of([CONNECTION, TOO_MANY])])
    assert events["source.ip"].to_list() == ["203.0.113.9", "203.0.113.9"]
    assert events["vedette.marks"].to_list() == [None, "peer-remembered"]


def test_programs_are_meant_by_pattern_too() -> None:
    lines = [each.replace("sshd[", "sshd-session[") for each in (CONNECTION, TOO_MANY)]
    assert addresses(lines) == ["203.0.113.9", "203.0.113.9"]


def test_the_peer_is_remembered_over_batches() -> None:
    assert addresses([CONNECTION], [TOO_MANY], [TOO_MANY]) == ["203.0.113.9"] * 3


@pytest.mark.parametrize(
    "other",
    [
        line("Disconnecting: Too many authentication failures [preauth]", pid=8),
        line("Disconnecting: Too many authentication failures [preauth]", host="web2"),
        line("something went wrong", program="cron"),
    ],
)
def test_nobody_else_gets_the_peer(other: str) -> None:
    assert addresses([CONNECTION, other], [other]) == ["203.0.113.9", None, None]


def test_what_came_before_the_peer_was_named_stays_without_it() -> None:
    assert addresses([TOO_MANY, CONNECTION, TOO_MANY]) == [None, "203.0.113.9", "203.0.113.9"]


def test_the_next_connection_of_the_same_process_id_has_its_own_peer() -> None:
    again = line("Connection from 198.51.100.4 port 4 on 192.0.2.1 port 22")
    assert addresses([CONNECTION, TOO_MANY, again, TOO_MANY])[-1] == "198.51.100.4"


def test_processes_that_were_silent_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_MOST_PROCESSES", 2)
    named = [line(f"Connection from 203.0.113.{pid} port 1 on 192.0.2.1 port 22", pid=pid) for pid in (1, 2, 3)]
    silent = [line("Disconnecting: Too many authentication failures [preauth]", pid=pid) for pid in (1, 2, 3)]
    assert addresses(named, silent)[3:] == [None, "203.0.113.2", "203.0.113.3"]
