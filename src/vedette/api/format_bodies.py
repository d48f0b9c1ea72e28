"""The bodies of what is asked and answered about formats."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_EXAMPLE_LINE: Final = "<gate7> 2026-11-24 09:00:00 | WARN | usr=anna | peer=203.0.113.9 | login refused"
_EXAMPLE_TEXT: Final = (
    "name: gates\n"
    "title: The gates\n"
    "rank: 55\n"
    "patterns:\n"
    "  - '^<(?P<host.name>\\w+)> (?P<time>%{stamp}) \\| (?P<log.level>%{levels}) \\| usr=(?P<user.name>\\S*)"
    " \\| peer=(?P<source.address>\\S*) \\| (?P<message>.*)$'\n"
    "stamps: iso\n"
)
_EXAMPLE_COLUMNS: Final = {
    "@timestamp": "2026-11-24T09:00:00.000000Z",
    "host.name": "gate7",
    "log.level": "warning",
    "user.name": "anna",
    "source.address": "203.0.113.9",
    "source.ip": "203.0.113.9",
    "message": "login refused",
}

Lines = Annotated[
    list[Annotated[str, Field(max_length=32_768)]], Field(min_length=1, max_length=1_000, examples=[[_EXAMPLE_LINE]])
]
FormatName = Annotated[str, Field(min_length=1, max_length=128, examples=["gates"])]
Text = Annotated[str, Field(max_length=262_144, description="A format file (YAML)", examples=[_EXAMPLE_TEXT])]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FormatRow(_Body):
    """A format. `files` counts the files that are read with it now."""

    name: FormatName
    title: str
    kind: Literal["line", "message"] = Field(description="Takes whole lines apart, or what programs say in them")
    codec: str = Field(examples=["pattern"])
    rank: int = Field(description="How specific it is, 0 to 100")
    origin: Literal["shipped", "own"]
    file: str | None = Field(None, description="The file of one's own format")
    programs: list[str] = Field(default_factory=list, description="Whose messages it knows")
    samples: int
    files: int


class FormatList(_Body):
    """By name. `problems` tells what is wrong with files that are not used."""

    formats: list[FormatRow]
    problems: list[str]


class FormatDetail(FormatRow):
    """A format with its file, as text and read."""

    text: Text
    definition: dict[str, Any]


class FormatText(_Body):
    text: Text


class LineResult(_Body):
    """A line and the columns it yields; null where it does not fit."""

    line: str = Field(examples=[_EXAMPLE_LINE])
    columns: dict[str, Any] | None = Field(examples=[_EXAMPLE_COLUMNS])


class TestLines(_Body):
    """Lines for a format: one that exists (`name`), or one that is not kept (`text`)."""

    name: str | None = Field(None, max_length=128)
    text: str | None = Field(None, max_length=262_144, examples=[_EXAMPLE_TEXT])
    lines: Annotated[list[Annotated[str, Field(max_length=32_768)]], Field(max_length=1_000)] = Field(
        default_factory=list, description="Without lines only the format's own samples are tried"
    )


class FormatTest(_Body):
    """What a format made of lines. `misfits` are the numbers of those that do not fit, from 0; `samples` tells which of
    the format's own samples do not yield what they say."""

    name: FormatName
    results: list[LineResult]
    misfits: list[int]
    samples: list[str]


class ExplainLines(_Body):
    lines: Lines
    timezone: str | None = Field(None, max_length=64, description="Zone of stamps that name none")


class FitRow(_Body):
    """How well a format explains the lines: 0 (not at all) to 1."""

    format: FormatName
    confidence: float
    reason: str


class FormatChoiceRow(_Body):
    """What a file is read with first, how sure that is, and why."""

    source: str = Field(examples=["auth"])
    path: str = Field(examples=["/var/log/auth.log"])
    format: FormatName
    confidence: float
    reason: str = Field(examples=["100 of 100 lines have its shape"])
    since: datetime


class FormatChoicePage(_Body):
    rows: list[FormatChoiceRow]
    cursor: str | None


class FormatExplanation(_Body):
    """The choice for the lines, every format that explains any of them, and the events."""

    format: FormatName
    confidence: float
    reason: str
    fits: list[FitRow]
    rows: list[dict[str, Any]]


class EvaluationRow(_Body):
    """How a proposal did on lines it was not learned from. Shares are 0 to 1; `confidence` sums them up."""

    lines: int
    held_back: int
    parsed: float
    stamps: float
    columns: list[str]
    confidence: float
    reasons: list[str]
    misfits: list[str]


class ProposalRow(_Body):
    """A format that was learned from lines nobody explained."""

    id: str = Field(examples=["3f2a9c41d07e"])
    state: Literal["proposed", "accepted", "rejected"]
    name: FormatName
    title: str
    source: str
    path: str
    lines_seen: int
    confidence: float
    created_at: datetime
    updated_at: datetime
    decided_at: datetime | None
    decided_by: str | None


class ProposalPage(_Body):
    """Newest first. `waiting` counts all that nobody has decided about."""

    rows: list[ProposalRow]
    waiting: int
    cursor: str | None


class ProposalDetail(ProposalRow):
    """With its file, how good it is, and what it makes of the first lines."""

    text: Text
    evaluation: EvaluationRow
    preview: list[LineResult]


class ProposalChanges(_Body):
    """What changes. `captures` renames captures: `{"fields.column3": "process.name"}`."""

    name: FormatName | None = None
    title: str | None = Field(None, min_length=1, max_length=200)
    captures: dict[str, str] | None = Field(None, examples=[{"fields.column3": "process.name"}])
    text: str | None = Field(None, max_length=262_144, examples=[_EXAMPLE_TEXT])


class Decision(_Body):
    """How an accepted format is called; as proposed where it is left out."""

    name: FormatName | None = None
    title: str | None = Field(None, min_length=1, max_length=200)
