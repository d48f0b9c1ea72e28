"""Lines read word by word: columns as long as words are more than sentences, then the message."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vedette.formats.learning.kinds import TYPED, kind_of, kind_of_all
from vedette.formats.learning.known import FAILURE, SUCCESS, is_account, is_action
from vedette.formats.learning.parts import Capture, Fixed, Group, Part
from vedette.formats.learning.quotes import quoted_parts
from vedette.formats.learning.rows import CLOSERS, QUOTED, Row, closing, common_suffix

Read = Callable[[Sequence[Row], int], list[Part]]

_MOST_WORDS: Final = 32
_FEW: Final = 0.03
_BEHIND: Final = frozenset(":,;|>#)]")
_INSIDE: Final = re.compile(r"->|=>|::|[\[\](){}<>:;,|#@=/~*!^&]+")
_WHOLE: Final = TYPED - {"stamp"} | {"absent"}
_MARKER: Final = re.compile(r"[A-Z][A-Z_]+|[^A-Za-z]+")
_NAME_LIKE: Final = re.compile(r"[A-Z]{2,}|(?=.*?(?:\d|[._/$-]|[a-z][A-Z]))[\w./$-]+")
_PLAIN_WORD: Final = re.compile(r"[a-z]{2,}[,;]?|[A-Z][a-z]+")
_WEAK: Final = frozenset(("integer", "number", "quantity", "punctuation"))
"""Kinds that sentences hold as well."""
_BEHIND_NAMES: Final = frozenset(("level", "stamp", "method"))
"""Kinds that follow the name of a host or a program, and no word of a sentence."""
_DEEPEST: Final = 6
_MIXED: Final = 0.6
_FEWEST_TO_COMPARE: Final = 12


@dataclass(frozen=True, slots=True)
class _Table:
    """The words of rows that have enough of them. `columns` are the words that all have, `is_firm` which of these are more
    than words of sentences."""

    rows: list[Row]
    spans: list[list[tuple[int, int]]]
    columns: list[list[Row]]
    is_firm: list[bool]

    @property
    def last_firm(self) -> int:
        return max((place for place, is_firm in enumerate(self.is_firm) if is_firm), default=-1)

    @property
    def is_certain(self) -> bool:
        """Something is there that sentences do not hold."""
        return any(
            is_firm and _kind(column) not in _WEAK for column, is_firm in zip(self.columns, self.is_firm, strict=True)
        )

    def rest(self, place: int) -> list[Row]:
        """From a word to the end."""
        pairs = zip(self.rows, self.spans, strict=True)
        return [row.part(spans[place][0] if len(spans) > place else len(row.text)) for row, spans in pairs]


def read_words(rows: Sequence[Row], read: Read, depth: int) -> list[Part]:
    """Never None: at least the whole is text."""
    if not any(letter.isspace() for row in rows for letter in row.mask):
        return _column(rows, read, depth)
    table = _table(rows)
    first_firm = table.is_firm.index(True) if table.last_firm >= 0 else len(table.columns)
    parts: list[Part] = []
    place = 0
    is_said = False
    while place < len(table.columns):
        if (depth or place > first_firm) and place < table.last_firm and _is_sentence(table, place):
            begin = _beginning(table, place)
            return [*parts[: max(0, 2 * begin - 1)], *_message(table, begin, read, depth)]
        is_given = table.is_firm[place] or (place < table.last_firm and table.is_certain and not is_said)
        if not is_given and (not (depth or table.is_certain) or not _is_column(table, place)):
            break
        parts += [_blank()] if place else []
        parts.append(Group(_column(table.columns[place], read, depth)))
        is_said = is_said or _bare(table.columns[place])[1].endswith(":")
        place += 1
    return [*parts, *_text(table.rest(place), is_first=not place)]


def _text(rest: Sequence[Row], *, is_first: bool) -> list[Part]:
    if not any(row.text for row in rest):
        return []
    text = Capture([row.text for row in rest], kind="text")
    if is_first:
        return [text]
    return [_blank(), text] if all(row.text for row in rest) else [Group([_blank(), text], is_optional=True)]


def _table(rows: Sequence[Row]) -> _Table:
    spans = [_words(row) for row in rows]
    counts = sorted(map(len, spans))
    least = min(counts[int(_FEW * len(counts))], _MOST_WORDS)
    kept = [(row, each) for row, each in zip(rows, spans, strict=True) if len(each) >= least]
    columns = [[row.part(*each[place]) for row, each in kept] for place in range(least)]
    return _Table(
        [row for row, _ in kept], [each for _, each in kept], columns, [_is_firm(column) for column in columns]
    )


def _beginning(table: _Table, place: int) -> int:
    """A sentence begins before its first word that never changes, where the words before it are what it speaks of."""
    while place and not table.is_firm[place - 1]:
        words = {row.text.lower() for row in table.columns[place - 1]}
        if not all(is_action(word) or word in SUCCESS | FAILURE for word in words):
            break
        place -= 1
    return place


def _kind(column: Sequence[Row]) -> str:
    return kind_of_all(_bare(column)[0])


def _blank() -> Fixed:
    return Fixed(" ", r"\s+", " ")


def _words(row: Row) -> list[tuple[int, int]]:
    """Spans between blanks; brackets hold together what is in them."""
    mask = row.mask
    place = 0
    while (place := next((at for at in range(place, len(mask)) if mask[at] in CLOSERS), len(mask))) < len(mask):
        end = closing(mask, place)
        if end is not None and (place == 0 or mask[place - 1].isspace()):
            mask = mask[:place] + mask[place : end + 1].replace(" ", QUOTED) + mask[end + 1 :]
            place = end
        place += 1
    return [found.span() for found in re.finditer(r"\S+", mask)]


def _bare(column: Sequence[Row]) -> tuple[list[Row], str]:
    """The words without the punctuation that all end with."""
    behind = common_suffix([row.mask for row in column])
    count = next((at for at, letter in enumerate(reversed(behind)) if letter not in _BEHIND), len(behind))
    suffix = behind[len(behind) - count :]
    while (
        suffix
        and suffix[0] in ")]>"
        and any(kind_of(row) != "mixed" or row.mask[0] in CLOSERS or _has(row, suffix[0]) for row in column[:5])
    ):
        suffix = suffix[1:]
    if not suffix or any(len(row.text) <= len(suffix) for row in column):
        return list(column), ""
    return [row.part(0, len(row.text) - len(suffix)) for row in column], suffix


def _has(row: Row, closer: str) -> bool:
    opener = next(one for one, other in CLOSERS.items() if other == closer)
    return opener in row.mask


def _is_firm(column: Sequence[Row]) -> bool:
    """Every word is of the same kind, and of one that sentences do not have; or all are built the same way."""
    bare, _ = _bare(column)
    kind = kind_of_all(bare)
    if kind in TYPED:
        return True
    if quoted_parts(bare) is not None:
        return True
    if kind == "punctuation":
        return len({row.text for row in bare}) == 1
    return _is_bracketed(bare) or (kind not in {"word", "absent"} and _skeleton(bare) is not None)


def _is_bracketed(column: Sequence[Row]) -> bool:
    first = column[0].mask[:1]
    return first in CLOSERS and all(row.mask[:1] == first and closing(row.mask) == len(row.mask) - 1 for row in column)


def _skeleton(column: Sequence[Row]) -> tuple[str, ...] | None:
    """The punctuation inside the words, where all share it."""
    if kind_of_all(column) in _WHOLE:
        return None
    shapes = {tuple(_INSIDE.findall(row.mask)) for row in column}
    if len(shapes) != 1:
        return None
    shape = next(iter(shapes))
    return shape if 0 < len(shape) <= 8 else None


def _is_sentence(table: _Table, place: int) -> bool:
    """A word that never changes, as sentences have them, and no more columns right behind it."""
    words = {row.text for row in table.columns[place]}
    if len(words) > 1 or not _PLAIN_WORD.fullmatch(word := words.pop()) or is_account(word):
        return False
    following = _bare(table.columns[place + 1])[0]
    is_built = _is_bracketed(following) or (_kind(following) not in TYPED and _skeleton(following) is not None)
    return not is_built and _kind(following) not in _BEHIND_NAMES


def _is_column(table: _Table, place: int) -> bool:
    """Is this word, behind everything firm, still a column? It is when its values are names, or when what follows does
    not depend on it: the first word of a sentence decides about the second, a column does not."""
    bare, suffix = _bare(table.columns[place])
    texts = [row.text for row in bare]
    distinct = set(texts)
    if suffix.startswith(":") and all(" " not in text for text in distinct):
        return True
    if sum(bool(_NAME_LIKE.fullmatch(text)) for text in texts) >= 0.8 * len(texts):
        return True
    if len(distinct) == 1:
        return False
    if sum(map(is_account, texts)) >= 0.5 * len(texts):
        return True
    if len(texts) < _FEWEST_TO_COMPARE or len(distinct) > len(texts) / 3:
        return False
    if place + 1 >= len(table.columns):
        return place > 0 and all(len(spans) == place + 1 for spans in table.spans)
    firsts: defaultdict[str, set[str]] = defaultdict(set)
    seconds: defaultdict[str, set[str]] = defaultdict(set)
    for text, following in zip(texts, table.columns[place + 1], strict=True):
        firsts[following.text].add(text)
        seconds[text].add(following.text)
    shared = sum(
        len(firsts[following.text]) > 1 and len(seconds[text]) > 1
        for text, following in zip(texts, table.columns[place + 1], strict=True)
    )
    return shared >= _MIXED * len(texts)


def _column(column: Sequence[Row], read: Read, depth: int) -> list[Part]:
    """The parts of one word of every row."""
    bare, suffix = _bare(column)
    parts = _word_parts(bare, read, depth, "")
    return [*parts, Fixed(suffix)] if suffix else parts


def _word_parts(column: Sequence[Row], read: Read, depth: int, key: str) -> list[Part]:
    kind = kind_of_all(column)
    texts = [row.text for row in column]
    if (quoted := quoted_parts(column, key)) is not None:
        return quoted
    if kind in TYPED:
        return [Capture(texts, kind="stamp" if kind == "stamp" else "value", key=key)]
    if _is_bracketed(column) and depth < _DEEPEST:
        opener = column[0].mask[0]
        inside = [row.part(1, len(row.text) - 1) for row in column]
        return [Fixed(opener), *_in_brackets(inside, read, depth), Fixed(CLOSERS[opener])]
    if (shape := _skeleton(column)) is not None:
        return _pieces(column, shape, read, depth)
    if len(set(texts)) == 1 and _MARKER.fullmatch(texts[0]) and kind != "level":
        return [Fixed(texts[0])]
    return [Capture(texts, key=key)]


def _in_brackets(inside: Sequence[Row], read: Read, depth: int) -> list[Part]:
    """Words in brackets are one thing, unless they are pairs or cells."""
    parts = read(inside, depth + 1)
    if any(isinstance(part, Group) for part in parts) and any(" " in row.mask for row in inside):
        return [Capture([row.text for row in inside])]
    return parts


def _pieces(column: Sequence[Row], shape: tuple[str, ...], read: Read, depth: int) -> list[Part]:
    """What stands between the punctuation; a piece that never changes before `=` or `:` is a key."""
    split = [_split(row) for row in column]
    parts: list[Part] = []
    key = ""
    for place in range(len(shape) + 1):
        pieces = [row[place] for row in split]
        texts = {piece.text for piece in pieces}
        follows = shape[place] if place < len(shape) else ""
        if texts != {""}:
            is_key = len(texts) == 1 and follows[:1] in {"=", ":"} and pieces[0].text.isidentifier() and len(column) > 4
            parts += [Fixed(pieces[0].text)] if is_key else _word_parts(pieces, read, depth + 1, key)
            key = pieces[0].text if is_key else ""
        if follows:
            parts.append(Fixed(follows))
    return parts


def _split(row: Row) -> list[Row]:
    pieces: list[Row] = []
    start = 0
    for found in _INSIDE.finditer(row.mask):
        pieces.append(row.part(start, found.start()))
        start = found.end()
    return [*pieces, row.part(start)]


def _message(table: _Table, start: int, read: Read, depth: int) -> list[Part]:
    """A sentence that is the same in every row but for some words: the message, with those words captured in it."""
    whole = Capture([row.text for row in table.rest(start)], kind="text", holds=True)
    inside: list[Part] = []
    for place in range(start, len(table.columns)):
        column = table.columns[place]
        texts = {row.text for row in column}
        inside += [_blank()] if place > start else []
        inside += [Fixed(texts.pop())] if len(texts) == 1 else _column(column, read, depth + 1)
    ends = [spans[len(table.columns) - 1][1] for spans in table.spans]
    rest = [row.text[end:] for row, end in zip(table.rows, ends, strict=True)]
    if any(rest):
        inside.append(Capture(rest, kind="text", is_anonymous=True))
    return [*([_blank()] if start else []), Group(inside, capture=whole)]
