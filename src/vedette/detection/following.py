"""A detector whose rules may change while it works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import polars as pl

from vedette.detection.contract import Inspection
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
        self._used = compiled
        self._offered = compiled
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
        return self.prepare(events)(now)

    def prepare(self, events: pl.DataFrame) -> Inspection:
        """Match the events; what is left is to judge them by the same rules."""
        compiled = self._latest()
        matches = compiled.matcher.match(events)

        def inspection(now: datetime) -> list[Finding]:
            self._use(compiled)
            return self._detector.inspect(events, now, matches)

        return inspection

    def finish(self, now: datetime) -> list[Finding]:
        self._use(self._latest())
        return self._detector.finish(now)

    def snapshot(self) -> bytes | None:
        return self._detector.snapshot()

    def restore(self, state: bytes) -> None:
        self._use(self._latest())
        self._detector.restore(state)

    def _latest(self) -> CompiledRules:
        with self._lock:
            return self._offered

    def _use(self, compiled: CompiledRules) -> None:
        if compiled is not self._used:
            self._used = compiled
            self._detector.use(compiled.rules, compiled.matcher)
