"""Which lines tell of the same attempt.

One attempt may leave several lines (sshd: "Invalid user", PAM's failure, "Failed password"). Lines with the same values
of a rule's `attempt` fields and different actions are taken as one attempt, the same action again as the next one.
A line that stands for several (`weight`: "message repeated 3 times") counts as so many.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from vedette.detection.correlation.sightings import Batch
from vedette.detection.sigma.rules import DetectionRule

_STRETCH: Final = 300_000_000
"""Process ids come round again: what is further apart is another attempt."""
_MAX_WEIGHT: Final = 1_000
MAX_IN_PROGRESS: Final = 2_048
_ONE: Final = pl.Series("lines", [1], dtype=pl.Int64)
_LINE: Final = ("login", "action", "lines")


class Attempts:
    """Counts attempts instead of lines, over batches. Bounded; what that costs is counted in `evicted`."""

    def __init__(self, max_in_progress: int = MAX_IN_PROGRESS) -> None:
        self._max = max_in_progress
        self._logins: dict[str, dict[str, dict[str, int]]] = {}
        self._newest = 0
        self.evicted = 0

    def weigh(self, batch: Batch, place: int, rule: DetectionRule) -> pl.Series:
        """How many attempts each row that the rule matched tells of first."""
        facts = batch.facts(place)
        lines = _ONE.new_from_index(0, facts.height)
        if not rule.own.attempt and not rule.own.weight:
            return lines
        if rule.own.weight:
            lines = batch.field(place, rule.own.weight).cast(pl.Int64, strict=False).fill_null(1).clip(1, _MAX_WEIGHT)
        rows = facts.select("time").with_columns(lines.alias("lines"))
        if not rule.own.attempt:
            return rows.get_column("lines")
        shared = [batch.field(place, name).alias(f"share{at}") for at, name in enumerate(rule.own.attempt)]
        action = batch.column(place, "event.action").alias("action")
        return self._first_told(rule.id, rows.with_columns(*shared, action))

    def keep(self, rule_ids: set[str]) -> None:
        """Forget the attempts of rules that are gone."""
        self._logins = {rule: logins for rule, logins in self._logins.items() if rule in rule_ids}

    def to_json(self) -> dict[str, Any]:
        return {"logins": self._logins, "newest": self._newest}

    def load(self, state: dict[str, Any]) -> None:
        self._newest = int(state["newest"])
        self._logins = {
            str(rule): {
                str(login): {str(action): int(rank) for action, rank in ranks.items()}
                for login, ranks in logins.items()
            }
            for rule, logins in state["logins"].items()
        }

    def _first_told(self, rule_id: str, rows: pl.DataFrame) -> pl.Series:
        """The n-th line of an action opens the n-th attempt unless another action already has.

        Row by row: most attempts leave two lines or three, and for so many small groups windows in columns cost more.
        """
        logins = self._logins.setdefault(rule_id, {})
        others = [pl.col(name).fill_null("") for name in rows.columns if name.startswith("share")][1:]
        rows = rows.select(
            "time",
            "lines",
            pl.col("action").fill_null(""),
            pl.col("share0").is_null().alias("is_alone"),
            pl.concat_str(pl.col("time") // _STRETCH, "share0", *others, separator="\t").alias("login"),
        )
        weights: list[int | None] = []
        highest: dict[str, int] = {}
        previous = ""
        for login, action, lines in zip(*(rows.get_column(name).to_list() for name in _LINE), strict=True):
            if login is None:
                weights.append(None)
                continue
            ranks = logins.get(login)
            if ranks is None:
                logins[login] = {action: lines}
                previous = login
                weights.append(lines)
                continue
            most = highest.get(login) or max(ranks.values())
            rank = ranks[action] = ranks.get(action, 0) + lines
            if rank > most:
                weights.append(rank - most)
                highest[login] = rank
            else:
                weights.append(0)
            if login != previous:
                logins[login] = logins.pop(login)
                previous = login
        newest = rows.get_column("time").filter(rows.get_column("login").is_not_null()).max()
        self._newest = max(self._newest, newest if isinstance(newest, int) else 0)
        self._give_up(logins)
        weight = pl.Series("weight", weights, dtype=pl.Int64)
        return weight.zip_with(~rows.get_column("is_alone"), rows.get_column("lines"))

    def _give_up(self, logins: dict[str, dict[str, int]]) -> None:
        """Drop what is over once there are too many, then, counted, what is too much."""
        if len(logins) <= self._max:
            return
        oldest = self._newest // _STRETCH - 1
        for login in [one for one in logins if int(one.partition("\t")[0]) < oldest]:
            del logins[login]
        surplus = max(0, len(logins) - self._max)
        for login in list(logins)[:surplus]:
            del logins[login]
        self.evicted += surplus
