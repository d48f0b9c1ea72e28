"""Which sources a server watches: those of this run, those of the settings, those that people added."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from vedette.api import SourcePreview, SourceView
from vedette.configdb import ConfigManager
from vedette.formats import FormatEngine
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError
from vedette.model.rows import rows_of
from vedette.settings import Settings
from vedette.sources import (
    FileHistory,
    LogSourceConfig,
    MonitoringConfig,
    SourceStatus,
    SourceSupervisor,
    discover,
    preview_source,
    source_config,
)
from vedette.sources.config import HISTORY_EXCLUDES, STDIN

DEMO_ORIGIN: Final = "demo"
_FILES_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Given:
    """A source that is not in the configuration database, and where it came from."""

    config: LogSourceConfig
    origin: str


@dataclass(frozen=True, slots=True)
class RunSources:
    """The sources of one run, the defaults of all, and what a person should know about them."""

    given: tuple[Given, ...]
    monitoring: MonitoringConfig
    remarks: tuple[str, ...] = ()

    def with_demo(self, paths: Iterable[Path]) -> RunSources:
        """The demonstration's files added."""
        demo = [
            Given(LogSourceConfig(name=f"demo {path.name}", paths=(str(path),), start="beginning"), DEMO_ORIGIN)
            for path in paths
        ]
        return replace(self, given=(*self.given, *demo))


def command_line_sources(
    settings: Settings, paths: Sequence[str], *, start: str | None, with_discovery: bool
) -> RunSources:
    """Sources of named paths, else of the settings file and the readable logs of this machine. Blocks.

    Named paths are read from their beginning, discovered logs from their end, unless `start` says otherwise.
    """
    monitoring = monitoring_of(settings)
    given = [Given(config, "settings") for config in monitoring.sources]
    remarks: list[str] = []
    if paths:
        named = [source_config({"paths": [path], "recursive": True, "start": start or "beginning"}) for path in paths]
        given += [Given(config, "command-line") for config in {config.id: config for config in named}.values()]
        for config in named:
            remarks += preview_source(config, most_files=20, most_lines=0).problems
    elif with_discovery:
        found = discover()
        given += [Given(config.model_copy(update={"start": start or "end"}), "discovered") for config in found.sources]
        if not found.sources:
            remarks.append("no readable log was found in the usual places; name paths, or see `vedette doctor`")
    return RunSources(tuple({each.config.id: each for each in given}.values()), monitoring, tuple(remarks))


def monitoring_of(settings: Settings) -> MonitoringConfig:
    """The `monitoring` section of the settings, checked. Raises SettingsError."""
    content = dict(settings.monitoring)
    sources = content.pop("sources", [])
    if not isinstance(sources, list):
        raise SettingsError("monitoring.sources is no list; write each as [[monitoring.sources]]", field="sources")
    configs = []
    for index, source in enumerate(sources):
        try:
            configs.append(source_config(source))
        except SettingsError as error:
            raise SettingsError(f"monitoring.sources[{index}].{error}", field=error.field) from error
    try:
        return MonitoringConfig(**content, sources=tuple(configs))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in ("monitoring", *first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name}: {message} (got {first['input']!r})", field=name) from error


class SourceControl:
    """`SourcesControl` of the API: one list made of the run's sources and the configuration database.

    Changing a source of the run keeps the changed one in the database, under the same id, from where it overrides
    the run's from then on. Removing one that only the run names lasts for this run.
    """

    def __init__(
        self,
        *,
        supervisor: SourceSupervisor,
        config: ConfigManager[LogSourceConfig],
        engine: FormatEngine,
        run: RunSources,
        clock: Clock,
    ) -> None:
        self._supervisor = supervisor
        self._config = config
        self._engine = engine
        self._given = {each.config.id: each for each in run.given}
        self._clock = clock

    @property
    def count(self) -> int:
        return len({*self._given, *(entry.id for entry in self._config.list())})

    def with_wished_format(self) -> frozenset[str]:
        """Sources whose format is set by configuration."""
        return frozenset(config.id for config in self._supervisor.configs() if config.format_name)

    async def start(self) -> None:
        """Begin to read."""
        configs = {identifier: each.config for identifier, each in self._given.items()}
        configs |= {entry.id: entry.document for entry in self._config.list()}
        await self._supervisor.start(list(configs.values()))

    async def stop(self) -> None:
        """Stop reading; returns when every file is closed."""
        await self._supervisor.stop()

    async def list_status(self) -> Sequence[SourceView]:
        by_id = {config.id: config for config in self._supervisor.configs()}
        return [self._view(status, by_id[status.id]) for status in self._supervisor.status()]

    async def add(self, config: Mapping[str, Any]) -> str:
        new = source_config(config)
        if any(known.id == new.id for known in self._supervisor.configs()):
            raise SettingsError(f"id: there is a source {new.id!r} already; change that one", field="id")
        await asyncio.to_thread(self._config.add, new)
        await self._supervisor.add(new)
        return new.id

    async def change(self, source_id: str, changes: Mapping[str, Any]) -> None:
        if self._config.get(source_id) is not None:
            entry = await asyncio.to_thread(self._config.change, source_id, changes)
        else:
            given = self._find(source_id)
            merged = given.config.model_dump(mode="json") | dict(changes)
            if merged["id"] != source_id:
                raise SettingsError(f"id: the id of {source_id!r} cannot change; add a new source", field="id")
            changed = source_config(merged)
            entry = await asyncio.to_thread(self._config.add, changed, origin=given.origin)
        await self._supervisor.change(entry.document)

    async def remove(self, source_id: str) -> None:
        await self._supervisor.remove(source_id)
        self._given.pop(source_id, None)
        if self._config.get(source_id) is not None:
            await asyncio.to_thread(self._config.remove, source_id)

    async def set_enabled(self, source_id: str, enabled: bool) -> None:
        await self.change(source_id, {"enabled": enabled})

    async def preview(self, config: Mapping[str, Any]) -> SourcePreview:
        return await asyncio.to_thread(self._preview, source_config(config))

    def _preview(self, config: LogSourceConfig) -> SourcePreview:
        found = preview_source(config)
        lines = [line for file in found.files for line in file.lines]
        format_seen: dict[str, Any] | None = None
        rows: list[dict[str, Any]] = []
        if lines:
            explained = self._engine.explain(lines, reference_time=self._clock.now(), timezone=config.timezone)
            format_seen = {
                "name": explained.choice.format,
                "confidence": explained.choice.confidence,
                "reason": explained.choice.reason,
            }
            rows = rows_of(explained.events)
        return SourcePreview(
            config=config.model_dump(mode="json"),
            files=[file.path for file in found.files],
            problems=list(found.problems),
            format=format_seen,
            rows=rows,
        )

    def _find(self, source_id: str) -> Given:
        if source_id not in self._given:
            raise SettingsError(f"there is no source {source_id!r}; `vedette sources` lists them", field="id")
        return self._given[source_id]

    def _view(self, status: SourceStatus, config: LogSourceConfig) -> SourceView:
        entry = self._config.get(status.id)
        given = self._given.get(status.id)
        origin = entry.origin if entry is not None else given.origin if given is not None else "user"
        return SourceView(
            id=status.id,
            name=status.name,
            enabled=config.enabled,
            origin=origin,
            config=config.model_dump(mode="json"),
            state=status.health.state,
            since=status.health.since,
            reason=status.health.reason,
            remedy=status.health.remedy,
            files=[file.path for file in status.files[:_FILES_SHOWN]],
            details={
                "state": status.state,
                "events_per_second": round(status.rate, 1),
                "lines": status.lines,
                "bytes": status.bytes,
                "lag_bytes": status.lag_bytes,
                "restarts": status.restarts,
                "last_error": status.last_error,
                "last_line_at": status.last_line_at.isoformat() if status.last_line_at else None,
                "file_count": len(status.files),
            },
        )


def history_sources(
    settings: Settings,
    paths: Sequence[str],
    *,
    clock: Clock,
    timezone: str | None = None,
    encoding: str | None = None,
    format_name: str | None = None,
) -> list[FileHistory]:
    """One finite source a named path. Raises SettingsError when a path holds nothing that can be read. Blocks."""
    monitoring = monitoring_of(settings)
    wishes = {"timezone": timezone, "encoding": encoding, "format_name": format_name, "exclude": HISTORY_EXCLUDES}
    configs = [source_config({"paths": [path], "recursive": True, **wishes}) for path in paths]
    for path, config in zip(paths, configs, strict=True):
        if path == STDIN:
            continue
        found = preview_source(config, most_lines=1)
        if not found.is_usable and found.problems:
            raise SettingsError(found.problems[0])
    return [FileHistory(config, monitoring, clock=clock) for config in {c.id: c for c in configs}.values()]
