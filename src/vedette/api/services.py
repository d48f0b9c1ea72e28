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
from vedette.api.schemas import SourcePreview, SourceView
from vedette.configdb import ProposalState
from vedette.health import HealthMonitor
from vedette.live import EventBroadcaster, WebSocketManager
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
    health: HealthMonitor
    stats: Callable[[], Mapping[str, Any]]
    formats: Callable[[], Mapping[str, Any]]
    clock: Clock
    version: str
    template_ids: Callable[[str], Collection[str]] = lambda identifier: (identifier,)
    web_root: Path | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
