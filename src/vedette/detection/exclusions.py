"""What people excepted: events of which a rule, or any rule, must not speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from vedette.model.query import Query, mask

_ROW: Final = "vedette.row"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that fit the query make no findings of the rule; None is any rule. It ends by itself."""

    rule_id: str | None
    query: Query
    until: datetime

    def holds(self, now: datetime) -> bool:
        return now < self.until


class ExclusionList:
    """The exclusions that hold. `use` may be called from any thread, the list itself by the detector's."""

    def __init__(self, exclusions: Sequence[Exclusion] = ()) -> None:
        self._exclusions = tuple(exclusions)

    def use(self, exclusions: Sequence[Exclusion]) -> None:
        """From now on these, and no others."""
        self._exclusions = tuple(exclusions)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._exclusions)

    def __call__(
        self, rule_ids: Sequence[str], matches: pl.DataFrame, events: pl.DataFrame, now: datetime
    ) -> pl.Series:
        """Which of the matches (`rule` = place among the ids, `row` = row of the events) are excluded; one boolean each.

        Only rows that a rule concerned has matched are looked at, so an exception costs nothing until its rule speaks.
        """
        hidden = pl.repeat(False, matches.height, eager=True, dtype=pl.Boolean)
        places = {rule_id: place for place, rule_id in enumerate(rule_ids)}
        for exclusion in self._exclusions:
            if exclusion.holds(now) and (exclusion.rule_id is None or exclusion.rule_id in places):
                hidden = hidden | _fitting(exclusion, places, matches, events)
        return hidden


def _fitting(exclusion: Exclusion, places: Mapping[str, int], matches: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    concerned = matches["rule"].is_not_null()
    if exclusion.rule_id is not None:
        concerned = matches["rule"] == places[exclusion.rule_id]
    rows = matches["row"].filter(concerned).unique()
    if rows.is_empty():
        return concerned
    fitting = events[rows].with_columns(rows.alias(_ROW)).filter(mask(exclusion.query))[_ROW]
    return concerned & matches["row"].is_in(fitting.implode())
