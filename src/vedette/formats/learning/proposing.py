"""From lines that no format explains to a format file, and how good it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
import yaml
from polars.exceptions import PolarsError
from pydantic import ValidationError

from vedette.formats.codecs import CODECS
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FormatFile, captures_of, column_of
from vedette.formats.learning.kinds import ABSENT, TYPED, kind_of, level_names, shape_of
from vedette.formats.learning.known import FAILURE, SUCCESS
from vedette.formats.learning.naming import name_captures, used_levels
from vedette.formats.learning.pairs import read_shuffled
from vedette.formats.learning.parts import Capture, Fixed, Group, Part, captures_in, literal, render
from vedette.formats.learning.people import with_people
from vedette.formats.learning.rows import STAMP, Row, rows_of
from vedette.formats.learning.stamps import find_stamps, layouts_of
from vedette.formats.learning.structure import read

MOST_LINES: Final = 500
FEWEST_LINES: Final = 5
_LONGEST_LINE: Final = 2_000
_HELD_BACK: Final = 4
"""Every fourth line is kept from learning, to judge by it."""
_MOST_PATTERNS: Final = 8
_SMALLEST_SHARE: Final = 0.03
_CERTAIN: Final = 0.25
"""Lines without a stamp among lines that have one belong to these, unless they are as many."""
_SHUFFLED_BELOW: Final = 0.8
"""Where patterns cover less than this share of the lines, their pairs may come in any order."""
_CLUSTERS_TRIED: Final = 3
_RANK: Final = 55
_SIGNATURE_WORDS: Final = 4
_SAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a proposal did on lines it was not learned from. Shares are 0 to 1; `confidence` sums it up."""

    lines: int
    held_back: int
    parsed: float
    stamps: float
    columns: tuple[str, ...]
    confidence: float
    reasons: tuple[str, ...]
    misfits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A format, as its file says it, and how good it is."""

    definition: FormatFile
    text: str
    evaluation: Evaluation


def propose(lines: Sequence[str], *, name: str, title: str, reference_time: datetime) -> Proposed | None:
    """A format for these lines, None when they have nothing in common that is worth a format. Pure, deterministic; takes
    at most about a second: no more than MOST_LINES are looked at."""
    lines = _records([line for line in _thinned(lines) if line and not line.isspace()])
    if len(lines) < FEWEST_LINES:
        return None
    held_back = lines[_HELD_BACK - 1 :: _HELD_BACK] if len(lines) >= 3 * _HELD_BACK else lines
    learned_from = (
        [line for place, line in enumerate(lines) if (place + 1) % _HELD_BACK] if held_back is not lines else lines
    )
    patterns = _patterns(learned_from, reference_time)
    content = (
        _content(patterns, learned_from, name=name, title=title, reference_time=reference_time) if patterns else {}
    )
    if _covered(patterns, learned_from) < _SHUFFLED_BELOW:
        content = _shuffled(learned_from, name=name, title=title, reference_time=reference_time) or content
    try:
        definition = FormatFile.model_validate(content)
    except ValidationError:
        return None
    evaluation = evaluate(definition, held_back, lines_seen=len(lines), reference_time=reference_time)
    if evaluation.parsed < 0.5 or not evaluation.columns:
        return None
    content["samples"] = _samples(definition, lines, reference_time)
    return Proposed(FormatFile.model_validate(content), format_text(content), evaluation)


def evaluate(definition: FormatFile, lines: Sequence[str], *, lines_seen: int, reference_time: datetime) -> Evaluation:
    """What the format makes of lines."""
    one = CODECS[definition.codec](definition)
    series = pl.Series("line", list(lines), dtype=pl.String)
    fits = one.matches(series)
    parsed = float(fits.sum()) / len(lines)
    events = one.parse(series.filter(fits), ParseContext(reference_time))
    has_time = "time" in definition.keys or any("(?P<time" in pattern for pattern in definition.patterns)
    read_times = events.height - events["@timestamp"].null_count() if events.height else 0
    stamps = read_times / events.height if events.height and has_time else 0.0
    columns = _filled(definition)
    reasons = [f"{int(fits.sum())} of {len(lines)} held-back lines fit"]
    if has_time:
        reasons.append(f"{read_times} of {events.height} stamps were read ({', '.join(definition.stamps)})")
    else:
        reasons.append("no stamp was found: lines get the time they arrive")
    told = [column for column in columns if column not in {"time", "message"}]
    reasons.append(
        f"{len(told)} columns beside time and message: {', '.join(told)}"
        if told
        else "no column beside time and message"
    )
    if len(definition.patterns) > 1:
        reasons.append(f"{len(definition.patterns)} patterns, for shapes of lines or messages")
    confidence = parsed * (0.6 + 0.25 * stamps + 0.15 * min(len(told), 4) / 4)
    misfits = tuple(series.filter(~fits).head(3).to_list())
    return Evaluation(
        lines=lines_seen,
        held_back=len(lines),
        parsed=round(parsed, 4),
        stamps=round(stamps, 4),
        columns=tuple(columns),
        confidence=round(confidence, 2),
        reasons=tuple(reasons),
        misfits=misfits,
    )


class _Dumper(yaml.SafeDumper):
    """Writes lists of texts one a line, as people do."""


class _Lines(list[str]):
    """Texts that are each long enough for a line."""


_Dumper.add_representer(
    _Lines, lambda dumper, lines: dumper.represent_sequence("tag:yaml.org,2002:seq", lines, flow_style=False)
)


def format_text(content: Mapping[str, Any]) -> str:
    """The YAML of a format file, keys in the order people read them."""
    patterns = content.get("patterns")
    laid_out = dict(content) | ({"patterns": _Lines(patterns)} if isinstance(patterns, list) else {})
    return yaml.dump(
        laid_out, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000, default_flow_style=None
    )


def _filled(definition: FormatFile) -> list[str]:
    names = (column_of(name) for pattern in definition.patterns for name in captures_of(pattern))
    return [name for name in dict.fromkeys((*names, *definition.keys)) if name != "pairs"]


def _records(lines: Sequence[str]) -> list[str]:
    """Without lines that are indented, where most are not: they continue records."""
    flush = [line for line in lines if not line[0].isspace()]
    return flush if 2 * len(flush) > len(lines) else list(lines)


def _thinned(lines: Sequence[str]) -> list[str]:
    step = max(1, -(-len(lines) // MOST_LINES))
    return [line[:_LONGEST_LINE] for line in lines[::step]]


@dataclass(frozen=True, slots=True)
class _Learned:
    pattern: str
    captures: tuple[Capture, ...]

    def fits(self, lines: Sequence[str]) -> pl.Series:
        """Which lines it takes apart; always in linear time."""
        return pl.Series("line", list(lines), dtype=pl.String).str.contains(f"(?s){self.pattern}")


def _patterns(lines: Sequence[str], reference_time: datetime) -> list[_Learned]:
    """Cover the lines shape by shape, the most telling first; the most general stands last."""
    stamps = find_stamps(lines, reference_time)
    left = rows_of(lines, stamps)
    found: list[_Learned] = []
    least = max(2 if len(lines) < 20 else 3, _SMALLEST_SHARE * len(lines))
    while len(left) >= least and len(found) < _MOST_PATTERNS:
        texts = [row.text for row in left]
        candidates = [one for rows in _clusters(left) if (one := _learn(rows)) is not None]
        scored = [(int(one.fits(texts).sum()), one) for one in candidates]
        lines_told, best = max(scored, key=lambda item: item[0] * (1 + _worth(item[1])), default=(0, None))
        if best is None or lines_told < least or _worth(best) < 1:
            break
        found.append(best)
        left = [row for row, fits in zip(left, best.fits(texts), strict=True) if not fits]
    found = [
        one for one in found if _has_time(one) or not any(map(_has_time, found)) or _covers(one, lines) >= _CERTAIN
    ]
    return sorted(found, key=lambda one: -_worth(one))


def _has_time(one: _Learned) -> bool:
    return any(capture.name == "time" for capture in one.captures)


def _covers(one: _Learned, lines: Sequence[str]) -> float:
    return float(one.fits(lines).sum()) / len(lines)


def _worth(one: _Learned) -> float:
    """How much a pattern tells: each capture that is more than text counts."""
    return sum(1.0 for capture in one.captures if capture.name != "message") + 0.2


def _clusters(rows: Sequence[Row]) -> list[list[Row]]:
    """All rows, and the largest groups of rows that begin alike."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_signature(row), []).append(row)
    largest = sorted(groups.values(), key=lambda group: -len(group))[:_CLUSTERS_TRIED]
    least = max(FEWEST_LINES, _SMALLEST_SHARE * len(rows))
    return [list(rows), *(group for group in largest if least <= len(group) < len(rows))]


def _signature(row: Row) -> tuple[str, ...]:
    words = [(found[0], found.start()) for found in re.finditer(r"\S+", row.mask)][:_SIGNATURE_WORDS]
    kinds = [kind_of(row.part(start, start + len(word))) for word, start in words]
    return tuple(
        re.sub(r"[\w./-]+", "w", word) if kind == "mixed" else kind
        for (word, _), kind in zip(words, kinds, strict=True)
    )


def _learn(rows: Sequence[Row]) -> _Learned | None:
    parts: list[Part] = read(rows)
    name_captures(parts)
    captures = tuple(capture for capture in captures_in(parts) if capture.name)
    if not captures:
        return None
    if not _is_telling(parts, captures):
        return None
    _narrow(captures)
    pattern = f"^{render(parts)}$"
    try:
        captures_of(f"(?s){pattern}")
    except PolarsError:
        return None
    return _Learned(pattern, captures)


def _is_telling(parts: Sequence[Part], captures: Sequence[Capture]) -> bool:
    """Something tells lines of this kind from others: a stamp, text that is always there, or kinds of values."""
    if any(capture.name == "time" for capture in captures):
        return True
    kinds = [{kind_of(Row(text, text)) for text in capture.texts} for capture in captures]
    return _has_text(parts) or sum(len(each) == 1 and each <= TYPED for each in kinds) >= 2


def _has_text(parts: Sequence[Part]) -> bool:
    return any(
        bool(part.text.strip()) if isinstance(part, Fixed) else isinstance(part, Group) and _has_text(part.parts)
        for part in parts
    )


def _narrow(captures: Sequence[Capture]) -> None:
    """Without a stamp that is more than digits nothing else tells lines of this kind from others: say what the values look
    like."""
    stamps = [text for capture in captures if capture.name == "time" for text in capture.values]
    if stamps and not all(re.fullmatch(r"[\d.,]*", stamp) for stamp in stamps):
        return
    for capture in captures:
        kinds = {kind_of(Row(text, text)) for text in capture.texts}
        if capture.kind == "value" and not capture.quoted and (shape := shape_of(kinds, capture.texts)):
            capture.shape = shape


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<[^>]+>", "(?:", pattern)


def _covered(patterns: Sequence[_Learned], lines: Sequence[str]) -> float:
    fits = pl.repeat(value=False, n=len(lines), eager=True)
    for one in patterns:
        fits = fits | one.fits(lines)
    return float(fits.sum()) / len(lines)


def _shuffled(lines: Sequence[str], *, name: str, title: str, reference_time: datetime) -> dict[str, Any] | None:
    """The content of a format whose pairs come in any order; None when the lines are none."""
    found = read_shuffled(rows_of(lines, find_stamps(lines, reference_time)))
    if found is None:
        return None
    parts = read(found.heads)
    by_key = {key: _value_of(key, rows) for key, rows in found.values.items()}
    name_captures([*parts, *by_key.values()])
    keys = "|".join(map(literal, by_key))
    head = f"^{render(parts, at_end=False)}"
    pattern = f"{head}(?P<pairs>(?:{keys})=.*)$"
    learned = _Learned(pattern, (*captures_in(parts), *by_key.values()))
    content = _content([learned], lines, name=name, title=title, reference_time=reference_time)
    columns = {one.name: [key] for key, one in by_key.items() if not one.name.startswith("fields.")}
    return content | {"codec": "keyvalue", "looks_like": f"{_unnamed(head)}(?:{keys})=", "keys": columns}


def _value_of(key: str, rows: Sequence[Row]) -> Capture:
    is_stamp = all(STAMP in row.mask for row in rows)
    return Capture([row.text.strip("\"'") for row in rows], kind="stamp" if is_stamp else "value", key=key)


def _content(
    patterns: Sequence[_Learned], lines: Sequence[str], *, name: str, title: str, reference_time: datetime
) -> dict[str, Any]:
    captures = [capture for one in patterns for capture in one.captures]
    content: dict[str, Any] = {"name": name, "title": title, "rank": _RANK}
    stamps = [text for capture in captures if capture.name == "time" for text in capture.values if text]
    content["patterns"] = [
        pattern
        for one in patterns
        for pattern in with_people(one.pattern, {capture.name for capture in one.captures}, lines)
    ]
    if stamps:
        content["stamps"] = list(layouts_of(stamps, reference_time))
    if levels := level_names(used_levels(captures)):
        content["levels"] = levels
    if any(capture.kind == "padded" for capture in captures):
        content["trim"] = True
    absent = {text for capture in captures if capture.kind not in {"text", "stamp"} for text in capture.texts} & ABSENT
    if absent - {"", "-"}:
        content["absent"] = sorted(absent | {"", "-"})
    if cases := _cases(captures):
        content["cases"] = cases
    return content


def _cases(captures: Sequence[Capture]) -> list[dict[str, Any]]:
    """What the words for an outcome mean."""
    words = {text for capture in captures if capture.name == "event.outcome" for text in capture.texts}
    cases = []
    for outcome, names in (("success", SUCCESS), ("failure", FAILURE)):
        if written := sorted(word for word in words if word.lower() in names):
            cases.append({"column": "event.outcome", "values": written, "set": {"event.outcome": outcome}})
    return cases


def _samples(definition: FormatFile, lines: Sequence[str], reference_time: datetime) -> list[dict[str, Any]]:
    """The first lines with the columns they yield: they are the format's tests."""
    from vedette.formats.learning.preview import columns_of

    one = CODECS[definition.codec](definition)
    series = pl.Series("line", list(dict.fromkeys(lines)), dtype=pl.String)
    chosen = series.filter(one.matches(series)).head(_SAMPLES)
    return [
        {"line": line, "columns": columns}
        for line, columns in zip(chosen, columns_of(one, chosen, reference_time), strict=True)
    ]
