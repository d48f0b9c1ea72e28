"""The templates known so far, and the comparison of new ones with them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from vedette.formats.templates.evidence import Place, are_values, head_of, places_of
from vedette.formats.templates.masks import VARIABLE, tidy

_HEAD_WORDS: Final = 3
_GAP: Final = "\0"
"""Stands in a pattern where the value is."""


@dataclass(slots=True, eq=False)
class Known:
    """A template, or what was one until `into` took it up.

    Times are microseconds since 1970. `seen` orders templates by when they were last met. `patterns` are the texts,
    with a gap for the value, whose messages belong here. `keys` are those of its own patterns, one a place.
    """

    text: str
    id: str
    format: str | None
    seen: int
    count: int = 0
    first: int | None = None
    last: int | None = None
    into: Known | None = None
    is_forgotten: bool = False
    patterns: list[str] = field(default_factory=list)
    head: str = ""
    keys: tuple[int, ...] = ()

    def root(self) -> Known:
        """The template it is now. Every step has fewer constant words, so there is an end."""
        known = self
        while known.into is not None and not known.into.is_forgotten:
            known = known.into
        return known

    def add(self, count: int, first: int | None, last: int | None) -> None:
        self.count += count
        if first is not None:
            self.first = first if self.first is None else min(self.first, first)
        if last is not None:
            self.last = last if self.last is None else max(self.last, last)


class TemplateCatalog:
    """Finds the template of a skeleton. Bounded: the templates met least recently are forgotten, and counted.

    Skeletons are compared with those that differ at one place only. Where there is evidence that the place holds
    values (see `evidence`), those templates become one, and later skeletons that fit it are not kept at all.
    More than `max_per_head` templates that begin with the same words are free text: further ones become one
    template, of that beginning.
    """

    def __init__(self, *, max_templates: int, max_per_head: int) -> None:
        self._max_templates = max_templates
        self._max_per_head = max_per_head
        self._by_text: dict[str, Known] = {}
        self._by_id: dict[str, Known] = {}
        self._members: dict[int, tuple[Known, ...]] = {}
        self._settled: dict[int, Known] = {}
        self._heads: Counter[str] = Counter()
        self._clock = 0
        self.forgotten = 0
        self.changed: set[Known] = set()
        """Templates that came, went or were taken up since the owner last cleared it."""

    def __len__(self) -> int:
        return len(self._by_text)

    def __iter__(self) -> Iterator[Known]:
        return iter(self._by_id.values())

    def get(self, template_id: str) -> Known | None:
        return self._by_id.get(template_id)

    def tick(self) -> int:
        """A new moment for `seen`."""
        self._clock += 1
        return self._clock

    def place(self, text: str, log_format: str | None) -> Known:
        """The template of a tidy skeleton; it is added when nothing known fits."""
        if (known := self._by_text.get(text)) is not None:
            return known.root()
        places = places_of(text)
        keys = _keys(text, places)
        if (known := self._fitting(keys)) is not None:
            return known
        head = head_of(text, _HEAD_WORDS)
        if self._heads[head] >= self._max_per_head and head != text:
            free_text = f"{head} {VARIABLE}"
            return (self._by_text.get(free_text) or self._add(free_text, (), log_format)).root()
        known = self._add(text, keys, log_format)
        self._compare(known, places)
        return known.root()

    def restore(self, known: Known) -> None:
        """Take up a template of an earlier run, `into` already set. To be followed by `compare_restored`."""
        self._enter(known)

    def compare_restored(self) -> None:
        """Make the restored templates comparable with new ones."""
        for known in self._by_text.values():
            for pattern in known.patterns:
                self._settled[hash(pattern)] = known
        for known in self._by_text.values():
            known.keys = _keys(known.text, places_of(known.text))
            for key in known.keys:
                if key not in self._settled:
                    self._members[key] = (*self._members.get(key, ()), known)

    def forget_oldest(self) -> None:
        """Come back under the bound, with some room."""
        if len(self._by_text) <= self._max_templates:
            return
        surplus = len(self._by_text) - self._max_templates * 7 // 8
        for known in sorted(self._by_text.values(), key=lambda one: one.seen)[:surplus]:
            self._forget(known)
        self.forgotten += surplus

    def _fitting(self, keys: Iterable[int]) -> Known | None:
        """The template that skeletons with one of these patterns belong to."""
        fitting = map(self._settled.get, keys)
        return next((known.root() for known in fitting if known is not None), None)

    def _add(self, text: str, keys: tuple[int, ...], log_format: str | None) -> Known:
        known = Known(text, template_id(text), log_format, self.tick(), keys=keys)
        self._enter(known)
        self.changed.add(known)
        return known

    def _enter(self, known: Known) -> None:
        known.head = head_of(known.text, _HEAD_WORDS)
        self._by_text[known.text] = known
        self._by_id[known.id] = known
        self._heads[known.head] += 1

    def _compare(self, known: Known, places: Sequence[Place]) -> None:
        """Set a template beside those that differ from it at one place, and settle what that shows."""
        for place, key in zip(places, known.keys, strict=True):
            if key in self._settled:
                continue
            members = self._members[key] = (*self._members.get(key, ()), known)
            if len(members) > 1:
                before, after = place.start, len(known.text) - place.end
                words = [one.text[before : len(one.text) - after] for one in members]
                if are_values(words, place.constants):
                    self._settle(known, place, key)

    def _settle(self, known: Known, place: Place, key: int) -> None:
        """Make the templates that differ at this place one."""
        members = self._members.pop(key)
        text = tidy(known.text[: place.start] + VARIABLE + known.text[place.end :])
        places = places_of(text)
        keys = _keys(text, places)
        target = self._by_text.get(text) or self._fitting(keys)
        is_new = target is None
        target = self._add(text, keys, known.format) if target is None else target.root()
        self._settled[key] = target
        target.patterns.append(_pattern(known.text, place))
        self.changed.add(target)
        for member in members:
            if member.into is None and target.root() is not member:
                self._take_up(member, target)
        if is_new:
            self._compare(target, places)

    def _take_up(self, member: Known, target: Known) -> None:
        member.into = target
        target.root().add(member.count, member.first, member.last)
        member.count = 0
        self.changed.add(member)

    def _forget(self, known: Known) -> None:
        known.is_forgotten = True
        del self._by_text[known.text]
        del self._by_id[known.id]
        self._heads[known.head] -= 1
        if not self._heads[known.head]:
            del self._heads[known.head]
        for pattern in known.patterns:
            self._settled.pop(hash(pattern), None)
        for key in known.keys:
            if members := tuple(one for one in self._members.pop(key, ()) if one is not known):
                self._members[key] = members
        self.changed.add(known)


def template_id(text: str) -> str:
    """16 hexadecimal digits that depend on the text alone: the same on every host and in every run."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _pattern(text: str, place: Place) -> str:
    return f"{text[: place.start]}{_GAP}{text[place.end :]}"


def _keys(text: str, places: Iterable[Place]) -> tuple[int, ...]:
    return tuple(hash(_pattern(text, place)) for place in places)
