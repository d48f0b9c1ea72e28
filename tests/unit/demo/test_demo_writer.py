"""The demonstration: gentle, repeatable, harmless but for its attacks."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest

from vedette.demo import DemoWriter
from vedette.demo.lines import ACCESS, APP, AUTH, FILES, KERNEL
from vedette.demo.script import Cue, script

MOMENT = datetime(2026, 3, 1, 9, 5, 7, 250_000, tzinfo=UTC)
DOCUMENTATION = [
    ipaddress.ip_network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


class SteppingClock:
    """Every look at the monotonic clock is `step` seconds later."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.seconds = 0.0

    def now(self) -> datetime:
        return MOMENT + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        self.seconds += self.step
        return self.seconds


def first(seconds: float, *, seed: int = 1, attacks: bool = True) -> list[Cue]:
    return list(takewhile(lambda cue: cue.at < seconds, script(seed, attacks=attacks)))


def texts(cues: list[Cue]) -> list[str]:
    return [line.at(MOMENT) for cue in cues for line in cue.lines]


def failures_per_address(lines: list[str]) -> Counter[str]:
    return Counter(found[1] for line in lines if (found := re.search(r"Failed password .* from (\S+)", line)))


def test_a_seed_always_plays_the_same() -> None:
    assert first(60) == first(60)
    assert first(60) != first(60, seed=2)


def test_cues_come_in_order_of_time() -> None:
    times = [cue.at for cue in first(600)]
    assert times == sorted(times)


def test_traffic_is_gentle_and_comes_from_every_program() -> None:
    lines = [line for cue in first(600) for line in cue.lines]
    assert 5 <= len(lines) / 600 <= 20
    assert set(Counter(line.file for line in lines)) == set(FILES)


def test_an_address_guesses_ten_passwords_within_fifteen_seconds_and_then_gets_in() -> None:
    assert failures_per_address(texts(first(15)))["203.0.113.77"] >= 10
    assert any("Accepted password for deploy from 203.0.113.77" in line for line in texts(first(60)))


def test_scanners_follow_within_the_first_minute() -> None:
    lines = texts(first(60))
    assert sum("/.env" in line and "198.51.100.23" in line for line in lines) >= 1
    assert sum("UFW BLOCK" in line and "203.0.113.142" in line for line in lines) >= 30


def test_attacks_go_on_from_other_addresses() -> None:
    guessers = [address for address, count in failures_per_address(texts(first(3600))).items() if count >= 10]
    assert len(guessers) > 3


def test_ordinary_traffic_never_looks_like_guessing() -> None:
    failures: dict[str, list[float]] = {}
    for cue in first(6 * 3600, attacks=False):
        for address, count in failures_per_address(texts([cue])).items():
            failures.setdefault(address, []).extend([cue.at] * count)
    assert failures
    for times in failures.values():
        assert all(later - sooner > 300 for sooner, later in zip(times, times[3:], strict=False))


def test_only_documentation_addresses_occur() -> None:
    for line in texts(first(1800)):
        for text in re.findall(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|2001:[0-9a-f:]+", line):
            if text == "126.0.0.0":  # the version of a browser
                continue
            address = ipaddress.ip_address(text)
            assert any(address in network for network in DOCUMENTATION), line


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        (AUTH, r"^Mar  1 09:05:07 bastion [\w-]+(\[\d+\])?: +\S"),
        (KERNEL, r"^Mar  1 09:05:07 edge kernel: \[\d+\.\d{6}\] \[UFW BLOCK\] IN=eth0 .* DPT=\d+ "),
        (ACCESS, r'^\S+ - - \[01/Mar/2026:09:05:07 \+0000\] "GET \S+ HTTP/1\.1" \d{3} \d+ "[^"]+" "[^"]+"$'),
        (APP, r'^\{"time": "2026-03-01T09:05:07\.250\+00:00", "level": "\w+", '),
    ],
)
def test_lines_look_like_those_of_the_real_program(name: str, pattern: str) -> None:
    lines = [line.at(MOMENT) for cue in first(600) for line in cue.lines if line.file == name]
    assert lines
    for line in lines:
        assert re.search(pattern, line), line
        if name == APP:
            json.loads(line)


async def test_run_writes_what_is_due_until_it_is_cancelled(tmp_path: Path) -> None:
    writer = DemoWriter(tmp_path / "logs", clock=SteppingClock(5.0))
    assert all(path.exists() for path in writer.paths)
    task = asyncio.create_task(writer.run())
    async with asyncio.timeout(30):
        while not all(path.stat().st_size > 200 for path in writer.paths):
            await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for path in writer.paths:
        assert path.read_bytes().endswith(b"\n")


def test_files_stay_small_by_rotation(tmp_path: Path) -> None:
    writer = DemoWriter(tmp_path, max_bytes=2_000)
    for cue in first(300):
        writer.write(cue.lines)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, *(f"{name}.1" for name in FILES)}
    assert all(path.stat().st_size < 6_000 for path in tmp_path.iterdir())
