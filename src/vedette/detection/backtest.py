"""Backtest: what rules would have found in events of the past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from vedette.detection.exclusions import Exclusion, ExclusionList
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import Rule, RuleSet
from vedette.detection.sigma_detector import SigmaDetector
from vedette.model.events import event_id
from vedette.model.findings import Evidence, Finding

MOST_SAMPLES: Final = 10
_MOST_DAYS: Final = 4_000
_MOST_FINDINGS: Final = 100_000
_MOST_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """An event that a rule matched; `is_hidden` where the exception would hide it."""

    event_id: str
    time: datetime | None
    text: str
    is_hidden: bool


@dataclass(slots=True)
class Outcome:
    """What one rule did: `matches` events by day (UTC), `hidden` of them by the exception, and how many findings."""

    rule: Rule
    matches: int = 0
    hidden: int = 0
    findings: int = 0
    days: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)


class Backtest:
    """Takes events in order, batch by batch; from one thread. Bounded: samples, days and findings that are told apart."""

    def __init__(self, rules: RuleSet, exclusion: Exclusion | None = None) -> None:
        self.outcomes = {rule.id: Outcome(rule) for rule in rules.rules}
        self.events = 0
        self._exclusion = exclusion
        self._rules = rules
        self._ids = [rule.id for rule in rules.detections]
        self._matcher = _MatchesOnce(RuleMatcher(rules.detections))
        self._exclusions = ExclusionList([exclusion] if exclusion else [])
        self._detector = SigmaDetector(rules, self._matcher, exclusions=self._exclusions)
        self._findings: set[str] = set()

    @property
    def problems(self) -> list[str]:
        """What could not be compiled."""
        return [str(problem) for problem in self._matcher.problems]

    def take(self, events: pl.DataFrame, now: datetime) -> None:
        """Judge more events, of EVENT_SCHEMA."""
        self.events += events.height
        matches = self._matcher.match(events)
        if matches.height:
            hidden = self._exclusions(self._ids, matches, events, now)
            self._count(matches.with_columns(hidden.alias("hidden")), events)
        self._count_findings(self._detector.inspect(events, now))

    def finish(self, now: datetime, *, until: datetime) -> None:
        """Judge windows that wait for their end, where that lies before `until`, up to where events were read."""
        self._count_findings(self._detector.finish(now, until=until))

    def _count_findings(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            if finding.id not in self._findings and len(self._findings) < _MOST_FINDINGS:
                self._findings.add(finding.id)
                self.outcomes[finding.rule_id].findings += 1

    def _count(self, matches: pl.DataFrame, events: pl.DataFrame) -> None:
        day = events["@timestamp"].dt.strftime("%Y-%m-%d")
        counted = (
            matches.with_columns(day.gather(matches["row"]).alias("day"))
            .group_by("rule", "day", maintain_order=True)
            .agg(pl.len().alias("matches"), pl.col("hidden").sum(), pl.col("row").head(MOST_SAMPLES).alias("rows"),
                 pl.col("hidden").head(MOST_SAMPLES).alias("flags"))
        )  # fmt: skip
        for place, at, number, hidden, rows, flags in counted.iter_rows():
            outcome = self.outcomes[self._ids[place]]
            outcome.matches += number
            outcome.hidden += hidden
            if at in outcome.days or len(outcome.days) < _MOST_DAYS:
                outcome.days[at or "unknown"] += number
            wanted = MOST_SAMPLES - len(outcome.samples)
            for row, is_hidden in list(zip(rows, flags, strict=True))[: max(0, wanted)]:
                outcome.samples.append(_sample(events, row, is_hidden))


class _MatchesOnce:
    """A matcher that is asked for a batch by two, and works once."""

    def __init__(self, matcher: RuleMatcher) -> None:
        self._matcher = matcher
        self._last: tuple[pl.DataFrame, pl.DataFrame] | None = None

    @property
    def problems(self) -> Sequence[object]:
        return self._matcher.problems

    def match(self, events: pl.DataFrame) -> pl.DataFrame:
        if self._last is None or self._last[0] is not events:
            self._last = events, self._matcher.match(events)
        return self._last[1]

    def evidence(self, rule_place: int, event: Mapping[str, Any]) -> tuple[Evidence, ...]:
        return self._matcher.evidence(rule_place, event)


def _sample(events: pl.DataFrame, row: int, is_hidden: bool) -> Sample:
    time, generation, offset, text = events.select(
        "@timestamp", "vedette.generation", "log.offset", "event.original"
    ).row(row)
    return Sample(event_id(generation or 0, offset or 0), time, (text or "")[:_MOST_TEXT], is_hidden)
