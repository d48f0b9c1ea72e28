"""How many events a second the rules judge."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import polars as pl

from vedette.app.rule_samples import events_of
from vedette.demo.lines import purchase, stray_packet, visit
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import RuleSet
from vedette.formats import FormatLibrary

_START: Final = datetime(2026, 11, 24, 9, tzinfo=UTC)
_BATCH: Final = 20_000
_PROGRAMS: Final = (
    (r"C:\Windows\System32\svchost.exe", "svchost.exe -k netsvcs -p -s {0}", r"C:\Windows\System32\services.exe"),
    (r"C:\Windows\System32\conhost.exe", "conhost.exe 0x{0:x}", r"C:\Windows\System32\cmd.exe"),
    (r"C:\Program Files\Git\bin\git.exe", "git log -n {0}", r"C:\Windows\explorer.exe"),
    (r"C:\Windows\System32\cmd.exe", "cmd /c dir D:\\jobs\\{0}", r"C:\Windows\explorer.exe"),
)
_ATTACK: Final = (
    r"C:\Windows\System32\vssadmin.exe",
    "vssadmin delete shadows /all /quiet",
    r"C:\Windows\System32\cmd.exe",
)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """`seconds` is what matching took, after a first batch that compiled the rules (`compile_seconds`)."""

    rules: int
    events: int
    matches: int
    seconds: float
    compile_seconds: float

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


def bench_rules(rules: RuleSet, events: pl.DataFrame, *, at_least: int = 0) -> BenchResult:
    """Match the events, over and over until there were as many as wished. Blocks."""
    started = time.perf_counter()
    matcher = RuleMatcher(rules.detections)
    matcher.match(events.head(_BATCH))
    compiled = time.perf_counter()
    done = matches = 0
    while done < max(at_least, events.height) and events.height:
        for batch in events.iter_slices(_BATCH):
            matches += matcher.match(batch).height
            done += batch.height
    ended = time.perf_counter()
    return BenchResult(len(rules.rules), done, matches, ended - compiled, compiled - started)


def made_events(number: int, library: FormatLibrary) -> pl.DataFrame:
    """Ordinary traffic, one event in a hundred an attack: Windows processes, a web server, a shop, a firewall."""
    random = Random(7)  # noqa: S311 - chance makes the traffic, it protects nothing
    files: dict[str, list[str]] = {"windows": [_process(random, at) for at in range(number // 2)]}
    lines = _demo_lines(random)
    for at in range(number - number // 2):
        file, text = next(lines)
        files.setdefault(file, []).append(text(_START + timedelta(milliseconds=20 * at)))
    texts = ["\n".join(lines) for lines in files.values() if lines]
    return pl.concat(events_of(texts, library, _START)).sort("@timestamp")


def _demo_lines(random: Random) -> Iterator[tuple[str, Callable[[datetime], str]]]:
    while True:
        for scene in (visit, purchase, stray_packet):
            for line in scene(random):
                yield line.file, line.at


def _process(random: Random, at: int) -> str:
    image, command, parent = _ATTACK if random.random() < 0.01 else random.choice(_PROGRAMS)
    moment = _START + timedelta(milliseconds=20 * at)
    return json.dumps(
        {
            "EventID": 1,
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Provider_Name": "Microsoft-Windows-Sysmon",
            "TimeCreated": moment.isoformat().replace("+00:00", "Z"),
            "Computer": f"ws{random.randrange(40)}.example.com",
            "Image": image,
            "CommandLine": command.format(random.randrange(10_000)),
            "ParentImage": parent,
            "User": f"EXAMPLE\\user{random.randrange(30)}",
        }
    )
