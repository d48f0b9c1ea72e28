"""The bodies of what is asked and answered about rules, backtests, exceptions, mutes and triage."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from vedette.api.schemas import AdviceRow, FactorRow

_EXAMPLE_ID: Final = "5d3bad93-b692-4448-a298-4b0b18710a59"
_EXAMPLE_TEXT: Final = (
    "title: Backup key was used from outside\n"
    "id: 0b8a2f0e-6a55-4c1f-9d5a-2f0c8d1a7e11\n"
    "logsource:\n"
    "  service: sshd\n"
    "detection:\n"
    "  login:\n"
    "    user.name: backup\n"
    "    event.outcome: success\n"
    "  inside:\n"
    "    source.ip|cidr: 10.0.0.0/8\n"
    "  condition: login and not inside\n"
    "level: high\n"
)

RuleId = Annotated[str, Field(min_length=1, max_length=200, examples=[_EXAMPLE_ID])]
RuleYaml = Annotated[str, Field(max_length=524_288, description="Sigma rules (YAML)", examples=[_EXAMPLE_TEXT])]
Reason = Annotated[str, Field(max_length=2_000, examples=["the nightly backup does this"])]
Condition = Annotated[str, Field(max_length=4_096, examples=["user.name:backup source.ip:10.0.0.0/8"])]
Status = Literal["new", "acknowledged", "resolved", "false-positive"]
ReadyState = Literal["ready", "waiting", "unknown"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RuleRow(_Body):
    """A rule. `readiness` is waiting while no recent event delivers what it needs; `findings` counts those it made."""

    id: RuleId
    title: str = Field(examples=["A command in a URL was answered with success"])
    kind: Literal["detection", "correlation"]
    level: str = Field(examples=["high"])
    status: str = Field(examples=["stable"])
    pack: str = Field(description="`shipped`, `own`, or the name of an imported pack or folder")
    file: str
    line: int
    tags: list[str]
    logsource: str = Field(
        description="Which logs it is about", examples=["product: windows, category: process_creation"]
    )
    enabled: bool
    readiness: ReadyState
    waits_for: str = Field("", examples=["needs CommandLine, no source delivers it"])
    findings: int = 0
    problem: str = Field("", description="Why it is not used although it could be read")


class RuleCounts(_Body):
    """Of all rules, whatever was asked for."""

    rules: int
    enabled: int
    ready: int
    waiting: int
    problems: int


class PackRow(_Body):
    """Where rules come from. `kind` folder is one of the setting `rules.folders`."""

    name: str
    kind: Literal["shipped", "own", "imported", "folder"]
    path: str
    rules: int
    problems: int
    loaded_at: datetime | None


class RulePage(_Body):
    """By level, the highest first, then title. `counts` are of all rules, `total` of those asked for."""

    rows: list[RuleRow]
    total: int
    counts: RuleCounts
    readiness_at: datetime | None
    cursor: str | None


class StateRow(_Body):
    """What somebody decided about a rule."""

    enabled: bool
    reason: str
    changed_at: datetime
    changed_by: str


class RuleDetail(RuleRow):
    """A rule with its text and everything that it says."""

    text: RuleYaml
    description: str
    author: str
    date: str
    references: list[str]
    false_positives: list[str]
    actions: list[str]
    fields: list[str] = Field(description="Whose values it asks for")
    rules: list[str] = Field(description="The rules that a correlation joins")
    used_by: list[str] = Field(description="The correlations that join it")
    state: StateRow | None
    exceptions: list[str] = Field(description="Ids of the exceptions that hold for it")


class RuleProblemRow(_Body):
    """A rule that is not used, or not as written, why, and what to do."""

    pack: str
    path: str
    line: int
    rule_id: str
    reason: str
    remedy: str


class RuleProblems(_Body):
    problems: list[RuleProblemRow]


class PackList(_Body):
    packs: list[PackRow]


class RuleText(_Body):
    text: RuleYaml


class CheckedRule(_Body):
    id: str
    title: str
    kind: Literal["detection", "correlation"]
    level: str
    readiness: ReadyState
    waits_for: str


class RuleCheck(_Body):
    """What a text would be as rules; nothing is kept."""

    rules: list[CheckedRule]
    problems: list[RuleProblemRow]


class RuleSwitch(_Body):
    enabled: bool
    reason: Reason = ""


class PackSource(_Body):
    """A folder or zip on the server, inside a folder of the setting `rules.import_from`."""

    path: str = Field(min_length=1, max_length=4_096, examples=["/srv/sigma/rules"])
    name: str | None = Field(None, max_length=64, examples=["sigmahq"])


class PackImported(_Body):
    name: str
    rules: int
    problems: list[RuleProblemRow] = Field(description="At most 200 of them")
    problems_total: int


class NeedRow(_Body):
    """Something that rules wait for."""

    needs: str = Field(examples=["logs of product: windows, category: process_creation"])
    rules: int


class ReadinessBody(_Body):
    """How many rules could fire on the events at hand, and what the others wait for, most wanted first."""

    at: datetime | None
    events: int = Field(description="How many recent events were looked at")
    ready: int
    waiting: int
    needs: list[NeedRow]


class DayCount(_Body):
    day: str = Field(examples=["2026-11-24"])
    count: int


class SampleRow(_Body):
    """An event that a rule matched. `hidden` says that an exception would hide it."""

    event_id: str
    time: datetime | None
    text: str
    hidden: bool = False


class BacktestRule(_Body):
    """What a rule would have done. `days` counts matching events, `findings` those they would have become."""

    rule_id: RuleId
    title: str
    level: str
    matches: int
    hidden: int
    findings: int
    days: list[DayCount]
    samples: list[SampleRow]


class BacktestAsk(_Body):
    """Rules to try on stored events: a text, ids, or a pack. Without `since` the last 30 days. `condition` is an
    exception whose effect is wanted."""

    text: str | None = Field(None, max_length=524_288, examples=[_EXAMPLE_TEXT])
    rules: list[RuleId] = Field(default_factory=list, max_length=1_000)
    pack: str | None = Field(None, max_length=64)
    since: datetime | None = None
    until: datetime | None = None
    condition: Condition | None = None


class BacktestRow(_Body):
    """A backtest: how far it is and what it found. Rules without a match are left out of `rules`."""

    id: str = Field(examples=["3f2a9c41d07e"])
    state: Literal["waiting", "running", "finished", "cancelled", "failed"]
    title: str
    since: datetime
    until: datetime
    created_at: datetime
    finished_at: datetime | None
    progress: float = Field(ge=0, le=1)
    events: int = Field(description="Events looked at")
    matches: int
    hidden: int
    findings: int
    summary: str = Field(examples=["would have hidden 214 of 230 events in 30 days"])
    rules: list[BacktestRule]
    problems: list[str]


class BacktestList(_Body):
    """Newest first; only the last ones are kept."""

    backtests: list[BacktestRow]


class ExceptionAsk(_Body):
    """An exception of a rule; null is any rule. From a finding, what is left out is taken from it: its rule, and a
    condition that names its entity. Without an end it holds 30 days."""

    rule_id: RuleId | None = None
    condition: Condition | None = None
    finding_id: str | None = Field(None, max_length=200)
    reason: Reason = ""
    expires_at: datetime | None = None


class ExceptionRow(_Body):
    """Events that fit `condition` make no findings of the rule; null is any rule."""

    id: str
    rule_id: str | None
    condition: Condition
    reason: Reason
    finding_id: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    active: bool


class ExceptionPage(_Body):
    """Newest first."""

    rows: list[ExceptionRow]
    cursor: str | None


class ExceptionEffect(_Body):
    """What an exception would have done to the last 30 days. The backtest may still run; ask for it by its id."""

    rule_id: str | None
    condition: Condition
    backtest: BacktestRow


class MuteAsk(_Body):
    """Quiet about a rule, or about one entity of it. Without an end it holds 30 days."""

    rule_id: RuleId
    entity_column: str | None = Field(None, max_length=128, examples=["source.ip"])
    entity_value: str | None = Field(None, max_length=4_096, examples=["203.0.113.9"])
    reason: Reason = ""
    until: datetime | None = None


class MuteRow(_Body):
    """Findings it covers are made and kept, but left out of lists and told to nobody until it ends."""

    id: str
    rule_id: str
    entity_column: str | None
    entity_value: str | None
    reason: Reason
    created_at: datetime
    created_by: str
    until: datetime


class MuteList(_Body):
    """Those that hold now, oldest first."""

    mutes: list[MuteRow]


class TriageAsk(_Body):
    """What became of it."""

    status: Status
    note: Reason = ""


class TriageRow(_Body):
    status: Status
    note: str
    changed_at: datetime
    changed_by: str


class ChapterRow(_Body):
    """One finding of an incident's story."""

    at: datetime
    until: datetime
    finding_id: str
    rule_id: str
    severity: int
    sentence: str
    tactics: list[str]


class IncidentRow(_Body):
    """Findings joined by what they share and by time."""

    id: str
    title: str
    summary: str
    severity: int = Field(ge=1, le=10)
    severity_name: str
    score: int = Field(description="As severity, without the limit of the scale")
    factors: list[FactorRow]
    first_seen: datetime
    last_seen: datetime
    entities: dict[str, list[str]]
    story: list[ChapterRow]
    finding_ids: list[str]
    event_count: int
    tactics: list[str]
    techniques: list[str]
    sources: list[str]
    actions: list[str]
    model_advice: AdviceRow | None = Field(None, description="What a language model said, where one is asked")
    status: Status
    triage: TriageRow | None


class IncidentPage(_Body):
    """The latest first. They are made of the newest findings, `findings` of them."""

    rows: list[IncidentRow]
    findings: int
    cursor: str | None


class AuditRow(_Body):
    """One decision, and who took it."""

    number: int
    at: datetime
    who: str
    action: str = Field(examples=["exception-created"])
    subject: str
    details: dict[str, Any]


class AuditPage(_Body):
    """Newest first."""

    rows: list[AuditRow]
    cursor: str | None
