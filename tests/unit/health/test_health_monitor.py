"""How Vedette says that it is well, or not."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from support.manual_clock import ManualClock
from vedette.health import DiskLimits, HealthMonitor, ProcessProbe, RateMeter
from vedette.model.health import HealthState, PartHealth

MIB = 2**20
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def monitor(tmp_path: Path, clock: ManualClock) -> HealthMonitor:
    nothing = DiskLimits(low_bytes=0, full_bytes=0)
    return HealthMonitor(ProcessProbe(tmp_path, clock), clock, disk=nothing)


def part(clock: ManualClock, state: HealthState, name: str = "store") -> PartHealth:
    return PartHealth(name, state, clock.now(), "" if state is HealthState.OK else "Broken.", "Mend it.")


def test_worst_part_decides(monitor: HealthMonitor, clock: ManualClock) -> None:
    monitor.register("queue", lambda: part(clock, HealthState.OK, "queue"))
    assert monitor.report().state is HealthState.OK
    monitor.register("store", lambda: part(clock, HealthState.DEGRADED))
    assert monitor.report().state is HealthState.DEGRADED
    monitor.register("live", lambda: part(clock, HealthState.DOWN, "live"))
    assert monitor.report().state is HealthState.DOWN


def test_provider_may_speak_for_many_parts(monitor: HealthMonitor, clock: ManualClock) -> None:
    monitor.register("sources", lambda: (part(clock, HealthState.OK, name) for name in ("a", "b")))
    assert [each.part for each in monitor.report().parts] == ["disk", "a", "b"]


def test_part_that_cannot_answer_is_down_with_the_reason(monitor: HealthMonitor, clock: ManualClock) -> None:
    def failing() -> PartHealth:
        raise OSError("connection lost")

    monitor.register("bus", failing)
    (_, first) = monitor.report().parts
    assert (first.state, "connection lost" in first.reason) == (HealthState.DOWN, True)
    clock.advance(60)
    (_, later) = monitor.report().parts
    assert later.since == first.since


def test_readings_are_shared_within_a_second(monitor: HealthMonitor, clock: ManualClock) -> None:
    asked = 0

    def counted() -> PartHealth:
        nonlocal asked
        asked += 1
        return part(clock, HealthState.OK)

    monitor.register("store", counted)
    for _ in range(10):
        monitor.report()
    clock.advance(1.1)
    monitor.report()
    assert asked == 2


@pytest.mark.parametrize(
    ("free_mib", "state"),
    [(5000, HealthState.OK), (900, HealthState.DEGRADED), (10, HealthState.DOWN)],
)
def test_disk_that_fills_up_is_told_with_a_remedy(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, free_mib: int, state: HealthState
) -> None:
    total = 100_000 * MIB
    usage = Usage(total, total - free_mib * MIB, free_mib * MIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    report = HealthMonitor(ProcessProbe(tmp_path, clock), clock).report()
    disk = report.parts[0]
    assert disk.state is state
    assert (state is HealthState.OK) == (disk.remedy == "")
    assert (state is HealthState.OK) or f"{free_mib} MiB are free" in disk.reason


def test_process_figures_are_of_this_process(monitor: HealthMonitor, clock: ManualClock) -> None:
    clock.advance(12)
    figures = monitor.report().process
    assert figures.rss_bytes > 10 * MIB
    assert figures.open_files > 0
    assert figures.threads >= 1
    assert figures.uptime_seconds == 12
    assert 0 < figures.disk_free_bytes <= figures.disk_total_bytes


def test_rate_is_averaged_over_its_window(clock: ManualClock) -> None:
    meter = RateMeter(clock)
    for _ in range(60):
        clock.advance(1)
        meter.add(100)
    assert meter.per_second(10) == pytest.approx(100, rel=0.02)
    assert meter.per_second(60) == pytest.approx(100, rel=0.02)
    clock.advance(5)
    assert meter.per_second(1) == 0
    assert meter.per_second(10) == pytest.approx(50, rel=0.12)
    clock.advance(100)
    assert meter.rates() == {"1s": 0, "10s": 0, "60s": 0}
    assert meter.total == 6000


def test_young_meter_averages_over_the_time_it_has_lived(clock: ManualClock) -> None:
    meter = RateMeter(clock)
    clock.advance(2)
    meter.add(10)
    assert meter.per_second(60) == 5


def test_meter_keeps_few_slots_however_much_it_counts(clock: ManualClock) -> None:
    meter = RateMeter(clock)
    for _ in range(20_000):
        clock.advance(0.01)
        meter.add(1)
    assert meter.per_second(10) == pytest.approx(100, rel=0.02)
    assert len(meter._slots) <= 601
