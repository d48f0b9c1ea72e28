"""`vedette doctor`: what is wrong with this machine or data folder, and what to do."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import vedette
from vedette.cli.options import DataDir
from vedette.cli.terminal import human_bytes, out, plural, safe

if TYPE_CHECKING:
    from vedette.settings import Settings

_INOTIFY = Path("/proc/sys/fs/inotify")
_FEW_WATCHES = 8192
_LITTLE_SPACE = 2 * 10**9
_FEW_DESCRIPTORS = 1024


class Verdict(Enum):
    """How bad it is."""

    GOOD = ("✓", "green")
    REMARK = ("!", "yellow")
    BAD = ("✗", "bold red")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at; `remedy` is empty when there is nothing to do."""

    verdict: Verdict
    subject: str
    finding: str
    remedy: str = ""


def doctor(data_dir: DataDir = None) -> None:
    """Look at this machine and the data folder; say what is wrong and what to do.

    Changes nothing. Exit status 1 when something is broken.

    \b
    Examples:
      vedette doctor
      vedette doctor --data-dir /srv/vedette
    """
    from vedette.settings import Settings

    settings = Settings.load(data_dir=data_dir)
    console = out()
    worst = Verdict.GOOD
    for look in (program, folder, database, space, watching, descriptors, clock, readable_logs, console_files):
        for diagnosis in look(settings):
            glyph, style = diagnosis.verdict.value
            console.print(f"[{style}]{glyph}[/] [bold]{diagnosis.subject:<12}[/] ", end="")
            console.print(safe(diagnosis.finding), markup=False)
            if diagnosis.remedy:
                console.print(f"{'':15}{safe(diagnosis.remedy)}", markup=False, style="dim")
            worst = diagnosis.verdict if diagnosis.verdict is Verdict.BAD else worst
    if worst is Verdict.BAD:
        raise typer.Exit(1)


Look = Callable[["Settings"], Iterator[Diagnosis]]


def program(settings: Settings) -> Iterator[Diagnosis]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Diagnosis(Verdict.GOOD, "program", f"Vedette {vedette.__version__}, Python {version}, {sys.platform}")


def folder(settings: Settings) -> Iterator[Diagnosis]:
    path = settings.data_dir
    if not path.exists():
        yield Diagnosis(Verdict.GOOD, "data folder", f"{path} does not exist yet; `vedette serve` creates it")
        return
    if not path.is_dir():
        yield Diagnosis(
            Verdict.BAD, "data folder", f"{path} is no folder", "Move it away or name another with --data-dir"
        )
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        remedy = f"Give it to the user that runs Vedette: chown -R {os.geteuid()} {path}"
        yield Diagnosis(Verdict.BAD, "data folder", f"{path} cannot be written by this user", remedy)
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        yield Diagnosis(
            Verdict.REMARK, "data folder", f"{path} can be entered by others (mode {mode:o})", f"chmod 700 {path}"
        )
    else:
        yield Diagnosis(Verdict.GOOD, "data folder", f"{path}, only for its owner")
    for aside in sorted(path.glob("*.corrupt-*")):
        yield Diagnosis(
            Verdict.REMARK,
            "data folder",
            f"{aside.name}: a database that could not be opened was set aside here ({human_bytes(aside.stat().st_size)})",
            "Keep it if somebody shall try to recover it, else delete it",
        )


def database(settings: Settings) -> Iterator[Diagnosis]:
    from vedette.model.clock import SystemClock
    from vedette.model.errors import StoreError
    from vedette.store import DataFolder, DuckDbStore, owner_of

    if not settings.data_dir.is_dir():
        return
    owner = owner_of(settings.data_dir)
    if owner is not None:
        yield Diagnosis(Verdict.GOOD, "database", f"in use by process {owner.pid} {owner.address or ''}".rstrip())
        yield from server_health(owner.address)
        return
    if not (settings.data_dir / "events.duckdb").exists():
        yield Diagnosis(Verdict.GOOD, "database", "none yet")
        return
    try:
        with DataFolder(settings.data_dir) as locked:
            store = DuckDbStore.open(locked.database_path, clock=SystemClock())
            try:
                stats = store.stats()
            finally:
                store.close()
    except StoreError as error:
        remedy = "The next `vedette serve` sets a broken file aside and reads again what the sources still hold"
        yield Diagnosis(Verdict.BAD, "database", str(error), remedy)
        return
    yield Diagnosis(
        Verdict.GOOD,
        "database",
        f"{plural(stats.events, 'event')}, {plural(stats.findings, 'finding')}, {human_bytes(stats.bytes_on_disk)}",
    )


def server_health(address: str | None) -> Iterator[Diagnosis]:
    import httpx

    if address is None:
        return
    try:
        answer = httpx.get(f"{address}/api/v1/health", timeout=5).json()
    except (httpx.HTTPError, ValueError) as error:
        yield Diagnosis(Verdict.BAD, "server", f"{address} does not answer ({error})", "See its log; restart it")
        return
    for part in answer.get("parts", []):
        verdict = {"ok": Verdict.GOOD, "degraded": Verdict.REMARK}.get(part["state"], Verdict.BAD)
        if verdict is not Verdict.GOOD:
            yield Diagnosis(verdict, "server", f"{part['part']}: {part['reason']}", part["remedy"])
    if answer.get("state") == "ok":
        yield Diagnosis(Verdict.GOOD, "server", f"all parts of {address} are well")


def space(settings: Settings) -> Iterator[Diagnosis]:
    place = next(path for path in (settings.data_dir, *settings.data_dir.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if free < _LITTLE_SPACE:
        remedy = "When it is full Vedette stops reading until there is space; free some, or set store.retention_bytes"
        yield Diagnosis(Verdict.REMARK, "disk", f"{human_bytes(free)} free at {place}", remedy)
    else:
        yield Diagnosis(Verdict.GOOD, "disk", f"{human_bytes(free)} free at {place}")


def watching(settings: Settings) -> Iterator[Diagnosis]:
    if not sys.platform.startswith("linux"):
        return
    try:
        watches = int((_INOTIFY / "max_user_watches").read_text())
        instances = int((_INOTIFY / "max_user_instances").read_text())
    except (OSError, ValueError):
        yield Diagnosis(
            Verdict.REMARK, "inotify", "file events are not available here", "Files are polled once a second instead"
        )
        return
    if watches < _FEW_WATCHES or instances < 16:
        remedy = (
            "sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=256; until then files are polled"
        )
        yield Diagnosis(Verdict.REMARK, "inotify", f"only {watches} watches and {instances} instances", remedy)
    else:
        yield Diagnosis(Verdict.GOOD, "inotify", f"{watches:,} watches, {instances:,} instances")


def descriptors(settings: Settings) -> Iterator[Diagnosis]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FEW_DESCRIPTORS:
        remedy = f"Raise it: ulimit -n {min(hard, 65536)}, or LimitNOFILE= in the systemd unit"
        yield Diagnosis(Verdict.REMARK, "files", f"only {soft} files may be open at a time", remedy)
    else:
        yield Diagnosis(Verdict.GOOD, "files", f"{soft:,} may be open at a time")


def clock(settings: Settings) -> Iterator[Diagnosis]:
    now = datetime.now(UTC)
    if now.year < 2025:
        yield Diagnosis(
            Verdict.BAD, "clock", f"it says {now:%Y-%m-%d}", "Set the clock; stamps and retention depend on it"
        )
        return
    yield Diagnosis(Verdict.GOOD, "clock", f"{now:%Y-%m-%d %H:%M} UTC, local zone {now.astimezone().tzname()}")


def readable_logs(settings: Settings) -> Iterator[Diagnosis]:
    from vedette.sources import discover

    found = discover()
    if not found.sources:
        remedy = "Name them: vedette serve /path/to/logs"
        yield Diagnosis(Verdict.REMARK, "logs", "no readable log was found in the usual places", remedy)
    else:
        yield Diagnosis(Verdict.GOOD, "logs", f"{plural(len(found.sources), 'source')} can be read here")
    refused = [path for path in found.skipped if not os.access(path, os.R_OK)]
    if refused:
        names = ", ".join(refused[:3]) + ("…" if len(refused) > 3 else "")
        remedy = "Run Vedette as a member of the group that may read them (often adm or systemd-journal)"
        yield Diagnosis(
            Verdict.REMARK, "logs", f"{plural(len(refused), 'log')} cannot be read by this user: {names}", remedy
        )


def console_files(settings: Settings) -> Iterator[Diagnosis]:
    from vedette.app import WEB_ROOT

    if not (WEB_ROOT / "index.html").is_file():
        yield Diagnosis(
            Verdict.REMARK,
            "console",
            "it is not built; the API works without it",
            "Install Node 20, then: make console",
        )
    else:
        yield Diagnosis(Verdict.GOOD, "console", "built")
