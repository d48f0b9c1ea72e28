"""What people decide about detection, over a store, joined as the server joins it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from vedette.analysis.incidents import incidents_of
from vedette.app.backtest_control import BacktestControl
from vedette.app.exception_control import ExceptionControl
from vedette.app.finding_control import FindingControl
from vedette.app.rule_control import RuleControl
from vedette.app.rule_folders import RuleFolders
from vedette.app.rule_library import RuleLibrary
from vedette.configdb import AdviceBook, AuditTrail, ExceptionBook, RuleStates, TriageBook, open_database
from vedette.detection.following import FollowingDetector
from vedette.model.clock import Clock, SystemClock
from vedette.store import EventStore


class Deciding:
    """The controls of a data folder; without the rules that ship."""

    def __init__(
        self, folder: Path, store: EventStore, *, clock: Clock | None = None, import_from: Sequence[Path] = ()
    ) -> None:
        self.clock = clock or SystemClock()
        self.database = open_database(folder / "config.sqlite")
        self.library = RuleLibrary(RuleFolders(folder, with_shipped=False), self.clock)
        self.library.load()
        self.detector = FollowingDetector()
        self.states = RuleStates(self.database, self.clock)
        self.book = ExceptionBook(self.database, self.clock)
        self.trail = AuditTrail(self.database)
        self.rules = RuleControl(
            library=self.library, detector=self.detector, states=self.states, book=self.book, store=store,
            clock=self.clock, import_from=import_from,
        )  # fmt: skip
        self.rules.apply()
        self.backtests = BacktestControl(store=store, library=self.library, clock=self.clock)
        self.exceptions = ExceptionControl(
            book=self.book, store=store, backtests=self.backtests, is_rule=self.rules.is_rule,
            tell=self.detector.exclusions.use, clock=self.clock,
        )  # fmt: skip
        self.findings = FindingControl(
            store=store, triage=TriageBook(self.database, self.clock), book=self.book, trail=self.trail,
            advice=AdviceBook(self.database, self.clock), incidents_of=incidents_of,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.backtests.close()
        self.database.dispose()
