"""`vedette search`: stored events, with or without a running server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vedette.cli.options import DataDir
from vedette.cli.terminal import err, out, plural, safe, severity_text

if TYPE_CHECKING:
    from vedette.store import Row


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    NDJSON = "ndjson"


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for; '' finds everything.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Most events to print; 0 prints all.")] = 50,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="table or ndjson (one JSON object a line).")
    ] = Output.TABLE,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Oldest events first; newest otherwise.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Print stored events that match a query, newest first.

    Terms are joined by AND; fields compare with : = >= <= > <; a minus excludes; quotes keep words together.
    Works while the server runs and when it does not.

    \b
    Examples:
      vedette search 'severity>=7'
      vedette search 'category:authentication outcome:failure source.ip:203.0.113.0/24'
      vedette search '"failed password" -user.name:backup since:1h' --limit 200
      vedette search '' --limit 0 --output ndjson > events.ndjson
    """
    from vedette.model.query import parse_query
    from vedette.settings import Settings

    parse_query(query, now=datetime.now(UTC))
    settings = Settings.load(data_dir=data_dir)
    from vedette.cli.reading import open_reader

    with open_reader(settings) as reader:
        rows = reader.rows(query, limit=limit, oldest_first=oldest_first)
        count = _print_ndjson(rows) if output is Output.NDJSON else _print_table(rows)
    if output is Output.TABLE:
        more = f" (the {'oldest' if oldest_first else 'newest'}; --limit 0 prints all)" if count == limit else ""
        err().print(f"{plural(count, 'event')}{more}", style="dim")


def _print_ndjson(rows: Iterable[Row]) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007  the count is the result
        sys.stdout.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    return count


def _print_table(rows: Iterable[Row]) -> int:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    table.add_column("Time", no_wrap=True)
    table.add_column("Sev", no_wrap=True)
    table.add_column("Host", no_wrap=True, max_width=20)
    table.add_column("Program", no_wrap=True, max_width=24)
    table.add_column("Message", overflow="fold", ratio=1)
    for row in rows:
        table.add_row(
            local_time(row["@timestamp"]),
            severity_text(row.get("event.severity", 1)),
            safe(row.get("host.name", "")),
            safe(row.get("process.name", "")),
            safe(row.get("message") or row.get("event.original", "")),
        )
    if table.row_count:
        out().print(table)
    return table.row_count


def local_time(stamp: str) -> str:
    """An event's time in the terminal's zone, to the millisecond."""
    moment = datetime.fromisoformat(stamp).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
