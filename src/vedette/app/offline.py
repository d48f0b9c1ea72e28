"""What people decide about detection, in a data folder that no server uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vedette.app.backtest_control import BacktestControl
from vedette.app.detection import CONFIG_FILE, open_detection
from vedette.app.rule_control import RuleControl
from vedette.configdb import ExceptionBook, RuleStates, open_database
from vedette.model.clock import SystemClock
from vedette.settings import Settings
from vedette.store import DataFolder, DuckDbStore, EventStore, MemoryStore


@dataclass(frozen=True, slots=True)
class Offline:
    """The controls of a data folder, and its events."""

    rules: RuleControl
    backtests: BacktestControl
    store: EventStore


@contextmanager
def offline_detection(settings: Settings) -> Iterator[Offline]:
    """Own the data folder until the block ends. Blocks while the rules are read. Raises StoreError."""
    clock = SystemClock()
    with DataFolder(settings.data_dir) as folder:
        has_events = folder.database_path.is_file()
        store: EventStore = DuckDbStore.open(folder.database_path, clock=clock) if has_events else MemoryStore(clock)
        database = open_database(folder.path / CONFIG_FILE)
        try:
            detection = open_detection(settings, clock, database=database)
            rules = RuleControl(
                library=detection.library,
                detector=detection.detector,
                states=RuleStates(database, clock),
                book=ExceptionBook(database, clock),
                store=store,
                clock=clock,
            )
            rules.note_compiled(detection.compiled)
            backtests = BacktestControl(store=store, library=detection.library, clock=clock)
            try:
                yield Offline(rules, backtests, store)
            finally:
                backtests.close()
        finally:
            store.close()
            database.dispose()
