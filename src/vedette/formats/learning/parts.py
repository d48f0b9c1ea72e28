"""What a line is made of, and the regular expression that takes it apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from vedette.formats.learning.stamps import pattern_of

_META: Final = frozenset(r"\.+*?()|[]{}^$")
_META_IN_CLASS: Final = frozenset(r"\[]^-&~")
_QUOTED: Final = r'(?:[^"\\]|\\.)*'
_SINGLE_QUOTED: Final = r"[^']*"


@dataclass(slots=True)
class Fixed:
    """Text that is the same in every line. `pattern` says more where it may differ a little, `firsts` are then the
    characters it may begin with; `may_end`: it may be missing."""

    text: str
    pattern: str = ""
    firsts: str = ""
    may_end: bool = False


@dataclass(slots=True)
class Capture:
    """Text that differs. `name` and `also` (a second name for the same text) are given by naming.

    `values` are what the sample holds, `quoted` those that stand in quotes where others do not. `key` is what the line
    itself calls it; `after` and `before` are the text around it, which may tell what it is. A padded one has a `width`
    and is flush left or not. An anonymous one is only gone over. `shape` is an expression for its values that is narrower than
    what the separators leave. One that `holds` others is left out where it gets no name.
    """

    values: list[str]
    kind: Literal["value", "stamp", "quoted", "single-quoted", "padded", "text"] = "value"
    key: str = ""
    quoted: list[str] = field(default_factory=list)
    width: int = 0
    is_flush: bool = True
    may_be_empty: bool = False
    is_anonymous: bool = False
    holds: bool = False
    shape: str = ""
    follows_level: bool = False
    after: str = ""
    before: str = ""
    name: str = ""
    also: str = ""

    @property
    def texts(self) -> list[str]:
        """What was seen, in quotes or not."""
        return [*self.values, *self.quoted]


@dataclass(slots=True)
class Group:
    """Parts that stand together: optional ones, or a message that holds captures."""

    parts: list[Part]
    is_optional: bool = False
    capture: Capture | None = None


Part = Fixed | Capture | Group


def captures_in(parts: Sequence[Part]) -> Iterator[Capture]:
    """From left to right; a message before what it holds."""
    for part in parts:
        if isinstance(part, Capture):
            yield part
        elif isinstance(part, Group):
            if part.capture is not None:
                yield part.capture
            yield from captures_in(part.parts)


def render(parts: Sequence[Part], closers: str = "", *, at_end: bool = True) -> str:
    """The regular expression. `closers` are the characters that may follow it; `at_end`: the line may end there."""
    texts: list[str] = []
    for place, part in enumerate(parts):
        following = parts[place + 1 :]
        if isinstance(part, Fixed):
            pattern = part.pattern or literal(part.text)
            texts.append(f"(?:{pattern})?" if part.may_end else pattern)
            continue
        stops, may_end = _stops(following, closers, at_end=at_end)
        if isinstance(part, Group):
            inner = render(part.parts, stops, at_end=may_end)
            if part.capture is not None:
                inner = _named(part.capture, inner)
            texts.append(f"(?:{inner})?" if part.is_optional else inner)
        else:
            texts.append(_captured(part, stops, at_end=may_end))
    return "".join(texts)


def literal(text: str) -> str:
    """A regular expression for this text, readable."""
    return "".join(_character(letter, _META) for letter in text)


def _character(letter: str, meta: frozenset[str]) -> str:
    if letter in meta:
        return f"\\{letter}"
    if letter == "\t":
        return r"\t"
    return letter if letter.isprintable() else f"\\x{{{ord(letter):x}}}"


def _stops(following: Sequence[Part], closers: str, *, at_end: bool) -> tuple[str, bool]:
    """The characters that may follow, and whether the line may end there."""
    stops = ""
    for part in following:
        if isinstance(part, Fixed):
            stops += part.firsts or part.text[:1]
            return (stops + closers, at_end) if part.may_end else (stops, False)
        if isinstance(part, Capture):
            return stops, False
        inner, _ = _stops(part.parts, "", at_end=False)
        stops += inner
        if not part.is_optional:
            return stops, False
    return stops + closers, at_end


def _captured(capture: Capture, stops: str, *, at_end: bool) -> str:
    if capture.kind == "stamp":
        return _stamp(capture)
    if capture.kind == "padded":
        flush = capture.is_flush and capture.width > 1
        return _named(capture, rf"\S.{{{capture.width - 1}}}" if flush else f".{{{capture.width}}}")
    pattern = capture.shape or _value(capture, stops, at_end=at_end)
    if capture.quoted:
        return f'(?:"{_named(capture, _QUOTED)}"|{_named(capture, pattern, again="[2]")})'
    return _named(capture, pattern)


def _stamp(capture: Capture) -> str:
    stamps = [value for value in capture.values if value]
    pattern = pattern_of(stamps)
    if capture.width and len({len(stamp) for stamp in stamps}) == 1:
        return _named(capture, pattern) + " " * (capture.width - len(stamps[0]))
    return _named(capture, pattern if len(stamps) == len(capture.values) else f"(?:{pattern})?")


def _named(capture: Capture, pattern: str, *, again: str = "") -> str:
    """`again` marks the second capture of a column."""
    for name in (capture.name, capture.also):
        if name:
            pattern = f"(?P<{name}{again}>{pattern})"
    return pattern if capture.name else f"(?:{pattern})"


def _value(capture: Capture, stops: str, *, at_end: bool) -> str:
    """What a value may be: as far as the next separator. Where values hold it themselves, as little as possible."""
    if capture.kind == "quoted":
        return _QUOTED
    if capture.kind == "single-quoted":
        return _SINGLE_QUOTED
    stops = "".join(letter for letter in stops if not letter.isalnum())
    many = "*" if capture.kind == "text" or capture.may_be_empty or not all(capture.values) else "+"
    held = set("".join(capture.values))
    if capture.kind != "text" and not any(letter.isspace() for letter in held):
        excluded = _class(set(stops) - held - {" ", "\t"})
        is_ambiguous = not held.isdisjoint(stops)
        return (rf"[^\s{excluded}]{many}" if excluded else rf"\S{many}") + ("?" if is_ambiguous else "")
    excluded = _class(set(stops) - held - ({" "} if capture.kind == "text" else set()))
    is_ambiguous = not set(stops) <= set(excluded.replace("\\", "")) if stops else not at_end
    return (f"[^{excluded}]{many}" if excluded else f".{many}") + ("?" if is_ambiguous else "")


def _class(letters: set[str]) -> str:
    """The inside of a character class; blanks are written out."""
    return "".join(_character(letter, _META_IN_CLASS) for letter in sorted(letters - {" "})) + " " * (" " in letters)
