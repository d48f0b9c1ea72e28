"""Events as JSON rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.model.events import EVENT_SCHEMA
from vedette.model.rows import ndjson_rows, rows_of


def frame_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"vedette.generation": 1, "log.offset": 16, **row} for row in rows],
        schema={**EVENT_SCHEMA, "vedette.seq": pl.Int64()},
    )


def test_row_has_its_id_and_leaves_nulls_out() -> None:
    frame = frame_of({"vedette.seq": 7, "message": "hello", "event.severity": 3})
    assert rows_of(frame) == [
        {
            "event.id": "0000000000000001-10",
            "log.offset": 16,
            "message": "hello",
            "event.severity": 3,
            "vedette.seq": 7,
        }
    ]


def test_rows_with_different_columns_keep_to_themselves() -> None:
    first, second = rows_of(frame_of({"message": "a"}, {"user.name": "root"}))
    assert "user.name" not in first
    assert "message" not in second


def test_times_are_utc_with_microseconds() -> None:
    frame = frame_of({"@timestamp": datetime(2024, 2, 29, 23, 59, 59, 5, tzinfo=UTC)})
    assert rows_of(frame)[0]["@timestamp"] == "2024-02-29T23:59:59.000005Z"


def test_fields_become_an_object() -> None:
    frame = frame_of({"fields": '{"a": {"b": [1, null, "x"]}, "n": 12345678901234567890}'})
    assert rows_of(frame)[0]["fields"] == {"a": {"b": [1, None, "x"]}, "n": 12345678901234567890}


@pytest.mark.parametrize("text", ["broken", "", "[1]", '"x"', '{"a":1} x', '{"a":NaN}', '{"a":1e400}', "{" * 5000])
def test_fields_that_are_no_object_are_kept_as_text(text: str) -> None:
    assert rows_of(frame_of({"fields": text}))[0]["fields"] == {"unreadable": text}


def test_fields_with_line_breaks_stay_on_one_line() -> None:
    lines = ndjson_rows(frame_of({"fields": '{"a":\r\n 1}'})).to_list()
    assert "\n" not in lines[0]
    assert json.loads(lines[0])["fields"] == {"a": 1}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_encoding(text: str) -> None:
    line = ndjson_rows(frame_of({"event.original": text, "message": text, "fields": text})).item()
    assert "\n" not in line
    row = json.loads(line)
    assert row["event.original"] == row["message"] == text


def test_empty_frame_has_no_rows() -> None:
    assert rows_of(frame_of().clear()) == []
