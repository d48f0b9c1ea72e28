"""What the routes need, handed in by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vedette.api.format_bodies import (
    Decision,
    ExplainLines,
    FormatChoicePage,
    FormatDetail,
    FormatExplanation,
    FormatList,
    FormatTest,
    FormatText,
    ProposalChanges,
    ProposalDetail,
    ProposalPage,
    TestLines,
)
from vedette.api.rule_bodies import (
    AuditPage,
    BacktestAsk,
    BacktestList,
    BacktestRow,
    ExceptionAsk,
    ExceptionEffect,
    ExceptionPage,
    ExceptionRow,
    IncidentPage,
    IncidentRow,
    MuteAsk,
    MuteList,
    MuteRow,
    PackImported,
    PackList,
    PackSource,
    ReadinessBody,
    RuleCheck,
    RuleDetail,
    RulePage,
    RuleProblems,
    RuleSwitch,
    RuleText,
    TriageAsk,
)
from vedette.api.schemas import FindingPage, FindingRow, ModelQuestion, SourcePreview, SourceView
from vedette.configdb import ProposalState
from vedette.health import HealthMonitor
from vedette.live import EventBroadcaster, WebSocketManager
from vedette.model.advice import AdvisedKind
from vedette.model.clock import Clock
from vedette.store.contract import EventStore


class SourcesControl(Protocol):
    """Sources as the API sees them. Called on the event loop; raises SettingsError for what a person must mend.

    Configurations come as JSON objects, so that one place (the configuration's own type) judges them. Every change is
    durable and in effect, or on its way to it, when the call returns.
    """

    async def list_status(self) -> Sequence[SourceView]:
        """Every source, in order; `ledger` and `format` may be left empty, the API adds what it knows."""
        ...

    async def add(self, config: Mapping[str, Any]) -> str:
        """Keep and start a source; its id."""
        ...

    async def change(self, source_id: str, changes: Mapping[str, Any]) -> None:
        """Replace the named fields of a source's configuration."""
        ...

    async def remove(self, source_id: str) -> None: ...

    async def set_enabled(self, source_id: str, enabled: bool) -> None: ...

    async def preview(self, config: Mapping[str, Any]) -> SourcePreview:
        """What a source would read now and what becomes of its first lines; keeps nothing."""
        ...


class FormatsControl(Protocol):
    """Formats as the API sees them. Thread-safe; every method blocks. Raises Refused for what does not exist or cannot be
    done as things are, FormatError for a format file that is wrong.

    Every change is durable, and in effect for lines that come later, when the call returns.
    """

    def list_formats(self) -> FormatList: ...

    def get(self, name: str) -> FormatDetail | None: ...

    def put(self, name: str, body: FormatText) -> FormatDetail: ...

    def delete(self, name: str) -> None: ...

    def test(self, body: TestLines) -> FormatTest: ...

    def explain(self, body: ExplainLines) -> FormatExplanation: ...

    def choices(self, *, limit: int, cursor: str | None) -> FormatChoicePage: ...

    def proposals(self, state: ProposalState | None, *, limit: int, cursor: str | None) -> ProposalPage: ...

    def proposal(self, identifier: str) -> ProposalDetail: ...

    def change(self, identifier: str, body: ProposalChanges) -> ProposalDetail: ...

    def accept(self, identifier: str, body: Decision) -> ProposalDetail: ...

    def reject(self, identifier: str) -> ProposalDetail: ...


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """Which rules are asked for; None is any. `text` is looked for in title, id, file and tags."""

    pack: str | None = None
    level: str | None = None
    enabled: bool | None = None
    readiness: str | None = None
    text: str | None = None


class RulesControl(Protocol):
    """Rules as the API sees them. Thread-safe; every method blocks. Raises Refused for what does not exist or cannot be
    done as things are, SettingsError for what a person must mend.

    Every change is durable, and in effect for events that come later, when the call returns.
    """

    def page(self, wanted: RuleFilter, *, limit: int, cursor: str | None) -> RulePage: ...

    def problems(self) -> RuleProblems: ...

    def packs(self) -> PackList: ...

    def readiness(self) -> ReadinessBody: ...

    def get(self, rule_id: str) -> RuleDetail: ...

    def check(self, body: RuleText) -> RuleCheck: ...

    def put(self, rule_id: str, body: RuleText) -> RuleDetail: ...

    def delete(self, rule_id: str) -> None: ...

    def switch(self, rule_id: str, body: RuleSwitch) -> RuleDetail: ...

    def import_from(self, body: PackSource) -> PackImported:
        """A pack from a folder or zip on the server, inside the allowed folders."""
        ...

    def import_zip(self, name: str, content: bytes) -> PackImported: ...

    def remove_pack(self, name: str) -> None: ...


class BacktestsControl(Protocol):
    """Rules tried on stored events, in threads of their own. Thread-safe; raises Refused and SettingsError."""

    def start(self, body: BacktestAsk) -> BacktestRow:
        """Begin, or wait until one of those that run has ended. Raises Refused when too many wait."""
        ...

    def get(self, identifier: str) -> BacktestRow: ...

    def list(self) -> BacktestList: ...

    def cancel(self, identifier: str) -> BacktestRow: ...


class ExceptionsControl(Protocol):
    """Exceptions and mutes as the API sees them. Thread-safe; every method blocks. Raises Refused, QueryError for a
    condition that is no query, SettingsError for an end that cannot be.

    Every change is durable, and in effect for events that come later, when the call returns.
    """

    def page(self, *, active: bool | None, limit: int, cursor: str | None) -> ExceptionPage: ...

    def get(self, identifier: str) -> ExceptionRow: ...

    def preview(self, body: ExceptionAsk) -> ExceptionEffect: ...

    def add(self, body: ExceptionAsk) -> ExceptionRow: ...

    def end(self, identifier: str) -> ExceptionRow: ...

    def mutes(self) -> MuteList: ...

    def mute(self, body: MuteAsk) -> MuteRow: ...

    def unmute(self, identifier: str) -> None: ...


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings are asked for; None is any. `entity` is `column:value`, or a value of any column."""

    min_severity: int = 1
    rule: str | None = None
    status: str | None = None
    entity: str | None = None
    muted: bool | None = False


class FindingsControl(Protocol):
    """Findings and incidents with what people decided about them. Thread-safe; every method blocks; raises Refused."""

    def page(self, wanted: FindingFilter, *, limit: int, cursor: str | None) -> FindingPage: ...

    def get(self, identifier: str) -> FindingRow: ...

    def triage(self, identifier: str, body: TriageAsk) -> FindingRow: ...

    def incidents(self, *, status: str | None, min_severity: int, limit: int, cursor: str | None) -> IncidentPage: ...

    def incident(self, identifier: str) -> IncidentRow: ...

    def triage_incident(self, identifier: str, body: TriageAsk) -> IncidentRow: ...

    def audit(self, *, subject: str | None, limit: int, cursor: str | None) -> AuditPage: ...


class ModelControl(Protocol):
    """The language model as the API sees it. Thread-safe; every method blocks; raises Refused."""

    def ask(self, kind: AdvisedKind, identifier: str) -> None:
        """Put it first on the list of what is asked about. Refused while no model is switched on."""
        ...

    def question(self, kind: AdvisedKind, identifier: str) -> ModelQuestion:
        """What would be sent; nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """`stats` gives numbers by name for `/api/v1/stats` (rates, queue, pipeline); `formats` gives what is known of each
    source's format by source id; `template_ids` gives every id that a template has had, by one of them. All are quick.
    `hosts` are names this server is reached by besides loopback; `origins` are pages that may talk to it besides its own
    (`http://localhost:5173`)."""

    store: EventStore
    broadcaster: EventBroadcaster
    sockets: WebSocketManager
    sources: SourcesControl
    library: FormatsControl
    rules: RulesControl
    findings: FindingsControl
    exceptions: ExceptionsControl
    backtests: BacktestsControl
    model: ModelControl
    health: HealthMonitor
    stats: Callable[[], Mapping[str, Any]]
    formats: Callable[[], Mapping[str, Any]]
    clock: Clock
    version: str
    template_ids: Callable[[str], Collection[str]] = lambda identifier: (identifier,)
    web_root: Path | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
