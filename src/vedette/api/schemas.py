"""The bodies of requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, RootModel

from vedette.model.events import EVENT_COLUMNS
from vedette.model.health import HealthState

_EXAMPLE_EVENT: Final = {
    "event.id": "01a4f2c66e0b91d7-1f40",
    "vedette.seq": 48211,
    "@timestamp": "2024-12-10T06:55:48.000000Z",
    "event.ingested": "2024-12-10T06:55:48.031415Z",
    "event.original": "Dec 10 06:55:48 gate sshd[24200]: Failed password for root from 203.0.113.9 port 38926 ssh2",
    "message": "Failed password for root from 203.0.113.9 port 38926 ssh2",
    "vedette.source": "auth",
    "log.file.path": "/var/log/auth.log",
    "log.format": "syslog-rfc3164/sshd",
    "host.name": "gate",
    "process.name": "sshd",
    "process.pid": 24200,
    "user.name": "root",
    "source.ip": "203.0.113.9",
    "event.category": "authentication",
    "event.action": "ssh-login",
    "event.outcome": "failure",
    "event.severity": 5,
    "parse.status": "parsed",
}


def _column_schema(dtype: pl.DataType, meaning: str) -> dict[str, Any]:
    if isinstance(dtype, pl.Datetime):
        return {"type": "string", "format": "date-time", "description": meaning}
    return {"type": "integer" if dtype.is_integer() else "string", "description": meaning}


class EventRow(RootModel[dict[str, Any]]):
    """One event. Columns without a value are left out, never null."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        columns = {column.name: _column_schema(column.dtype, column.meaning) for column in EVENT_COLUMNS}
        number = {"type": "integer", "description": "Its number in the store"}
        identifier = {"type": "string", "description": "Where it stands: generation of the file and byte offset"}
        fields = {"type": "object", "additionalProperties": True, "description": "Everything else"}
        return {
            "title": "EventRow",
            "description": cls.__doc__,
            "type": "object",
            "properties": {"event.id": identifier, "vedette.seq": number} | columns | {"fields": fields},
            "required": ["event.id", "vedette.seq", "@timestamp", "event.original"],
            "additionalProperties": False,
            "examples": [_EXAMPLE_EVENT],
        }


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EventPage(_Body):
    """Events in the order asked for. `cursor` continues behind the last one, null at the end."""

    rows: list[EventRow]
    cursor: str | None


class ContextPage(_Body):
    """An event among its neighbours in the same file, in file order."""

    rows: list[EventRow]


class Bucket(_Body):
    """Events of one severity band within one interval."""

    time: datetime
    severity: str = Field(examples=["medium"])
    count: int


class Histogram(_Body):
    """Empty buckets are left out."""

    interval_seconds: float
    buckets: list[Bucket]


class TopValue(_Body):
    value: str | int = Field(examples=["203.0.113.9"])
    count: int


class TopValues(_Body):
    """Most frequent first."""

    column: str
    values: list[TopValue]


class FactorRow(_Body):
    reason: str = Field(examples=["Failed login as root"])
    amount: int


class EvidenceRow(_Body):
    """One clause that held, and where."""

    clause: str
    column: str
    value: str
    event_id: str | None
    text: str


class ClaimRow(_Body):
    """Something a model said, with the events that it rests on and words that stand in one of them."""

    text: str
    event_ids: list[str]
    quote: str = ""


class AdviceRow(_Body):
    """What a language model said. It decides nothing. `about` is what it was asked about: another of the same kind may
    share the answer. `dropped` counts claims that rested on nothing it was shown."""

    model: str = Field(examples=["qwen3:14b"])
    asked_at: datetime
    about: str
    explanation: list[ClaimRow]
    causes: list[ClaimRow]
    next_steps: list[ClaimRow]
    dropped: int


class AdviceAsked(_Body):
    """The question waits; the answer comes to stand in `model_advice`."""

    state: Literal["waiting"] = "waiting"


class ModelQuestion(_Body):
    """What a model would be sent, to the letter, and where to."""

    enabled: bool
    base_url: str
    model: str
    instructions: str
    text: str


class FindingRow(_Body):
    """What detection concluded, with its proof. `seq` is its number where it comes over the live stream."""

    id: str
    seq: int | None = None
    rule_id: str
    rule_name: str
    rule_level: str
    title: str
    summary: str
    severity: int = Field(ge=1, le=10)
    severity_name: str
    factors: list[FactorRow]
    first_seen: datetime
    last_seen: datetime
    found_at: datetime
    entity: dict[str, str]
    evidence: list[EvidenceRow]
    event_ids: list[str]
    event_count: int
    category: str
    actions: list[str]
    tags: list[str]
    sources: list[str]
    status: str = Field(examples=["acknowledged"])
    note: str = Field("", description="What was said when its status was set")
    status_by: str = ""
    status_at: datetime | None = None
    muted: bool = Field(False, description="Nobody wants to hear of it at the moment")
    details: dict[str, str | int | float]
    model_advice: AdviceRow | None = Field(None, description="What a language model said, where one is asked")


class FindingPage(_Body):
    """Most recently changed first."""

    rows: list[FindingRow]
    cursor: str | None


class PartRow(_Body):
    """How a part is, why, and what to do."""

    part: str = Field(examples=["disk"])
    state: HealthState
    since: datetime
    reason: str = ""
    remedy: str = ""


class ProcessRow(_Body):
    """What the server takes of the machine."""

    rss_bytes: int
    cpu_percent: float
    open_files: int
    threads: int
    uptime_seconds: float
    disk_free_bytes: int
    disk_total_bytes: int


class HealthBody(_Body):
    """`state` is that of the worst part."""

    state: HealthState
    at: datetime
    version: str
    parts: list[PartRow]
    process: ProcessRow


class Alive(_Body):
    """The answer of a probe."""

    state: Literal["alive", "ready"]


class StoreRow(_Body):
    """What is kept."""

    events: int
    findings: int
    bytes_on_disk: int
    oldest: datetime | None
    newest: datetime | None


class LiveRow(_Body):
    """How busy the live connections are; sums since the start."""

    clients: int
    subscriptions: int
    messages_sent: int
    gaps_told: int
    clients_refused: int


class StatsBody(_Body):
    """Numbers of this moment. `pipeline` holds rates, latencies and the queue by name."""

    at: datetime
    store: StoreRow
    live: LiveRow
    process: ProcessRow
    pipeline: dict[str, Any]


class LedgerNoteRow(_Body):
    """Something about a source that should be known later."""

    kind: str
    detail: str
    at: datetime
    path: str
    bytes_lost: int


class SourceView(BaseModel):
    """A source, how it fares, and the ledger that accounts for every line of it."""

    id: str = Field(examples=["auth"])
    name: str = ""
    enabled: bool
    origin: str = Field("user", description="Who made it")
    config: dict[str, Any] = Field(description="As `POST /api/v1/sources` takes it")
    state: HealthState
    since: datetime | None = None
    reason: str = ""
    remedy: str = ""
    files: list[str] = Field(default_factory=list, description="What it reads now")
    details: dict[str, Any] = Field(default_factory=dict, description="Counters of the reader")
    format: Any = Field(None, description="What is known of its format")
    ledger: dict[str, int] = Field(default_factory=dict)
    notes: list[LedgerNoteRow] = Field(default_factory=list, description="Newest first; only for one source")


class SourceList(_Body):
    sources: list[SourceView]


class SourcePreview(BaseModel):
    """What a source would read now. Nothing is kept."""

    config: dict[str, Any] = Field(description="With everything filled in")
    files: list[str]
    problems: list[str] = Field(default_factory=list, description="What a person should know before saving")
    format: Any = Field(None, description="What its format seems to be, how sure, and why")
    rows: list[dict[str, Any]] = Field(default_factory=list, description="Its first lines as events")
