"""A folder of logs and a data folder, with the oracle at hand."""

from __future__ import annotations

from pathlib import Path

from support.faults import assert_exactly_once
from support.process import stored_events
from support.writer import LogWriter


class World:
    """Where a fault happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.data = folder / "data"
        self.logs.mkdir(parents=True)

    @property
    def log(self) -> Path:
        return self.logs / "app.log"

    def assert_exact(self, *writers: LogWriter) -> None:
        """The store of the stopped server holds what was written, once."""
        assert_exactly_once(stored_events(self.data), writers)
