"""`vedette sources`: what is watched, and how it fares."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from vedette.cli.options import DataDir
from vedette.cli.terminal import complain, human_bytes, out, plural, safe
from vedette.model.errors import SettingsError

if TYPE_CHECKING:
    import httpx

    from vedette.configdb import ConfigManager
    from vedette.settings import Settings
    from vedette.sources import LogSourceConfig

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
Result = TypeVar("Result")
SourceId = Annotated[str, typer.Argument(metavar="ID", help="As `vedette sources` shows it; the beginning is enough.")]
_STATE_STYLE = {"ok": "green", "degraded": "yellow", "down": "bold red"}


@app.callback()
def sources(context: typer.Context, data_dir: DataDir = None) -> None:
    """Show what is watched and how it fares; add, remove, enable or disable sources.

    Works while the server runs, with effect at once, and when it does not.

    \b
    Examples:
      vedette sources
      vedette sources add /srv/shop/logs --name shop
      vedette sources disable shop
      vedette sources discover
    """
    context.obj = data_dir
    if context.invoked_subcommand is None:
        with _place(data_dir) as place:
            _print_sources(place.list())


@app.command("add")
def add(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders or patterns.")],
    name: Annotated[str | None, typer.Option("--name", help="What people call it. [default: the file's name]")] = None,
    start: Annotated[str, typer.Option("--from", help="beginning or end.")] = "beginning",
    recursive: Annotated[bool, typer.Option("--recursive/--flat", help="Folders with what is below them.")] = True,
    timezone: Annotated[str | None, typer.Option("--timezone", help="Zone of stamps that name none.")] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help="Use this format instead of detecting it.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Watch files or folders from now on, also after a restart.

    \b
    Examples:
      vedette sources add /var/log/auth.log
      vedette sources add '/srv/*/logs/*.log' --name services --timezone Europe/Berlin
    """
    document = {
        "paths": paths,
        "start": start,
        "recursive": recursive,
        "timezone": timezone,
        "format_name": format_name,
    }
    if name:
        document["name"] = name
    with _place(data_dir or context.obj) as place:
        typer.echo(f"watching as {place.add(document)}")
    for path in paths:
        if not glob.has_magic(path) and not Path(path).expanduser().exists():
            complain(f"'{path}' does not exist yet; check its spelling, or wait: it is read as soon as it is there")


@app.command("remove")
def remove(context: typer.Context, source_id: SourceId, data_dir: DataDir = None) -> None:
    """Stop watching a source; its events stay.

    \b
    Example:
      vedette sources remove shop
    """
    with _place(data_dir or context.obj) as place:
        found = _resolve(place, source_id)
        place.remove(found)
        typer.echo(f"{found} is not watched any more")


@app.command("enable")
def enable(context: typer.Context, source_id: SourceId, data_dir: DataDir = None) -> None:
    """Go on reading a source where it stopped.

    \b
    Example:
      vedette sources enable shop
    """
    _switch(data_dir or context.obj, source_id, is_enabled=True)


@app.command("disable")
def disable(context: typer.Context, source_id: SourceId, data_dir: DataDir = None) -> None:
    """Stop reading a source for now.

    \b
    Example:
      vedette sources disable shop
    """
    _switch(data_dir or context.obj, source_id, is_enabled=False)


@app.command("discover")
def discover_logs() -> None:
    """List the readable logs of this machine, and what was left out and why.

    \b
    Example:
      vedette sources discover
    """
    from vedette.sources import discover

    found = discover()
    for config in found.sources:
        typer.echo(safe(" ".join(config.paths)))
    for path, reason in found.skipped.items():
        complain(f"left out {path}: {reason}")


def _switch(data_dir: Any, source_id: str, *, is_enabled: bool) -> None:
    with _place(data_dir) as place:
        found = _resolve(place, source_id)
        place.change(found, {"enabled": is_enabled})
        typer.echo(f"{found} is {'watched again' if is_enabled else 'not read for now'}")


def _resolve(place: _Server | _Folder, wanted: str) -> str:
    """The one source whose id or name is, or begins with, what was written."""
    known = place.list()
    for test in (
        lambda view: wanted in (view["id"], view["name"]),
        lambda view: view["id"].startswith(wanted) or view["name"].startswith(wanted),
    ):
        found = [str(view["id"]) for view in known if test(view)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SettingsError(f"{wanted!r} may mean {', '.join(found)}; write more of it")
    raise SettingsError(f"there is no source {wanted!r}; `vedette sources` lists them")


@contextmanager
def _place(data_dir: Any) -> Iterator[_Server | _Folder]:
    """Where sources are changed: the running server, else the data folder itself."""
    import httpx

    from vedette.settings import Settings
    from vedette.store import DataFolder, owner_of

    settings = Settings.load(data_dir=data_dir)
    owner = owner_of(settings.data_dir)
    if owner is not None and owner.address:
        with httpx.Client(base_url=owner.address, timeout=30) as client:
            yield _Server(client)
        return
    with DataFolder(settings.data_dir) as folder:
        from pydantic import TypeAdapter

        from vedette.configdb import ConfigManager, open_database
        from vedette.model.clock import SystemClock
        from vedette.sources import LogSourceConfig

        manager = ConfigManager(
            open_database(folder.path / "config.sqlite"), TypeAdapter(LogSourceConfig), SystemClock()
        )
        try:
            yield _Folder(settings, manager)
        finally:
            manager.close()


class _Server:
    """Sources of a running server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def list(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "/api/v1/sources")["sources"])

    def add(self, document: Mapping[str, Any]) -> str:
        return str(self._ask("POST", "/api/v1/sources", document)["id"])

    def change(self, source_id: str, changes: Mapping[str, Any]) -> None:
        self._ask("PATCH", f"/api/v1/sources/{source_id}", changes)

    def remove(self, source_id: str) -> None:
        self._ask("DELETE", f"/api/v1/sources/{source_id}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        import httpx

        try:
            answer = self._client.request(method, path, json=dict(body) if body is not None else None)
        except httpx.HTTPError as error:
            raise SettingsError(f"the server at {self._client.base_url} does not answer ({error})") from error
        if answer.is_error:
            problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            raise SettingsError(str(problem.get("detail") or f"the server answered {answer.status_code}"))
        return answer.json() if answer.content else None


class _Folder:
    """Sources kept in a data folder that no server uses."""

    def __init__(self, settings: Settings, manager: ConfigManager[LogSourceConfig]) -> None:
        self._settings = settings
        self._manager = manager

    def list(self) -> list[dict[str, Any]]:
        from vedette.app.sources import monitoring_of

        views = {config.id: _still(config, "settings") for config in monitoring_of(self._settings).sources}
        views |= {entry.id: _still(entry.document, entry.origin) for entry in self._manager.list()}
        return list(views.values())

    def add(self, document: Mapping[str, Any]) -> str:
        from vedette.sources import source_config

        return self._manager.add(source_config(document)).id

    def change(self, source_id: str, changes: Mapping[str, Any]) -> None:
        self._manager.change(source_id, changes)

    def remove(self, source_id: str) -> None:
        self._manager.remove(source_id)


def _still(config: LogSourceConfig, origin: str) -> dict[str, Any]:
    return {
        "id": config.id,
        "name": config.name,
        "enabled": config.enabled,
        "origin": origin,
        "config": config.model_dump(mode="json"),
        "state": "",
        "reason": "",
        "details": {},
        "ledger": {},
        "format": None,
    }


def _print_sources(views: list[dict[str, Any]]) -> None:
    if not views:
        typer.echo(
            "No source is configured. `vedette serve` finds the logs of this machine; `vedette sources add` keeps one."
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("Source", "State", "Events/s", "Stored", "Behind", "Format", "Paths"):
        table.add_column(
            title, justify="right" if title in {"Events/s", "Stored", "Behind"} else "left", overflow="fold"
        )
    for view in views:
        details, ledger = view.get("details") or {}, view.get("ledger") or {}
        state = details.get("state") or ("enabled" if view["enabled"] else "disabled")
        chosen = view.get("format") or {}
        table.add_row(
            safe(view["id"]),
            f"[{_STATE_STYLE.get(view['state'], '')}]{safe(state)}[/]" if view["state"] else safe(state),
            f"{details['events_per_second']:,.1f}" if "events_per_second" in details else "",
            f"{ledger.get('stored', 0):,}" if ledger else "",
            human_bytes(details["lag_bytes"]) if details.get("lag_bytes") else "",
            safe(str(chosen.get("name", ""))) if isinstance(chosen, dict) else "",
            safe(" ".join(view["config"].get("paths", []))),
        )
    out().print(table)
    for view in views:
        if view.get("reason"):
            complain(f"{view['id']}: {view['reason']} {view.get('remedy', '')}".rstrip())
    out().print(plural(len(views), "source"), style="dim")
