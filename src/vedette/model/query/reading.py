"""Walking along the text of a query: words, quotes, operators, and where each stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from vedette.model.errors import QueryError

MAX_CHARACTERS: Final = 4_000

_NAME: Final = re.compile(r"[A-Za-z_@][\w@.\-]*")
_OPERATOR: Final = re.compile(r"\s*(?:>=|<=|!=|=>|=<|==|<>|>|<)|:(?:>=|<=|!=|>|<)|:|=")
_SPACE: Final = re.compile(r"\s*")
_KEYWORD: Final = re.compile(r"(and|or|not|&&|\|\|)(?=[\s()\"]|$)", re.IGNORECASE)
_KEYWORDS: Final = {"&&": "AND", "||": "OR"}


@dataclass(frozen=True, slots=True)
class Word:
    """A value as written. `text` keeps its backslashes unless it was quoted."""

    text: str
    position: int
    is_quoted: bool = False


class Reader:
    """The text and the place reached in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        if len(text) > MAX_CHARACTERS:
            raise self.error(
                f"the query has {len(text)} characters, the most is {MAX_CHARACTERS}; shorten it", MAX_CHARACTERS
            )
        surrogate = next((at for at, sign in enumerate(text) if "\ud800" <= sign <= "\udfff"), None)
        if surrogate is not None:
            raise self.error("the query holds half a character (a lone surrogate); remove it", surrogate)

    def error(self, message: str, position: int | None = None, suggestion: str | None = None) -> QueryError:
        """The error that points at a place of the text (where reading stands, if none is given)."""
        at = self.position if position is None else position
        return QueryError(message, text=self.text, position=at, suggestion=suggestion)

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def next_is(self, signs: str) -> bool:
        """True when one of these characters comes next."""
        return not self.at_end() and self.text[self.position] in signs

    def take(self, sign: str) -> bool:
        """Step over the text if it comes next."""
        if not self.text.startswith(sign, self.position):
            return False
        self.position += len(sign)
        return True

    def peek_keyword(self) -> str | None:
        """AND, OR or NOT (in any case, also && and ||) if it comes next."""
        match = _KEYWORD.match(self.text, self.position)
        return _KEYWORDS.get(match[1], match[1].upper()) if match else None

    def take_keyword(self, keyword: str) -> bool:
        """Step over a keyword if it comes next."""
        if self.peek_keyword() != keyword:
            return False
        match = _KEYWORD.match(self.text, self.position)
        self.position = match.end() if match else self.position
        return True

    def peek_name(self) -> tuple[str, str, int] | None:
        """(name, operator, where the value begins) if a name with an operator comes next."""
        name = _NAME.match(self.text, self.position)
        operator = _OPERATOR.match(self.text, name.end()) if name else None
        if not name or not operator:
            return None
        return name[0], operator[0].strip(), operator.end()

    def word(self) -> Word:
        """A quoted value, or one that ends at white space, at a quote, or at a bracket it did not open itself."""
        return self._quoted() if self.next_is('"') else self._bare()

    def _quoted(self) -> Word:
        start = self.position
        signs: list[str] = []
        at = start + 1
        while at < len(self.text):
            sign = self.text[at]
            if sign == '"':
                self.position = at + 1
                return Word("".join(signs), start, is_quoted=True)
            if sign == "\\" and self.text[at + 1 : at + 2] in ('"', "\\"):
                at += 1
                sign = self.text[at]
            signs.append(sign)
            at += 1
        raise self.error('the quote opened here is never closed; add a `"` at its end', start, self.text + '"')

    def _bare(self) -> Word:
        start = at = self.position
        depth = 0
        while at < len(self.text):
            sign = self.text[at]
            if sign == "\\" and at + 1 < len(self.text):
                at += 2
                continue
            if sign.isspace() or sign == '"' or (sign == ")" and depth == 0):
                break
            depth += {"(": 1, ")": -1}.get(sign, 0)
            at += 1
        self.position = at
        return Word(self.text[start:at], start)
