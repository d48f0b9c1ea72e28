"""Real logs of eight systems, compared with the columns LogHub took them apart into."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library

pytestmark = pytest.mark.shared

REFERENCE = datetime(2026, 11, 24, tzinfo=UTC)
LEVELS = {"INFO": "info", "WARN": "warning", "WARNING": "warning", "ERROR": "error"}
STAMPS = {
    "OpenSSH": ("{Date} {Day} {Time} 2025", "%b %d %H:%M:%S %Y"),
    "Linux": ("{Month} {Date} {Time} 2026", "%b %d %H:%M:%S %Y"),
    "Apache": ("{Time}", "%a %b %d %H:%M:%S %Y"),
    "HDFS": ("{Date} {Time}", "%y%m%d %H%M%S"),
    "Spark": ("{Date} {Time}", "%y/%m/%d %H:%M:%S"),
    "Mac": ("{Month} {Date} {Time} 2026", "%b %d %H:%M:%S %Y"),
    "OpenStack": ("{Date} {Time}", "%Y-%m-%d %H:%M:%S.%f"),
    "Proxifier": ("2026.{Time}", "%Y.%m.%d %H:%M:%S"),
}
COLUMNS = {
    "OpenSSH": {"host.name": "Component", "process.pid": "Pid"},
    "Linux": {"host.name": "Level", "process.name": "Component", "process.pid": "PID"},
    "Apache": {"log.level": "Level"},
    "HDFS": {"process.name": "Component", "process.pid": "Pid", "log.level": "Level"},
    "Spark": {"process.name": "Component", "log.level": "Level"},
    "Mac": {"host.name": "User", "process.name": "Component", "process.pid": "PID"},
    "OpenStack": {"process.name": "Component", "process.pid": "Pid", "log.level": "Level"},
    "Proxifier": {"process.name": "Program"},
}


def read_lines(path: Path) -> list[str]:
    """Lines as the reader hands them over: without line ends, also without `\\r`."""
    return [line.rstrip("\r") for line in path.read_bytes().decode().removesuffix("\n").split("\n")]


def read_structured(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def decoded(shared_data: Path, system: str) -> tuple[list[dict[str, str]], pl.DataFrame]:
    folder = shared_data / "loghub" / system
    lines = read_lines(folder / f"{system}_2k.log")
    events = FormatEngine(load_library()).decode([batch_of(lines, source=system, reference_time=REFERENCE)])
    return read_structured(folder / f"{system}_2k.log_structured.csv"), events


@pytest.mark.parametrize("system", COLUMNS)
def test_columns_equal_the_structured_ones(shared_data: Path, system: str) -> None:
    rows, events = decoded(shared_data, system)
    assert events.height == len(rows)
    assert events["message"].to_list() == [row["Content"].strip() for row in rows]
    for column, theirs in COLUMNS[system].items():
        written = [LEVELS.get(row[theirs], row[theirs]) or None for row in rows]
        assert events[column].cast(pl.String).to_list() == written, column


@pytest.mark.parametrize("system", COLUMNS)
def test_times_equal_the_structured_ones(shared_data: Path, system: str) -> None:
    rows, events = decoded(shared_data, system)
    text, layout = STAMPS[system]
    expected = [datetime.strptime(text.format(**row), layout).replace(tzinfo=UTC) for row in rows]
    assert events["@timestamp"].to_list() == expected


@pytest.mark.parametrize("system", COLUMNS)
def test_every_line_is_parsed_and_ordinary(shared_data: Path, system: str) -> None:
    _, events = decoded(shared_data, system)
    assert events.filter(pl.col("parse.status") != "parsed").height == 0
    assert events.filter(pl.col("event.severity") >= 7).height == 0
