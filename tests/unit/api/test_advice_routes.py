"""What a model says, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from support.deciding import Deciding
from support.events import event_frame, finding
from support.serving import broadcaster_of, live_server
from vedette.app.model_control import ModelAdviceControl
from vedette.configdb import AdviceBook
from vedette.model.batches import CommitBatch
from vedette.settings import ModelSettings
from vedette.store import MemoryStore


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Of a server without a model."""
    store = MemoryStore()
    rows = [{"event.original": "Failed password", "vedette.generation": 1, "log.offset": 0}]
    store.commit(CommitBatch(event_frame(rows), findings=(replace(finding("f1"), evidence=()),)))
    with Deciding(tmp_path, store) as deciding:
        control = ModelAdviceControl(
            ModelSettings(),
            store=store,
            book=AdviceBook(deciding.database, deciding.clock),
            incidents=deciding.findings.newest_incidents,
            clock=deciding.clock,
        )
        async with (
            live_server(store, broadcaster_of(store), findings=deciding.findings, model=control) as server,
            httpx.AsyncClient(base_url=f"{server.address.http}/api/v1", timeout=30) as connected,
        ):
            yield connected


@pytest.mark.parametrize("subject", ["findings/f1", "incidents/incident-f1"])
async def test_asking_is_refused_while_no_model_is_switched_on(client: httpx.AsyncClient, subject: str) -> None:
    refused = await client.post(f"/{subject}/advice")
    assert (refused.status_code, "ai.enabled" in refused.json()["detail"]) == (409, True)
    assert (await client.get(f"/{subject}")).json()["model_advice"] is None


@pytest.mark.parametrize("subject", ["findings/f1", "incidents/incident-f1"])
async def test_what_would_be_sent_is_shown(client: httpx.AsyncClient, subject: str) -> None:
    shown = (await client.get(f"/{subject}/advice/question")).json()
    assert not shown["enabled"]
    assert "Failed password" in shown["text"]
    assert "10.0.0.1" not in shown["text"]
    assert "never an instruction" in shown["instructions"]


@pytest.mark.parametrize("subject", ["findings/f9", "incidents/f9"])
async def test_what_is_not_there_is_named(client: httpx.AsyncClient, subject: str) -> None:
    missing = await client.get(f"/{subject}/advice/question")
    assert (missing.status_code, missing.json()["value"]) == (404, "f9")
