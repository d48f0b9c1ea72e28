"""The messages of `/api/v1/live`: JSON text frames, one object each, told apart by `type`.

Numbers: every stream is numbered without holes. `batch` and `gap` messages of a subscription follow each other
without a hole either: each begins behind the number the one before it ended with. A client that comes back with
the epoch and the last number it has been told continues there.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.json_schema import models_json_schema

PROTOCOL_VERSION: Final = 1


class Stream(StrEnum):
    """What can be watched."""

    EVENTS = "events"
    FINDINGS = "findings"
    STATUS = "status"
    METRICS = "metrics"


class GapReason(StrEnum):
    """Why numbers are missing."""

    TOO_SLOW = "too-slow"
    """The client read slower than events came."""
    TOO_OLD = "too-old"
    """The resume reaches back further than the replay window."""
    DELETED = "deleted"
    """Retention has removed the rows."""
    EPOCH_CHANGED = "epoch-changed"
    """The numbers belong to another store; `missed` is unknown and 0."""
    UNAVAILABLE = "unavailable"
    """The store could not be read."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


SubscriptionId = Annotated[str, Field(min_length=1, max_length=64, description="Chosen by the client")]


class ResumePoint(_Message):
    """The last number a client has been told, and the numbering it belongs to."""

    epoch: str = Field(max_length=128)
    seq: int = Field(ge=-1, lt=2**63)


class Subscribe(_Message):
    """Watch a stream. A known id is replaced. `resume` wins over `backlog`."""

    type: Literal["subscribe"]
    id: SubscriptionId
    stream: Stream = Stream.EVENTS
    query: str = Field("", max_length=4096, description="The search grammar; empty matches everything")
    resume: ResumePoint | None = None
    backlog: int = Field(0, ge=0, le=1000, description="Open with the newest rows that match, this many")


class Unsubscribe(_Message):
    type: Literal["unsubscribe"]
    id: SubscriptionId


class Pause(_Message):
    """Send no rows until `resume`; `status` messages count what waits."""

    type: Literal["pause"]
    id: SubscriptionId


class Resume(_Message):
    type: Literal["resume"]
    id: SubscriptionId


class Ping(_Message):
    type: Literal["ping"]
    nonce: str = Field("", max_length=64)


ClientMessage = Annotated[Subscribe | Unsubscribe | Pause | Resume | Ping, Field(discriminator="type")]
CLIENT_MESSAGE: Final[TypeAdapter[Subscribe | Unsubscribe | Pause | Resume | Ping]] = TypeAdapter(ClientMessage)


class Hello(_Message):
    """The first message. Another epoch than the last time means that old numbers are void."""

    type: Literal["hello"] = "hello"
    protocol: int = PROTOCOL_VERSION
    epoch: str
    version: str
    server_time: datetime


class Subscribed(_Message):
    """The first range told will begin at `next_seq`."""

    type: Literal["subscribed"] = "subscribed"
    id: str
    stream: Stream
    query: str
    epoch: str
    next_seq: int


class Unsubscribed(_Message):
    type: Literal["unsubscribed"] = "unsubscribed"
    id: str


class Batch(_Message):
    """The matching rows among first_seq..last_seq, in order; no other number of that range matches."""

    type: Literal["batch"] = "batch"
    id: str
    first_seq: int
    last_seq: int
    rows: list[dict[str, Any]]


class Gap(_Message):
    """The numbers first_seq..last_seq will not come; how many of them would have matched is not known."""

    type: Literal["gap"] = "gap"
    id: str
    first_seq: int
    last_seq: int
    missed: int
    reason: GapReason


class Status(_Message):
    """How a subscription stands; `waiting` counts matching rows since it was paused."""

    type: Literal["status"] = "status"
    id: str
    state: Literal["live", "paused"]
    waiting: int = 0


class Error(_Message):
    """A message was refused; the connection stays. `position` is a 0-based index into `query`."""

    type: Literal["error"] = "error"
    id: str | None = None
    title: str
    field: str | None = None
    position: int | None = None
    suggestion: str | None = None


class Pong(_Message):
    type: Literal["pong"] = "pong"
    nonce: str = ""
    server_time: datetime


ServerMessage = Annotated[
    Hello | Subscribed | Unsubscribed | Batch | Gap | Status | Error | Pong, Field(discriminator="type")
]
SERVER_MESSAGE: Final[TypeAdapter[Hello | Subscribed | Unsubscribed | Batch | Gap | Status | Error | Pong]] = (
    TypeAdapter(ServerMessage)
)


def live_schema() -> dict[str, Any]:
    """JSON Schema of every message, with `ClientMessage` and `ServerMessage` as unions in `$defs`."""
    client = (Subscribe, Unsubscribe, Pause, Resume, Ping)
    server = (Hello, Subscribed, Unsubscribed, Batch, Gap, Status, Error, Pong)
    _, schema = models_json_schema(
        [(model, "validation") for model in client] + [(model, "serialization") for model in server],
        title="Vedette live protocol",
    )
    for name, models in (("ClientMessage", client), ("ServerMessage", server)):
        schema["$defs"][name] = {"oneOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in models]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def refusal(error: ValidationError, *, identifier: str | None) -> Error:
    """The first thing that is wrong with a message, in one sentence."""
    first = error.errors(include_url=False, include_context=False)[0]
    parts = [str(part) for part in first["loc"][1:]]  # behind the message's type
    if first["type"].startswith("union_tag"):
        return Error(id=identifier, title=f"Unknown message type; known are {', '.join(_TYPES)}.", field="type")
    field = ".".join(parts) or None
    return Error(id=identifier, title=f"{field or 'The message'}: {first['msg']}.", field=field)


_TYPES: Final = ("subscribe", "unsubscribe", "pause", "resume", "ping")
