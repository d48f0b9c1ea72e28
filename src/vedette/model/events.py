"""The event columns: names after the Elastic Common Schema, one Polars type each.

The one place that lists them; the store's table, the query grammar, the API's rows and the reference page
are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

TIME: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class EventColumn:
    """One column. `aliases` are the short names the query grammar accepts."""

    name: str
    dtype: pl.DataType
    meaning: str
    aliases: tuple[str, ...] = ()
    is_ip: bool = False


EVENT_COLUMNS: Final[tuple[EventColumn, ...]] = (
    EventColumn(
        "@timestamp",
        TIME,
        "When it happened; the arrival time where the record has no usable stamp",
        ("time", "timestamp"),
    ),
    EventColumn("event.ingested", TIME, "When Vedette read it", ("ingested",)),
    EventColumn("event.original", pl.String(), "The raw record, lossless", ("original", "raw")),
    EventColumn("message", pl.String(), "The human part of the record", ("msg",)),
    EventColumn("vedette.source", pl.String(), "Id of the source it was read from", ("source",)),
    EventColumn("vedette.generation", pl.Int64(), "Which life of the file; with log.offset it is the event's id"),
    EventColumn("log.offset", pl.Int64(), "Byte offset of the record in its file", ("offset",)),
    EventColumn("log.length", pl.Int64(), "Bytes the record takes in its file, line end included"),
    EventColumn(
        "log.format",
        pl.String(),
        "Format it was parsed with, outer and inner: `syslog-rfc3164/sshd`",
        ("format",),
    ),
    EventColumn(
        "log.level",
        pl.String(),
        "emergency, alert, critical, error, warning, notice, info, debug, trace",
        ("level",),
    ),
    EventColumn("log.file.path", pl.String(), "File it was read from", ("path", "file")),
    EventColumn("host.name", pl.String(), "Host that wrote it", ("host",)),
    EventColumn(
        "process.name",
        pl.String(),
        "Program that wrote it, or its logger or component",
        ("process", "program"),
    ),
    EventColumn("process.pid", pl.Int64(), "Process id", ("pid",)),
    EventColumn("user.name", pl.String(), "User it speaks of", ("user",)),
    EventColumn("source.ip", pl.String(), "Address of the peer, in canonical text", ("ip", "src_ip"), is_ip=True),
    EventColumn("source.port", pl.Int32(), "Port of the peer", ("src_port",)),
    EventColumn("source.address", pl.String(), "Peer as written: a name where it is not an address", ("src",)),
    EventColumn("destination.ip", pl.String(), "Address it went to", ("dst_ip",), is_ip=True),
    EventColumn("destination.port", pl.Int32(), "Port it went to", ("dst_port",)),
    EventColumn("event.category", pl.String(), "ECS category: authentication, network, web, process, …", ("category",)),
    EventColumn("event.action", pl.String(), "What was done: ssh-login, sudo-command, …", ("action",)),
    EventColumn("event.outcome", pl.String(), "success, failure or unknown", ("outcome",)),
    EventColumn("event.severity", pl.UInt8(), "Danger, 1-10", ("severity", "sev")),
    EventColumn("http.request.method", pl.String(), "GET, POST, …", ("method",)),
    EventColumn("url.original", pl.String(), "Requested URL as written", ("url",)),
    EventColumn("http.response.status_code", pl.Int32(), "HTTP status", ("status",)),
    EventColumn("user_agent.original", pl.String(), "User agent as written", ("user_agent", "ua")),
    EventColumn("process.executable", pl.String(), "Path of the program", ("executable",)),
    EventColumn("process.command_line", pl.String(), "Command line", ("command_line", "command", "cmd")),
    EventColumn("template.id", pl.String(), "Template of its message", ("template",)),
    EventColumn("parse.status", pl.String(), "parsed, partial or unparsed", ("parse",)),
    EventColumn(
        "vedette.marks",
        pl.String(),
        "Space-separated words on what was unusual: cut, escaped, unfinished, joined, continuation, "
        "time-missing, time-wrong",
        ("marks",),
    ),
    EventColumn("fields", pl.String(), "Everything else, as a JSON object"),
)

EVENT_SCHEMA: Final = pl.Schema({column.name: column.dtype for column in EVENT_COLUMNS})

COLUMN_BY_NAME: Final = {name: column for column in EVENT_COLUMNS for name in (column.name, *column.aliases)}
"""Every name and alias to its column."""

CATEGORIES: Final = (
    "authentication", "network", "web", "process", "file", "iam", "configuration", "database", "malware",
    "intrusion_detection", "host", "package", "session", "email",
)  # fmt: skip
OUTCOMES: Final = ("success", "failure", "unknown")
LEVELS: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug", "trace")
PARSE_STATUSES: Final = ("parsed", "partial", "unparsed")


def event_id(generation: int, offset: int) -> str:
    """The id of the event at a place: 16 hexadecimal digits of the generation, a dash, the offset in hexadecimal."""
    return f"{generation:016x}-{offset:x}"


def place_of(identifier: str) -> tuple[int, int] | None:
    """(generation, offset) of an event id, None when the text is none."""
    generation, dash, offset = identifier.partition("-")
    if len(generation) != 16 or not dash or not 0 < len(offset) <= 15:
        return None
    try:
        place = int(generation, 16), int(offset, 16)
    except ValueError:
        return None
    return place if event_id(*place) == identifier and place[0] < 2**63 else None
