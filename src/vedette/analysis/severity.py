"""A severity for every event, and advice for every finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from vedette.analysis.advice import steps_for
from vedette.model.events import place_of
from vedette.model.findings import Finding
from vedette.model.severity import HIGHEST, LOWEST

BY_LEVEL: Final = {
    "emergency": 7,
    "alert": 7,
    "critical": 6,
    "error": 4,
    "warning": 3,
    "notice": 2,
    "info": 1,
    "debug": 1,
    "trace": 1,
}
"""Where an event without a severity begins; an unknown level begins at 1."""

BY_CATEGORY_AND_OUTCOME: Final = {
    ("authentication", "failure"): 4,
    ("authentication", "success"): 2,
    ("session", "failure"): 3,
    ("iam", "success"): 5,
    ("iam", "failure"): 4,
    ("configuration", "success"): 3,
    ("network", "failure"): 3,
    ("web", "failure"): 2,
    ("process", "failure"): 3,
    ("database", "failure"): 3,
    ("malware", "unknown"): 7,
    ("malware", "success"): 8,
    ("malware", "failure"): 6,
    ("intrusion_detection", "unknown"): 6,
    ("intrusion_detection", "success"): 7,
    ("intrusion_detection", "failure"): 5,
}
"""What an event of this kind has at least; an empty outcome reads as unknown."""

PROOF_BELOW_FINDING: Final = 2
"""An event that proves a finding has at least the finding's severity less this: it is a part of the proof only."""

_ADVICE: Final = {
    "authentication": "Ask the account's owner whether these logins were theirs; if not, lock it, block the address.",
    "web": "Look at what the address requested and got with status 200; block it if nothing of it is wanted.",
    "network": "Find out what listens on the ports involved, close what need not be reachable, and block the address.",
    "process": "Look at the program's parent, its user and its start time; stop it if nobody knows it.",
    "file": "Compare the file with a backup or the package it came with, and find out who changed it.",
    "malware": "Take the machine off the network, keep its disk as it is, and follow your plan for incidents.",
    "iam": "Ask whoever administers the accounts whether this change was intended; undo it if not.",
}
_GENERAL_ADVICE: Final = "Read the events that prove it in their context, and find out whether they were intended."


MAX_ACTIONS: Final = 6
"""More than this nobody reads when it burns."""

ENOUGH_ACTIONS: Final = 3
"""A rule with so many actions of its own is not added to."""


class SeverityAnalyser:
    """The `Analyser` that fills `event.severity`, keeps it within 1-10, and completes what findings advise.

    What to do comes from the rule first, then from the techniques it is tagged with, then from the category.
    """

    @property
    def name(self) -> str:
        return "severity"

    def analyse(self, events: pl.DataFrame, findings: Sequence[Finding]) -> tuple[pl.DataFrame, list[Finding]]:
        events = _raise_proof(events.with_columns(_severity()), findings)
        return events, [_advised(finding) for finding in findings]


def _severity() -> pl.Expr:
    level = pl.col("log.level").replace_strict(BY_LEVEL, default=LOWEST, return_dtype=pl.UInt8)
    kind = pl.concat_str(
        pl.col("event.category").fill_null(""), pl.col("event.outcome").fill_null("unknown"), separator=" "
    )
    kinds = {" ".join(key): severity for key, severity in BY_CATEGORY_AND_OUTCOME.items()}
    by_kind = kind.replace_strict(kinds, default=LOWEST, return_dtype=pl.UInt8)
    known = pl.col("event.severity")
    return pl.coalesce(known, pl.max_horizontal(level, by_kind)).clip(LOWEST, HIGHEST).alias("event.severity")


def _raise_proof(events: pl.DataFrame, findings: Sequence[Finding]) -> pl.DataFrame:
    """Only events of this batch: what is committed stays as it is."""
    least: dict[tuple[int, int], int] = {}
    for finding in findings:
        for place in filter(None, map(place_of, finding.event_ids)):
            least[place] = max(least.get(place, LOWEST), finding.severity - PROOF_BELOW_FINDING)
    if not least or events.is_empty():
        return events
    proof = pl.DataFrame(
        [(generation, offset, severity) for (generation, offset), severity in least.items()],
        schema={"vedette.generation": pl.Int64, "log.offset": pl.Int64, "least": pl.UInt8},
        orient="row",
    )
    return (
        events.join(proof, on=["vedette.generation", "log.offset"], how="left", maintain_order="left")
        .with_columns(pl.max_horizontal("event.severity", "least").alias("event.severity"))
        .drop("least")
    )


def _advised(finding: Finding) -> Finding:
    """A rule that says enough itself is left alone; one that says little gets what is known of its techniques."""
    if len(finding.actions) >= ENOUGH_ACTIONS:
        return finding
    known = dict.fromkeys([*finding.actions, *steps_for(finding.tags, MAX_ACTIONS)])
    actions = tuple(known)[:MAX_ACTIONS] or (_ADVICE.get(finding.category, _GENERAL_ADVICE),)
    return finding if actions == finding.actions else replace(finding, actions=actions)
