"""What is guessed of messages that no format knows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library

LIBRARY = load_library()


def read(line: str) -> dict[str, object]:
    batch = batch_of([line], reference_time=datetime(2026, 11, 24, tzinfo=UTC))
    return FormatEngine(LIBRARY).decode([batch]).row(0, named=True)


@pytest.mark.parametrize(
    "line",
    [
        "Nov 23 22:04:17 web1 invented-daemon[7]: login failed for bob from 203.0.113.9",
        "2026-11-23 22:04:17 login failed for bob from 203.0.113.9",
        "login failed for bob from 203.0.113.9",
    ],
)
def test_failed_login_of_an_unknown_program_is_seen(line: str) -> None:
    event = read(line)
    assert (event["source.ip"], event["event.outcome"], event["event.severity"]) == ("203.0.113.9", "failure", 4)


def test_requested_path_does_not_replace_the_address_of_the_client() -> None:
    event = read(
        "[Mon Nov 23 22:04:17 2026] [error] [client 198.51.100.4] File does not exist: /srv/login failed from 203.0.113.9"
    )
    assert event["source.ip"] == "198.51.100.4"
