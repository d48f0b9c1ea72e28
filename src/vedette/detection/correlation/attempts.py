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
        self._steps: dict[str, dict[str, int]] = {}
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
        self._steps = {rule: steps for rule, steps in self._steps.items() if rule in rule_ids}

    def to_json(self) -> dict[str, Any]:
        return {"steps": self._steps, "newest": self._newest}

    def load(self, state: dict[str, Any]) -> None:
        self._newest = int(state["newest"])
        self._steps = {
            str(rule): {str(step): int(rank) for step, rank in steps.items()} for rule, steps in state["steps"].items()
        }

    def _first_told(self, rule_id: str, rows: pl.DataFrame) -> pl.Series:
        """The n-th line of an action opens the n-th attempt unless another action already has."""
        steps = self._steps.setdefault(rule_id, {})
        others = [pl.col(name).fill_null("") for name in rows.columns if name.startswith("share")][1:]
        rows = rows.with_columns(
            login=pl.concat_str(pl.col("time") // _STRETCH, "share0", *others, separator="\t")
        ).with_columns(step=pl.concat_str("login", pl.col("action").fill_null(""), separator="\t"))
        known = pl.DataFrame(
            {"step": list(steps), "before": list(steps.values())}, schema={"step": pl.String, "before": pl.Int64}
        )
        most = (
            known.group_by(login=pl.col("step").str.replace(r"\t[^\t]*$", ""))
            .agg(pl.col("before").max())
            .rename({"before": "most"})
        )
        rank = pl.col("lines").cum_sum().over("step") + pl.col("before").fill_null(0)
        rows = (
            rows.join(known, on="step", how="left", maintain_order="left")
            .join(most, on="login", how="left", maintain_order="left")
            .with_columns(rank=pl.when(pl.col("login").is_not_null()).then(rank))
        )
        self._remember(steps, rows)
        highest = pl.max_horizontal(
            pl.col("rank").cum_max().shift(1).over("login").fill_null(0), pl.col("most").fill_null(0)
        )
        first_told = pl.when(pl.col("share0").is_null()).then("lines").otherwise(pl.col("rank") - highest).clip(0)
        return rows.select(first_told.alias("weight")).get_column("weight")

    def _remember(self, steps: dict[str, int], rows: pl.DataFrame) -> None:
        ranked = rows.filter(pl.col("rank").is_not_null())
        for step, rank in ranked.group_by("step", maintain_order=True).agg(pl.col("rank").max()).iter_rows():
            steps.pop(step, None)
            steps[step] = rank
        self._newest = max(self._newest, int(rows.get_column("time").max() or 0))  # type: ignore[arg-type] # an Int64
        if len(steps) <= self._max // 2:
            return
        oldest = self._newest // _STRETCH - 1
        for step in [one for one in steps if int(one.partition("\t")[0]) < oldest]:
            del steps[step]
        for step in list(steps)[: max(0, len(steps) - self._max)]:
            del steps[step]
            self.evicted += 1
