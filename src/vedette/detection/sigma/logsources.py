"""Which events a rule's logsource is about."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import yaml

from vedette.detection.sigma.rules import LogSource

KIND_COLUMNS: Final = ("log.format", "event.category", "event.action", "event.outcome", "process.name")
KIND_KEYS: Final = ("Channel", "EventID", "Provider_Name", "type")
"""Keys of `fields` that say what kind an event is, of FLAT_FORMATS."""

Kind = Mapping[str, str | None]
"""One event's values of KIND_COLUMNS and KIND_KEYS in small letters."""


@dataclass(frozen=True, slots=True)
class _Values:
    """What a column may hold: texts, or patterns."""

    column: str
    texts: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    def fit(self, kind: Kind) -> bool:
        value = kind.get(self.column)
        if value is None:
            return False
        parts = value.split("/") if self.column == "log.format" else (value,)
        return any(part in self.texts or any(one.fullmatch(part) for one in self.patterns) for part in parts)


@dataclass(frozen=True, slots=True)
class Test:
    """All members must have an alternative of which every column fits."""

    members: tuple[tuple[tuple[_Values, ...], ...], ...]

    def fits(self, kind: Kind) -> bool:
        return all(
            any(all(values.fit(kind) for values in one) for one in alternatives) for alternatives in self.members
        )


class LogSourceMap:
    """Logsources to tests of events, as content/sigma/logsources.yaml has them."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._products = _read(content["products"])
        self._categories = _read(content["categories"])
        self._services = _read(content["services"])

    @functools.lru_cache(maxsize=8)  # noqa: B019 - the map that ships lives as long as the process
    def pattern(self, column: str) -> str:
        """A regular expression of all values that tests ask for in the column."""
        values = [
            one
            for table in (self._products, self._categories, self._services)
            for alternatives in table.values()
            for columns in alternatives
            for one in columns
            if one.column == column
        ]
        texts = sorted({re.escape(text) for one in values for text in one.texts})
        patterns = sorted({found.pattern for one in values for found in one.patterns})
        return f"^(?:{'|'.join([*texts, *patterns])})$"

    def test(self, logsource: LogSource) -> tuple[Test, tuple[str, ...]]:
        """The test, and the names of the logsource that are not known: those are looked for in format and program."""
        members: list[tuple[tuple[_Values, ...], ...]] = []
        unknown: list[str] = []
        product = logsource.product
        if product:
            if product in self._products:
                members.append(self._products[product])
            elif not any(f"{product}/{name}" in table for name, table in self._named(logsource)):
                members.append(_by_name(product))
                unknown.append(product)
        for name, table in self._named(logsource):
            found = table.get(f"{product}/{name}") or table.get(name)
            if found is None:
                unknown.append(name)
            members.append(_by_name(name) if found is None else found)
        return Test(tuple(members)), tuple(unknown)

    def _named(self, logsource: LogSource) -> list[tuple[str, Mapping[str, tuple[tuple[_Values, ...], ...]]]]:
        pairs = ((logsource.category, self._categories), (logsource.service, self._services))
        return [(name, table) for name, table in pairs if name]


@functools.cache
def logsource_map() -> LogSourceMap:
    """The map that ships."""
    text = (resources.files("vedette") / "content" / "sigma" / "logsources.yaml").read_text("utf-8")
    return LogSourceMap(yaml.load(text, yaml.CSafeLoader))


def _read(table: Mapping[str, Any]) -> dict[str, tuple[tuple[_Values, ...], ...]]:
    return {str(name): _alternatives(written) for name, written in table.items()}


def _alternatives(written: Sequence[Mapping[str, Sequence[Any]]]) -> tuple[tuple[_Values, ...], ...]:
    return tuple(tuple(_values(column, texts) for column, texts in one.items()) for one in written)


def _values(column: str, written: Sequence[Any]) -> _Values:
    texts = [str(one).lower() for one in written]
    patterns = [re.compile(re.escape(one).replace(r"\*", ".*"), re.DOTALL) for one in texts if "*" in one]
    return _Values(column, frozenset(one for one in texts if "*" not in one), tuple(patterns))


def _by_name(name: str) -> tuple[tuple[_Values, ...], ...]:
    format_name = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return _alternatives([{"log.format": [format_name, f"{format_name}-*"]}, {"process.name": [name]}])
