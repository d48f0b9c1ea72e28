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
        if not rule.own.attempt and not rule.own.weight:
            return pl.repeat(1, facts.height, dtype=pl.Int64, eager=True)
        lines = pl.repeat(1, facts.height, dtype=pl.Int64, eager=True)
        if rule.own.weight:
            lines = batch.field(place, rule.own.weight).cast(pl.Int64, strict=False).fill_null(1).clip(1, _MAX_WEIGHT)
        rows = facts.select("time").with_columns(lines.alias("lines"))
        if not rule.own.attempt:
            return rows.get_column("lines")
        shared = [batch.field(place, name).alias(f"share{at}") for at, name in enumerate(rule.own.attempt)]
        action = batch.events_of(place).get_column("event.action").alias("action")
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
        """The n-th line of an action opens the n-th attempt unless another action already has."""
        logins = self._logins.setdefault(rule_id, {})
        others = [pl.col(name).fill_null("") for name in rows.columns if name.startswith("share")][1:]
        rows = rows.with_columns(
            pl.col("action").fill_null(""),
            login=pl.concat_str(pl.col("time") // _STRETCH, "share0", *others, separator="\t"),
        )
        rows = _with_known(rows, logins).with_columns(
            rank=pl.when(pl.col("login").is_not_null()).then(
                pl.col("lines").cum_sum().over("login", "action") + pl.col("before")
            )
        )
        self._remember(logins, rows)
        highest = pl.max_horizontal(pl.col("rank").cum_max().shift(1).over("login").fill_null(0), "most")
        first_told = pl.when(pl.col("share0").is_null()).then("lines").otherwise(pl.col("rank") - highest).clip(0)
        return rows.select(first_told.alias("weight")).get_column("weight")

    def _remember(self, logins: dict[str, dict[str, int]], rows: pl.DataFrame) -> None:
        ranked = rows.group_by("login", "action", maintain_order=True).agg(pl.col("rank").max(), pl.col("time").max())
        for login, action, rank, time in ranked.iter_rows():
            if login is None:
                continue
            ranks = logins.pop(login, {})
            ranks[action] = rank
            logins[login] = ranks
            self._newest = max(self._newest, time)
        if len(logins) <= self._max:
            return
        oldest = self._newest // _STRETCH - 1
        for login in [one for one in logins if int(one.partition("\t")[0]) < oldest]:
            del logins[login]
        for login in list(logins)[: max(0, len(logins) - self._max)]:
            del logins[login]
            self.evicted += 1


def _with_known(rows: pl.DataFrame, logins: dict[str, dict[str, int]]) -> pl.DataFrame:
    """Add `before`, the rank of the same action so far, and `most`, that of any action of the attempt."""
    known = [
        (login, action, rank, max(logins[login].values()))
        for login in rows.get_column("login").unique().to_list()
        if login in logins
        for action, rank in logins[login].items()
    ]
    if not known:
        zero = pl.lit(0, dtype=pl.Int64)
        return rows.with_columns(before=zero, most=zero)
    schema = {"login": pl.String, "action": pl.String, "before": pl.Int64, "most": pl.Int64}
    frame = pl.DataFrame(known, schema=schema, orient="row")
    most = frame.select("login", "most").unique()
    return (
        rows.join(frame.drop("most"), on=["login", "action"], how="left", maintain_order="left")
        .join(most, on="login", how="left", maintain_order="left")
        .with_columns(pl.col("before", "most").fill_null(0))
    )
