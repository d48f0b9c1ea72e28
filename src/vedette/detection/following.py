"""A detector whose rules may change while it works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import polars as pl

from vedette.detection.exclusions import ExclusionList
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import RuleSet
from vedette.detection.sigma_detector import SigmaDetector
from vedette.model.findings import Finding


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """Rules with what matches them; made in any thread."""

    rules: RuleSet
    matcher: RuleMatcher

    @classmethod
    def of(cls, rules: RuleSet) -> CompiledRules:
        """Blocks while it compiles."""
        return cls(rules, RuleMatcher(rules.detections))


class FollowingDetector:
    """The `Detector` of rules. `offer` may be called from any thread: the next batch is judged by what was offered last,
    and no batch by both."""

    def __init__(self, compiled: CompiledRules | None = None) -> None:
        self.exclusions = ExclusionList()
        compiled = compiled or CompiledRules.of(RuleSet())
        self._detector = SigmaDetector(compiled.rules, compiled.matcher, exclusions=self.exclusions)
        self._offered: CompiledRules | None = None
        self._lock = Lock()

    @property
    def name(self) -> str:
        return self._detector.name

    @property
    def evicted(self) -> int:
        return self._detector.evicted

    def offer(self, compiled: CompiledRules) -> None:
        """Use these rules from the next batch on."""
        with self._lock:
            self._offered = compiled

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        self._take_offer()
        return self._detector.inspect(events, now)

    def finish(self, now: datetime) -> list[Finding]:
        self._take_offer()
        return self._detector.finish(now)

    def snapshot(self) -> bytes | None:
        return self._detector.snapshot()

    def restore(self, state: bytes) -> None:
        self._take_offer()
        self._detector.restore(state)

    def _take_offer(self) -> None:
        with self._lock:
            offered, self._offered = self._offered, None
        if offered is not None:
            self._detector.use(offered.rules, offered.matcher)
