"""Every format file carries samples: what they yield, column by column, and what must not fit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import polars as pl
import pytest

from vedette.formats import FormatLibrary, load_library
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FormatFile, Sample, read_format

REFERENCE = datetime(2026, 11, 24, tzinfo=UTC)
LIBRARY = load_library()
CASES = [
    pytest.param(definition, sample, id=f"{definition.name}-{number}")
    for definition in LIBRARY.definitions.values()
    for number, sample in enumerate(definition.samples)
]


def flattened(row: dict[str, Any]) -> dict[str, Any]:
    """Columns that hold something, `fields` as `fields.<name>`, times as text."""
    columns = {name: value for name, value in row.items() if value is not None}
    fields = json.loads(columns.pop("fields", "{}"))
    columns.update({f"fields.{name}": value for name, value in fields.items()})
    if "@timestamp" in columns:
        columns["@timestamp"] = columns["@timestamp"].astimezone(UTC)
    return columns


def expected(sample: Sample) -> dict[str, Any]:
    columns = dict(sample.columns or {})
    if "@timestamp" in columns:
        columns["@timestamp"] = datetime.fromisoformat(columns["@timestamp"])
    return columns


def read_line(library: FormatLibrary, definition: FormatFile, sample: Sample) -> dict[str, Any] | None:
    """The columns of a line; None when the format does not take it for its own."""
    one = library.line_format(definition.name)
    assert one is not None
    lines = pl.Series([sample.line])
    if not one.matches(lines).item():
        return None
    row = one.parse(lines, ParseContext(REFERENCE, header=sample.header)).row(0, named=True)
    if definition.codec == "json" and definition.inner != "any":
        assert json.loads(row.pop("fields")) == json.loads(sample.line)
    columns = flattened(row)
    if columns["parse.status"] == "parsed":
        del columns["parse.status"]
    return columns


def read_message(library: FormatLibrary, definition: FormatFile, sample: Sample) -> dict[str, Any] | None:
    """The columns of a message; None when another format or none takes it."""
    program = sample.program or definition.programs[0]
    matcher = library.guesses if definition.name in library.last_resorts else library.messages
    told = matcher.match(pl.Series([program]), pl.Series([sample.line]))
    if told is None or told["log.format"].item() != definition.name:
        return None
    columns = flattened(told.row(0, named=True))
    del columns["log.format"]
    return columns


def test_every_shipped_file_is_read() -> None:
    assert [str(problem) for problem in LIBRARY.problems] == []


def test_every_shipped_expression_compiles() -> None:
    folder = resources.files("vedette") / "content" / "formats"
    files = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
    assert len(files) == len(LIBRARY.definitions)
    for file in files:
        read_format(file.read_text(encoding="utf-8"), file.name)


def test_every_format_has_a_sample_that_fits() -> None:
    assert [one.name for one in LIBRARY.definitions.values() if not any(s.columns for s in one.samples)] == []


def test_every_format_but_plain_has_a_sample_that_does_not_fit() -> None:
    without = [one.name for one in LIBRARY.definitions.values() if all(s.columns for s in one.samples)]
    assert without == ["plain"]


@pytest.mark.parametrize(("definition", "sample"), CASES)
def test_sample_yields_exactly_its_columns(definition: FormatFile, sample: Sample) -> None:
    read = (read_message if definition.is_message_format else read_line)(LIBRARY, definition, sample)
    assert read == (None if sample.columns is None else expected(sample))
