"""Lines made of `key=value`, whatever stands for `=` and whatever separates the pairs."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vedette.formats.learning.kinds import TYPED, kind_of_all
from vedette.formats.learning.known import words
from vedette.formats.learning.parts import Capture, Fixed, Group, Part, literal
from vedette.formats.learning.quotes import quoted_parts, sometimes_quoted
from vedette.formats.learning.rows import QUOTED, STAMP, Row, common_prefix, common_suffix

Read = Callable[[Sequence[Row], int], list[Part]]

_SIGNS: Final = ("=>", ":=", "->", "::", "==", "=", ":", "~", ">", "#", "^", "[", "(", "{", "<")
_BRACKETS: Final = frozenset("[({<")
_KEY: Final = r"(?<![\w.@/-])([A-Za-z_@][\w.@-]{0,63})"
_ENOUGH_ROWS: Final = {"=": 0.12, ":=": 0.12, "=>": 0.12, "==": 0.12}
_ENOUGH_ROWS_OTHERWISE: Final = 0.5
_WRITTEN: Final = re.compile(r'"[^"]*"|\'[^\']*\'|[^\s,|;]*')
"""A value as the codec `keyvalue` reads it."""
_BROKEN_VALUES: Final = 0.15
_WORDY: Final = words("msg message text txt detail details description desc note reason error err comment info body")


@dataclass(frozen=True, slots=True)
class _Pair:
    key: str
    start: int
    value: int
    """Where the value begins."""


@dataclass(slots=True)
class _Layout:
    """The pairs of the rows that agree on an order."""

    rows: list[Row]
    pairs: list[list[_Pair]]
    order: list[str]
    sign: str


def read_pairs(rows: Sequence[Row], read: Read, depth: int) -> list[Part] | None:
    """None when the rows hold no pairs, or too few, or pairs in the middle of sentences."""
    layout = next((found for sign in _SIGNS if (found := _layout(rows, sign)) is not None), None)
    if layout is None:
        return None
    separator = _separator(layout)
    if separator is None:
        return None
    sign = _full_sign(layout)
    values, tails = _values(layout, separator, sign)
    if _are_sentences(layout, values, separator):
        return None
    _cut_last(layout.order[-1], values, tails)
    heads = [row.part(0, pairs[0].start) for row, pairs in zip(layout.rows, layout.pairs, strict=True)]
    parts: list[Part] = list(read(heads, depth + 1))
    has_tail = any(tail.text for tail in tails)
    last_certain = max(
        (place for place, key in enumerate(layout.order) if len(values[key]) == len(layout.rows)), default=-1
    )
    for place, key in enumerate(layout.order):
        element = [Fixed(f"{key}{sign}", _sign_pattern(key, sign)), *_value_parts(key, values[key])]
        is_last = place == len(layout.order) - 1 and not has_tail and not separator.is_final
        if not (is_last and place == last_certain):
            may_end = place >= last_certain
            element.append(Fixed(separator.text, separator.pattern, separator.firsts, may_end=may_end))
        is_certain = len(values[key]) == len(layout.rows)
        parts += element if is_certain else [Group(element, is_optional=True)]
    if has_tail:
        parts += read(tails, depth + 1)
    return parts


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Rows whose pairs come in any order: what stands before the pairs, and the values by key."""

    heads: list[Row]
    values: dict[str, list[Row]]


def read_shuffled(rows: Sequence[Row]) -> Shuffled | None:
    """None unless nearly every row ends in two `key=value` or more."""
    finder = re.compile(rf"{_KEY}=")
    found = [
        _first_of_each([_Pair(one[1], one.start(), one.end()) for one in finder.finditer(row.mask)]) for row in rows
    ]
    counts = Counter(pair.key for pairs in found for pair in pairs)
    keys = {key for key, count in counts.items() if count >= max(2, 0.05 * len(rows))}
    heads: list[Row] = []
    values: dict[str, list[Row]] = {}
    for row, each in zip(rows, found, strict=True):
        pairs = [pair for pair in each if pair.key in keys]
        if len(pairs) < 2:
            continue
        heads.append(row.part(0, pairs[0].start))
        for one, end in zip(pairs, [*(pair.start for pair in pairs[1:]), None], strict=True):
            value = row.part(one.value, end)
            values.setdefault(one.key, []).append(value.part(0, _WRITTEN.match(value.mask).end()))  # type: ignore[union-attr]
    return Shuffled(heads, values) if len(heads) >= 0.9 * len(rows) else None


@dataclass(frozen=True, slots=True)
class _Separator:
    text: str
    pattern: str
    firsts: str
    finder: re.Pattern[str]
    is_final: bool
    """Also behind the last pair."""


def _layout(rows: Sequence[Row], sign: str) -> _Layout | None:
    if sum(row.mask.count(sign) > 1 for row in rows) < 0.5 * len(rows):
        return None
    finder = re.compile(rf"{_KEY}( {{0,3}}{re.escape(sign)})(?![=>:~]) *")
    found = [
        _first_of_each([_Pair(one[1], one.start(), one.end(2)) for one in finder.finditer(row.mask)]) for row in rows
    ]
    counts = Counter(pair.key for pairs in found for pair in pairs)
    least = max(3.0 if len(rows) > 8 else 1.0, _ENOUGH_ROWS.get(sign, _ENOUGH_ROWS_OTHERWISE) * len(rows))
    keys = {key for key, count in counts.items() if count >= least}
    found = [[pair for pair in pairs if pair.key in keys] for pairs in found]
    fewest = 3 if sign in _BRACKETS else 2
    if len(keys) < fewest or sum(map(len, found)) < (fewest - 0.5) * len(rows):
        return None
    candidates = [_in_order(rows, found, order, sign) for order in (_order_of_all(found), _commonest_order(found))]
    best = max(candidates, key=lambda layout: (len(layout.rows), len(layout.order)))
    return best if len(best.rows) >= 2 and len(best.order) >= 2 else None


def _first_of_each(pairs: Sequence[_Pair]) -> list[_Pair]:
    return list({pair.key: pair for pair in reversed(pairs)}.values())[::-1]


def _order_of_all(found: Sequence[Sequence[_Pair]]) -> list[str]:
    before: Counter[tuple[str, str]] = Counter()
    places: dict[str, list[int]] = {}
    for pairs in found:
        keys = [pair.key for pair in pairs]
        for place, key in enumerate(keys):
            places.setdefault(key, []).append(place)
            before.update((key, later) for later in keys[place + 1 :])
    mean = {key: sum(each) / len(each) for key, each in places.items()}

    def compare(one: str, other: str) -> int:
        return before[other, one] - before[one, other] or (1 if (mean[one], one) > (mean[other], other) else -1)

    return sorted(sorted(places, key=lambda key: (mean[key], key)), key=functools.cmp_to_key(compare))


def _commonest_order(found: Sequence[Sequence[_Pair]]) -> list[str]:
    orders = Counter(tuple(pair.key for pair in pairs) for pairs in found)
    return list(max(orders.items(), key=lambda item: (item[1], len(item[0]), item[0]))[0]) if orders else []


def _in_order(rows: Sequence[Row], found: Sequence[list[_Pair]], order: list[str], sign: str) -> _Layout:
    rank = {key: place for place, key in enumerate(order)}
    kept = [
        (row, pairs)
        for row, pairs in zip(rows, found, strict=True)
        if pairs
        and all(pair.key in rank for pair in pairs)
        and all(rank[one.key] < rank[two.key] for one, two in itertools.pairwise(pairs))
    ]
    used = {pair.key for _, pairs in kept for pair in pairs}
    return _Layout([row for row, _ in kept], [pairs for _, pairs in kept], [key for key in order if key in used], sign)


def _gaps(layout: _Layout) -> list[str]:
    """What stands between a sign and the next key, blanks drawn together."""
    return [
        re.sub(r"\s+", " ", row.mask[one.value : two.start])
        for row, pairs in zip(layout.rows, layout.pairs, strict=True)
        for one, two in itertools.pairwise(pairs)
    ]


def _separator(layout: _Layout) -> _Separator | None:
    gaps = _gaps(layout)
    if not gaps:
        return None
    shared = common_suffix(gaps)
    text = re.sub(rf"^.*[\w{STAMP}{QUOTED}\"'.%]", "", shared)
    if text:
        lead, core, trail = re.fullmatch(r"(\s*)(.*?)(\s*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        if core == layout.sign:
            return None
        pattern = (r"\s*" if lead else "") + literal(core) + (r"\s*" if trail or core else "") if core else r"\s+"
        firsts = (" " if lead or not core else "") + core[:1]
        finder = re.compile(rf"(?:(?<!\s)\s+)?{re.escape(core)}\s*" if core else r"\s+")
    else:
        runs = {re.search(rf"[^\w{STAMP}{QUOTED}\"'.%/+-]*$", gap)[0] for gap in gaps}  # type: ignore[index]
        if "" in runs:
            return None
        letters = "".join(sorted(set("".join(runs)) - {" "}))
        pattern = rf"[\s{re.escape(letters)}]+"
        firsts, finder = " " + letters, re.compile(pattern)
        text = " "
    ends = [row.mask.rstrip() for row in layout.rows]
    is_final = bool(text.strip()) and all(end.endswith(text.strip()) for end in ends)
    return _Separator(text, pattern, firsts, finder, is_final)


def _full_sign(layout: _Layout) -> str:
    """The sign with the blanks and brackets that always follow it."""
    behind = common_prefix(
        [row.mask[pair.value :] for row, pairs in zip(layout.rows, layout.pairs, strict=True) for pair in pairs]
    )
    brackets = re.match(r"\s*[\[({<]?", behind)
    before = [
        row.mask[pair.start : pair.value]
        for row, pairs in zip(layout.rows, layout.pairs, strict=True)
        for pair in pairs
    ]
    blank = " " if all(" " in text for text in before) else ""
    return blank + layout.sign + (brackets[0] if brackets else "")


def _sign_pattern(key: str, sign: str) -> str:
    """Key and sign; blanks in and around the sign may be more or fewer."""
    pieces = re.findall(r"\s+|\S+", sign)
    return literal(key) + "".join(r"\s*" if piece.isspace() else literal(piece) for piece in pieces)


def _values(layout: _Layout, separator: _Separator, sign: str) -> tuple[dict[str, list[Row]], list[Row]]:
    """Values by key, and what stands behind the last of them in each row."""
    values: dict[str, list[Row]] = {key: [] for key in layout.order}
    tails: list[Row] = []
    skipped = len(sign.lstrip()) - len(layout.sign)
    for row, pairs in zip(layout.rows, layout.pairs, strict=True):
        for one, two in itertools.pairwise(pairs):
            gap = row.part(one.value + skipped, two.start)
            values[one.key].append(gap.part(0, _end_of_value(gap, separator)).stripped())
        last = row.part(pairs[-1].value + skipped)
        end, after = _end_of_last(last, pairs[-1].key, layout, separator)
        values[pairs[-1].key].append(last.part(0, end).stripped())
        tails.append(last.part(after))
    return values, tails


def _end_of_value(gap: Row, separator: _Separator) -> int:
    """The last separator before the next key."""
    ends = [found.start() for found in separator.finder.finditer(gap.mask) if found.end() == len(gap.mask)]
    return ends[-1] if ends else len(gap.mask)


def _end_of_last(last: Row, key: str, layout: _Layout, separator: _Separator) -> tuple[int, int]:
    """Where the value of the last pair ends, and what follows its separator begins."""
    if key == layout.order[-1] and key.lower() in _WORDY and not separator.is_final:
        return len(last.mask), len(last.mask)
    start = len(last.mask) - len(last.mask.lstrip())
    found = separator.finder.search(last.mask, start)
    return (found.start(), found.end()) if found else (len(last.mask), len(last.mask))


def _cut_last(key: str, values: dict[str, list[Row]], tails: list[Row]) -> None:
    """The last value has no separator behind it: where every one begins with an address, a number or the like and goes on
    after a blank, what goes on is no part of it."""
    rows = values[key]
    if key.lower() in _WORDY or len(rows) != len(tails) or any(tail.text for tail in tails):
        return
    ends = [next((at for at, letter in enumerate(row.mask) if letter.isspace()), len(row.mask)) for row in rows]
    has_more = sum(end < len(row.mask) for row, end in zip(rows, ends, strict=True))
    firsts = [row.part(0, end) for row, end in zip(rows, ends, strict=True)]
    if has_more < 0.5 * len(rows) or (kind_of_all(firsts) not in TYPED and not _are_marked(rows, ends)):
        return
    values[key] = firsts
    tails[:] = [row.part(end) for row, end in zip(rows, ends, strict=True)]


def _are_marked(rows: Sequence[Row], ends: Sequence[int]) -> bool:
    """Punctuation, always the same, stands between the first word and the rest."""
    marks = {row.mask[end:].split(maxsplit=1)[0] for row, end in zip(rows, ends, strict=True) if row.mask[end:].strip()}
    return len(marks) == 1 and not any(letter.isalnum() for letter in next(iter(marks)))


def _are_sentences(layout: _Layout, values: dict[str, list[Row]], separator: _Separator) -> bool:
    """Values that blanks should end hold blanks: the pairs stand among words."""
    if separator.text.strip():
        return False
    plain = [row.mask for key, rows in values.items() for row in rows if key.lower() not in _WORDY]
    return sum(any(letter.isspace() for letter in mask) for mask in plain) > _BROKEN_VALUES * max(len(plain), 1)


def _value_parts(key: str, rows: Sequence[Row]) -> list[Part]:
    if (quoted := quoted_parts(rows, key)) is not None:
        return quoted
    if (mixed := sometimes_quoted(rows, key)) is not None:
        return [mixed]
    kind = kind_of_all(rows)
    return [Capture([row.text for row in rows], kind="stamp" if kind == "stamp" else "value", key=key)]
