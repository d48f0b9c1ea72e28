"""What to do with the events of a kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from vedette.detection.sigma.scanning import LiteralScanner
from vedette.detection.sigma.triggers import Needle, Outlook, Rarity, guessed_rarity

SAMPLE: Final = 4_000
FEW_EVENTS: Final = 256
"""Up to here events are looked at one by one."""
LEARN_FROM: Final = 1_000
"""After so many events of a kind it is learned which literals are common."""
FEWEST: Final = 64
"""From so many events of one batch, at least."""
_AGAIN_AFTER: Final = 20
"""It is learned again when so many times more events were seen."""
_UNSEEN: Final = 0.1
"""Share of an event that a literal is expected in when a sample does not hold it."""
_ODD_LETTERS: Final = "\u212a\u0130\u017f"
"""Letters that are ASCII in small letters, or to an expression that takes all cases for one."""
_ESCAPED_ASCII: Final = r"\\u(?:00(?:[46][1-9a-fA-F]|[57][0-9aA]|3[0-9])|212[aA]|0130|017[fF])"
_ESCAPED_LETTERS: Final = r"\\u(?:00[89a-fA-F]|0[1-9a-fA-F]|[1-9a-fA-F])"


TextsOf = Callable[[str], pl.Series]
"""The texts of a needle's column."""


@dataclass(slots=True)
class Plan:
    """Rules by their places: `certain` hold for each event, `triggered` where one of their needles stands,
    `untriggered` have to be evaluated on each."""

    certain: tuple[int, ...]
    untriggered: tuple[int, ...]
    triggered: tuple[int, ...]
    lettered: tuple[int, ...]
    """Those of the triggered that look for letters that are not ASCII."""
    is_flat: bool
    """Whether `fields` is a flat object of texts, as Vedette writes it."""
    scanners: tuple[tuple[str, LiteralScanner, pl.DataFrame], ...] = field(repr=False)
    """Column, its literals, and the rules of each: `literal`, `place`."""
    places_by_literal: dict[int, dict[str, list[int]]] = field(default_factory=dict, repr=False)
    """Of the scanners by their number, once a few events were matched."""
    keys: tuple[str, ...] | None = None
    """Of `fields`, once somebody asked."""
    seen: int = 0
    learn_at: int = 0

    @classmethod
    def made(cls, certain: Sequence[int], others: Sequence[tuple[int, Outlook]], *, is_flat: bool) -> Plan:
        triggers = {place: expected.trigger for place, expected in others if expected.trigger is not None}
        by_column: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for place, trigger in triggers.items():
            for column, literal in trigger:
                by_column[column].append((literal, place))
            for column in {column for column, _ in trigger}:
                by_column[column] += [(letter, place) for letter in _ODD_LETTERS]
        schema = {"literal": pl.String, "place": pl.UInt32}
        scanners = [
            (
                column,
                LiteralScanner({literal for literal, _ in pairs}),
                pl.DataFrame(pairs, schema=schema, orient="row"),
            )
            for column, pairs in sorted(by_column.items())
        ]
        lettered = [place for place, one in triggers.items() if not all(literal.isascii() for _, literal in one)]
        untriggered = [place for place, expected in others if expected.trigger is None]
        return cls(tuple(certain), tuple(untriggered), tuple(triggers), tuple(lettered), is_flat, tuple(scanners))

    @property
    def is_empty(self) -> bool:
        return not (self.certain or self.untriggered or self.triggered)

    @property
    def columns(self) -> list[str]:
        return [column for column, _, _ in self.scanners]

    def wants_to_learn(self, count: int) -> bool:
        """Called with the number of events of each batch."""
        self.seen += count
        if not self.scanners or count < FEWEST or self.seen < max(LEARN_FROM, self.learn_at):
            return False
        self.learn_at = self.seen * _AGAIN_AFTER
        return True

    def candidates(self, texts: TextsOf, rows: pl.Series) -> dict[int, list[int]]:
        """Rows by triggered rule. `rows` numbers the texts."""
        if rows.len() <= FEW_EVENTS:
            return self._candidates_one_by_one(texts, rows)
        found = [
            scanner.hits(texts(column), rows).join(places, on="literal").select("place", "row")
            for column, scanner, places in self.scanners
        ]
        if not found:
            return {}
        pairs = pl.concat(found).unique()
        by_rule: dict[int, list[int]] = dict(pairs.group_by("place").agg("row").iter_rows())
        for places, odd_rows in self._escaped(texts, rows):
            by_rule.update({place: list({*by_rule.get(place, ()), *odd_rows}) for place in places})
        return by_rule

    def _candidates_one_by_one(self, texts: TextsOf, rows: pl.Series) -> dict[int, list[int]]:
        """The same for a few events, for which setting columns to work takes longer than the work."""
        by_rule: defaultdict[int, set[int]] = defaultdict(set)
        numbers = rows.to_list()
        for number, (column, scanner, _) in enumerate(self.scanners):
            some = texts(column)
            if some.null_count() == some.len():
                continue
            places = self._places_by_literal(number)
            for row, text in zip(numbers, some.to_list(), strict=True):
                for literal in scanner.found_in(text) if text else ():
                    for place in places[literal]:
                        by_rule[place].add(row)
        for odd_places, odd_rows in self._escaped(texts, rows):
            for place in odd_places:
                by_rule[place].update(odd_rows)
        return {place: sorted(of_rule) for place, of_rule in by_rule.items()}

    def _places_by_literal(self, number: int) -> dict[str, list[int]]:
        if number not in self.places_by_literal:
            places: defaultdict[str, list[int]] = defaultdict(list)
            for literal, place in self.scanners[number][2].iter_rows():
                places[literal].append(place)
            self.places_by_literal[number] = dict(places)
        return self.places_by_literal[number]

    def _escaped(self, texts: TextsOf, rows: pl.Series) -> Iterator[tuple[tuple[int, ...], list[int]]]:
        """Rules that have to be evaluated on rows whatever literals stand there."""
        for column, pattern, places in self._escapes():
            is_odd = texts(column).str.contains(pattern)
            if is_odd.any():
                yield places, rows.filter(is_odd).to_list()

    def _escapes(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """Columns of JSON that others wrote, in which a letter may be escaped and a literal cannot be told, and the rules
        that have to be evaluated there."""
        if self.is_flat:
            return []
        columns = [column for column in ("fields", "event.original") if column in self.columns]
        patterns = ((_ESCAPED_ASCII, self.triggered), (_ESCAPED_LETTERS, self.lettered))
        return [(column, pattern, places) for column in columns for pattern, places in patterns if places]


def learned_rarity(needles: Iterable[Needle], texts: TextsOf, rows: pl.Series) -> Rarity:
    """How often the needles are met in a sample of events, which `rows` numbers."""
    by_column: defaultdict[str, set[str]] = defaultdict(set)
    for column, literal in needles:
        by_column[column].add(literal)
    met: dict[Needle, float] = {}
    for column, literals in by_column.items():
        counts = LiteralScanner(literals).hits(texts(column), rows).group_by("literal").len()
        met.update({(column, literal): count / rows.len() for literal, count in counts.iter_rows()})
    unseen = _UNSEEN / rows.len()
    return lambda needle: met[needle] if needle in met else min(unseen, guessed_rarity(needle))
