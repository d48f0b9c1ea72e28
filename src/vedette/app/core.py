"""What every command that stores events is made of: folder, store, formats, queue, pipeline."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from vedette.analysis import default_analysers, default_detectors_of_behaviour
from vedette.app.detection import CONFIG_FILE, Detection, open_detection
from vedette.configdb import open_database
from vedette.formats import FormatEngine, FormatLibrary, Unread, load_library
from vedette.formats.learning import UnreadSampler
from vedette.model.batches import Committed
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError
from vedette.pipeline import Judge, Pipeline
from vedette.queue import RealtimeIngestionQueue
from vedette.settings import Settings
from vedette.store import DataFolder, DuckDbStore

USER_FORMATS: Final = "formats"
"""Folder of the operator's own format files, inside the data folder."""


@dataclass(frozen=True, slots=True)
class Middle:
    """The pure middle: what is known of formats, the engine that remembers the sources, the rules, the judge over all."""

    library: FormatLibrary
    engine: FormatEngine
    detection: Detection
    judge: Judge


@dataclass(frozen=True, slots=True)
class Core:
    """An owned data folder with everything between the sources and those who are told."""

    clock: Clock
    folder: DataFolder
    store: DuckDbStore
    database: Engine
    middle: Middle
    queue: RealtimeIngestionQueue
    pipeline: Pipeline
    sampler: UnreadSampler

    def close(self) -> None:
        """Checkpoint, release the folder. Safe to call twice."""
        self.store.close()
        self.database.dispose()
        self.folder.close()


def open_core(
    settings: Settings,
    clock: Clock,
    tell: Callable[[Committed], None],
    *,
    watched: Callable[[], Collection[str]] = frozenset,
) -> Core:
    """Own the data folder, open the store, continue where the last commit ended. Blocks. Raises StoreError.

    `watched` tells the ids of the sources that are read just now: only these can fall silent.
    """
    folder = DataFolder(settings.data_dir)
    try:
        store = DuckDbStore.open(
            folder.database_path,
            clock=clock,
            memory_limit_bytes=settings.store.memory_limit_bytes,
            threads=settings.store.threads,
        )
        database = open_database(folder.path / CONFIG_FILE)
    except BaseException:
        folder.close()
        raise
    sampler = UnreadSampler()
    detection = open_detection(settings, clock, database=database)
    middle = build_middle(settings.data_dir, clock, detection=detection, unread=sampler.add, watched=watched)
    middle.judge.restore(store.state())
    queue = RealtimeIngestionQueue(
        clock=clock,
        max_bytes=settings.queue.max_bytes,
        batch_bytes=settings.queue.batch_bytes,
        max_age_seconds=settings.queue.max_age_seconds,
    )
    pipeline = Pipeline(queue=queue, judge=middle.judge, store=store, tell=tell, clock=clock)
    return Core(clock, folder, store, database, middle, queue, pipeline, sampler)


def build_middle(
    data_dir: Path | None,
    clock: Clock,
    *,
    detection: Detection,
    unread: Unread | None = None,
    watched: Callable[[], Collection[str]] | None = None,
) -> Middle:
    """Formats that ship and the operator's own, detectors, analysers. Blocks.

    `unread` is told lines nobody explains. What is unusual is told where `watched` is given, the ids of the sources that
    are read just now.
    """
    library = load_library(data_dir / USER_FORMATS if data_dir else None)
    engine = FormatEngine(library, unread=unread)
    behaviour = () if watched is None else default_detectors_of_behaviour(engine.templates, watched=watched)
    judge = Judge(
        decoder=engine,
        detectors=(detection.detector, *behaviour),
        analysers=default_analysers(),
        clock=clock,
        memories=(engine.templates,),
    )
    return Middle(library, engine, detection, judge)


def check_format(library: FormatLibrary, name: str | None) -> None:
    """Raise SettingsError when a wished format does not exist."""
    known = [one.name for one in (*library.line_formats, library.plain)]
    if name is not None and name not in known:
        raise SettingsError(f"--format {name!r} is no format; choose from {', '.join(sorted(known))}")
