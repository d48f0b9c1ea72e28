"""`vedette serve`: watch, judge, show."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

import vedette
from vedette.cli.options import DataDir, LogLevel
from vedette.cli.terminal import err, out, plural, safe

if TYPE_CHECKING:
    from vedette.app import Server


class Start(StrEnum):
    """Where a file that was never read before is begun."""

    BEGINNING = "beginning"
    END = "end"


def serve(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...", help="Files, folders or patterns. [default: the readable logs of this machine]"
        ),
    ] = None,
    start: Annotated[
        Start | None,
        typer.Option(
            "--from",
            help="Where to begin a file that was never read before. [default: beginning for named paths, end otherwise]",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", "-p", min=0, max=65535, help="Port of the console; 0 takes a free one. [default: 8700]"),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; loopback only. [default: 127.0.0.1]")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Also play a small world of ordinary traffic and a few attacks.")
    ] = False,
    data_dir: DataDir = None,
    log_level: LogLevel = None,
) -> None:
    """Watch logs, find what is dangerous, and show it live in the browser.

    Reading resumes exactly where it stopped. Stop with Ctrl-C: what was read is stored first.

    \b
    Examples:
      vedette serve
      vedette serve /var/log/auth.log '/srv/*/logs/*.log' --from beginning
      vedette serve --demo --port 0
      vedette serve /var/log --data-dir /srv/vedette
    """
    from vedette.app import build_server, command_line_sources
    from vedette.cli.own_log import set_up_logging
    from vedette.settings import Settings

    settings = Settings.load(data_dir=data_dir, host=host, port=port, log_level=log_level)
    set_up_logging(settings.log_level, settings.log_format)
    sources = command_line_sources(settings, paths or [], start=start.value if start else None, with_discovery=not demo)
    server = build_server(settings, sources, demo=demo)
    asyncio.run(server.run(announce=announce))


def announce(server: Server) -> None:
    """The lines a person looks for."""
    console = out()
    console.print(
        Text.assemble(("Vedette ", "bold"), vedette.__version__, " watches ", plural(server.source_count, "source"))
    )
    console.print(Text.assemble("  console  ", (server.address, "bold underline")))
    console.print(Text.assemble("  data     ", safe(str(server.data_dir))))
    for remark in server.remarks:
        err().print(f"  note     {safe(remark)}", markup=False, style="dim")
