"""The rules of a run: read from all packs, switched on as people decided, compiled, with the exceptions that hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from vedette.app.exception_control import exclusions_of
from vedette.app.rule_folders import RuleFolders
from vedette.app.rule_library import RuleLibrary, in_use
from vedette.configdb import ExceptionBook, RuleStates, open_database
from vedette.detection.following import CompiledRules, FollowingDetector
from vedette.detection.sigma.rules import RuleProblem
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError
from vedette.settings import Settings

CONFIG_FILE: Final = "config.sqlite"
"""Database of what people decide, inside the data folder."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The rules of a run and the detector that works with them."""

    library: RuleLibrary
    detector: FollowingDetector
    compiled: CompiledRules

    @property
    def problems(self) -> tuple[RuleProblem, ...]:
        """Rules that cannot be used."""
        used = {rule.id for rule in self.library.rules.rules}
        return tuple(one for one in self.library.rules.problems if one.rule_id not in used)


def open_detection(settings: Settings, clock: Clock, *, database: Engine) -> Detection:
    """The rules of a data folder that this process owns. Blocks: some 3,000 rules a second."""
    return _detection(
        RuleFolders(settings.data_dir, settings.rules.folders),
        clock,
        states=RuleStates(database, clock),
        book=ExceptionBook(database, clock),
    )


def scan_detection(
    settings: Settings, clock: Clock, *, folders: Sequence[Path] = (), with_default: bool = True
) -> Detection:
    """The rules for looking at files: those of the data folder and those that ship unless only `folders` are wanted.
    Whoever owns the data folder is not disturbed. Blocks. Raises SettingsError for a folder that is not there."""
    for path in folders:
        if not path.exists():
            raise SettingsError(f"--rules {str(path)!r} is not there; name a folder, file or zip of Sigma rules")
    if not with_default:
        return _detection(RuleFolders(None, folders, with_shipped=False), clock)
    found = RuleFolders(settings.data_dir, (*folders, *settings.rules.folders))
    path = settings.data_dir / CONFIG_FILE
    if not path.is_file():
        return _detection(found, clock)
    database = open_database(path)
    try:
        return _detection(found, clock, states=RuleStates(database, clock), book=ExceptionBook(database, clock))
    finally:
        database.dispose()


def _detection(
    folders: RuleFolders,
    clock: Clock,
    *,
    states: RuleStates | None = None,
    book: ExceptionBook | None = None,
) -> Detection:
    library = RuleLibrary(folders, clock)
    library.load()
    compiled = CompiledRules.of(in_use(library.rules, states.all() if states else {}))
    detector = FollowingDetector(compiled)
    if book is not None:
        detector.exclusions.use(exclusions_of(book.active()))
    return Detection(library, detector, compiled)
