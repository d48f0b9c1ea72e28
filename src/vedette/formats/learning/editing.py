"""Format files under review: tried on lines, renamed, and given samples again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
import yaml

from vedette.formats.codecs import CODECS
from vedette.formats.definition import FormatFile, Sample, read_format
from vedette.formats.learning.preview import columns_of, told_by
from vedette.formats.learning.proposing import format_text
from vedette.formats.messages import MessageMatcher
from vedette.model.errors import FormatError

_SAMPLES: Final = 3


def columns_told(one: FormatFile, lines: Sequence[str], reference_time: datetime) -> list[dict[str, Any] | None]:
    """The columns of each line (or message, of a message format) by name; None where it does not fit."""
    series = pl.Series("line", list(lines), dtype=pl.String)
    if not one.is_message_format:
        return columns_of(CODECS[one.codec](one), series, reference_time) if lines else []
    return _told_messages(one, series, [one.programs[0]] * len(lines))


def sample_problems(one: FormatFile, reference_time: datetime) -> list[str]:
    """One sentence for each sample that does not fit though it should, or the other way round."""
    found: list[str] = []
    for number, sample in enumerate(one.samples):
        told = _sample_told(one, sample, reference_time)
        if (told is None) != (sample.columns is None):
            found.append(
                f"[{number}]: {sample.line[:120]!r} {'does not fit' if told is None else 'fits, and must not'}"
            )
    return found


def edited(text: str, *, name: str | None, title: str | None, captures: Mapping[str, str]) -> str:
    """The text of a format file with another name, title, or other names of captures. Raises FormatError."""
    one = read_format(text, name or "text")
    if name is None and title is None and not captures:
        return text
    content = yaml.safe_load(text)
    content["name"], content["title"] = name or one.name, title or one.title
    for old, new in captures.items():
        _rename(content, old, new)
    read_format(format_text(content), one.name)
    return format_text(content)


def with_samples(one: FormatFile, text: str, lines: Sequence[str], reference_time: datetime) -> tuple[FormatFile, str]:
    """The format and its text with samples as it reads them now, made from the first lines that fit."""
    told = columns_told(one, lines, reference_time)
    fitting = [(line, columns) for line, columns in zip(lines, told, strict=True) if columns is not None]
    samples = [{"line": line, "columns": columns} for line, columns in dict(fitting[:_SAMPLES]).items()]
    content = yaml.safe_load(text) | {"samples": samples}
    changed = format_text(content)
    return read_format(changed, one.name), changed


def _rename(content: dict[str, Any], old: str, new: str) -> None:
    patterns = content.get("patterns") or []
    patterns = [patterns] if isinstance(patterns, str) else patterns
    wanted = re.compile(rf"\(\?P<{re.escape(old)}((?:\[\d+\])?)>")
    if not any(wanted.search(pattern) for pattern in patterns):
        raise FormatError(f"captures: there is no capture '{old}'; rename one that the patterns have")
    content["patterns"] = [wanted.sub(lambda found: f"(?P<{new}{found[1]}>", pattern) for pattern in patterns]
    if old == "event.outcome":
        content["cases"] = [case for case in content.get("cases", []) if case.get("column") != old]


def _sample_told(one: FormatFile, sample: Sample, reference_time: datetime) -> dict[str, Any] | None:
    series = pl.Series("line", [sample.line])
    if one.is_message_format:
        return _told_messages(one, series, [sample.program or one.programs[0]])[0]
    if sample.header is not None:
        return sample.columns
    return columns_of(CODECS[one.codec](one), series, reference_time)[0]


def _told_messages(one: FormatFile, messages: pl.Series, programs: Sequence[str]) -> list[dict[str, Any] | None]:
    matched = MessageMatcher([one]).match(pl.Series(list(programs), dtype=pl.String), messages)
    if matched is None:
        return [None] * messages.len()
    return [told_by(row) if row["log.format"] is not None else None for row in matched.iter_rows(named=True)]
