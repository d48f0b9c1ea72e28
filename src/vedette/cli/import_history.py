"""`vedette import`: history into the store, through the same pipeline."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from vedette.cli.options import DataDir, LogLevel, Paths
from vedette.cli.progress import Advance, reading_progress
from vedette.cli.terminal import complain_of, err, human_bytes, out, plural

if TYPE_CHECKING:
    from vedette.app import Core
    from vedette.sources import FileHistory


class Report(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `bytes` as read from disk, `events` as stored by this run."""

    files: int
    bytes: int
    events: int
    findings: int
    seconds: float
    seconds_by_stage: dict[str, float]
    problems: list[str]
    left_out: list[str]

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


def import_history(
    paths: Paths,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone", metavar="ZONE", help="Zone of stamps that name none, like Europe/Berlin. [default: UTC]"
        ),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Use this format instead of detecting it.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="Text encoding. [default: found out]")
    ] = None,
    output: Annotated[Report, typer.Option("--output", "-o", help="text or json.")] = Report.TEXT,
    data_dir: DataDir = None,
    log_level: LogLevel = None,
) -> None:
    """Load files or folders into the store: plain, gz, bz2, xz, zst, and EVTX with the extra `evtx`.

    Resumable and exact: what is stored already is recognised by its content, so importing twice, or
    watching the same path afterwards, stores nothing twice.

    \b
    Examples:
      vedette import /var/log/auth.log
      vedette import /var/log/nginx --timezone Europe/Berlin
      vedette import 'backup/*.log.gz' --data-dir /srv/vedette
    """
    from vedette.app import check_format, open_core
    from vedette.app.sources import history_sources
    from vedette.cli.own_log import set_up_logging
    from vedette.model.clock import SystemClock
    from vedette.settings import Settings

    settings = Settings.load(data_dir=data_dir, log_level=log_level or "error")  # what is wrong is told in sentences
    set_up_logging(settings.log_level, settings.log_format)
    clock = SystemClock()
    histories = history_sources(
        settings, paths, timezone=timezone, encoding=encoding, format_name=format_name, clock=clock
    )
    core = open_core(settings, clock, tell=lambda committed: None)
    try:
        check_format(core.middle.library, format_name)
        with reading_progress("Importing") as advance:
            imported = asyncio.run(_import(core, histories, advance))
    finally:
        core.close()
    if output is Report.JSON:
        typer.echo(json.dumps(asdict(imported)))
    else:
        _print(imported)
    if (imported.problems or imported.left_out) and not imported.files:
        raise typer.Exit(2)


async def _import(core: Core, histories: list[FileHistory], advance: Advance) -> Imported:
    from vedette.pipeline import all_or_none

    started = time.perf_counter()

    async def read() -> None:
        done = 0
        for history in histories:
            known = await asyncio.to_thread(core.store.positions, history.id)
            async for batch in history.read(known):
                await core.queue.put(batch)
                advance(done + history.progress.done_bytes, history.progress.total_bytes)
            done += history.progress.total_bytes
        core.queue.close()

    await all_or_none(read(), core.pipeline.run())
    seconds = time.perf_counter() - started
    stats = core.pipeline.stats()
    problems = [problem for history in histories for problem in history.problems]
    left_out = [file for history in histories for file in history.left_out]
    return Imported(
        files=sum(history.progress.files for history in histories) - len(problems) - len(left_out),
        bytes=sum(history.progress.total_bytes for history in histories),
        events=stats.events,
        findings=stats.findings,
        seconds=seconds,
        seconds_by_stage=dict(stats.seconds),
        problems=[*map(str, core.middle.library.problems), *map(str, core.middle.detection.problems), *problems],
        left_out=left_out,
    )


def _print(imported: Imported) -> None:
    complain_of(imported.problems, imported.left_out)
    if imported.files and not imported.bytes:
        out().print(f"Nothing to import: {plural(imported.files, 'file')}, all of it empty.")
        return
    if imported.files and not imported.events:
        out().print(f"Nothing new in {plural(imported.files, 'file')}: all of it is stored already.")
        return
    out().print(
        f"[bold]{plural(imported.events, 'event')}[/] from {plural(imported.files, 'file')} ({human_bytes(imported.bytes)})"
        f" in {imported.seconds:.1f} s, {imported.events_per_second:,.0f} events/s"
    )
    if imported.findings:
        err().print("Findings were made; see them in the console: [bold]vedette serve[/]", style="dim")
