"""The judge keeps what the detectors of behaviour learned, and gives it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.entries import batch_of
from support.events import SettableClock
from vedette.analysis import default_analysers, default_detectors_of_behaviour
from vedette.formats import FormatEngine, load_library
from vedette.pipeline import Judge

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def judge() -> Judge:
    engine = FormatEngine(load_library(None))
    return Judge(
        decoder=engine,
        detectors=default_detectors_of_behaviour(engine.templates),
        analysers=default_analysers(),
        clock=SettableClock(NOW),
        memories=(engine.templates,),
    )


def accepted(at: datetime, user: str) -> str:
    return f"{at:%b %d %H:%M:%S} web-1 sshd[77]: Accepted password for {user} from 10.0.0.1 port 4711 ssh2"


def test_a_first_root_login_is_found_after_a_restart() -> None:
    start = NOW - timedelta(days=3)
    first = judge()
    usual = batch_of([accepted(start + timedelta(minutes=number), "anna") for number in range(4_000)], read_at=NOW)
    learned = first.judge([usual])
    assert learned.findings == ()
    assert {"novelty/s/head", "volume/s/open", "silence/s"} <= set(learned.state)
    again = judge()
    again.restore(learned.state)
    new = batch_of([accepted(NOW - timedelta(hours=1), "root")], read_at=NOW, start=10_000_000)
    (found,) = again.judge([new]).findings
    assert found.title == "root logged in on web-1 for the first time"
    assert found.severity == 5
    assert found.actions
