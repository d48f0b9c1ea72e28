"""A folder of logs and a data folder, with the oracle at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Self

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
        self._writers: list[LogWriter] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.close()

    @property
    def log(self) -> Path:
        return self.logs / "app.log"

    def writer(self, path: Path | None = None, *, name: str = "a", seed: int = 1) -> LogWriter:
        """A writer of `path` (the log), closed with the world."""
        writer = LogWriter(path or self.log, name=name, seed=seed)
        self._writers.append(writer)
        return writer

    def assert_exact(self, *writers: LogWriter) -> None:
        """The store of the stopped server holds what was written, once."""
        assert_exactly_once(stored_events(self.data), writers)
