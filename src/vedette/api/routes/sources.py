"""Sources: what is watched, and how it fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path
from starlette.responses import Response

from vedette.api.context import COMMON, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.problems import Refused, not_found
from vedette.api.schemas import LedgerNoteRow, SourceList, SourcePreview, SourceView
from vedette.api.services import Services
from vedette.api.threads import StoreThreads

router = APIRouter(prefix="/api/v1/sources", tags=["sources"], responses=COMMON | problems(422, 503))

SourceId = Annotated[str, Path(min_length=1, max_length=128, examples=["auth"])]
Config = Annotated[
    dict[str, Any],
    Body(
        description="A source's configuration: `paths`, and what differs from the defaults",
        openapi_examples={"folder": {"value": {"paths": ["/var/log/*.log"], "start": "end"}}},
    ),
]
Changes = Annotated[
    dict[str, Any],
    Body(
        description="The fields that change; `enabled` switches the source on and off",
        openapi_examples={"off": {"value": {"enabled": False}}},
    ),
]


@router.get("", dependencies=[Depends(requires("sources:read"))])
async def list_sources(services: Has, threads: Threads) -> SourceList:
    """Every source with its state and ledger."""
    return SourceList(sources=await _views(services, threads))


@router.post("", status_code=201, dependencies=[Depends(requires("sources:write"))], responses=problems(413))
async def add_source(services: Has, threads: Threads, config: Config, response: Response) -> SourceView:
    """Keep a source and begin to read it."""
    identifier = await services.sources.add(config)
    response.headers["Location"] = f"/api/v1/sources/{identifier}"
    return await _view(services, threads, identifier)


@router.post("/preview", dependencies=[Depends(requires("sources:read"))], responses=problems(413))
async def preview_source(services: Has, config: Config) -> SourcePreview:
    """What a source would read, and what becomes of its first lines; keeps nothing."""
    return await services.sources.preview(config)


@router.get("/{source_id}", dependencies=[Depends(requires("sources:read"))], responses=problems(404))
async def get_source(services: Has, threads: Threads, source_id: SourceId) -> SourceView:
    """One source with what happened to it."""
    view = await _view(services, threads, source_id)
    notes = await threads.run(services.store.notes, source_id, limit=100)
    told = [LedgerNoteRow.model_validate(_without_source(asdict(note))) for note in notes]
    return view.model_copy(update={"notes": told})


@router.patch("/{source_id}", dependencies=[Depends(requires("sources:write"))], responses=problems(404, 413))
async def change_source(services: Has, threads: Threads, source_id: SourceId, changes: Changes) -> SourceView:
    """Change fields of a source; it takes effect at once."""
    before = await _view(services, threads, source_id)
    enabled = changes.pop("enabled", before.enabled)
    if not isinstance(enabled, bool):
        detail = f"enabled: {enabled!r} is neither true nor false."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="enabled", value=repr(enabled))
    if changes:
        await services.sources.change(source_id, changes)
    if enabled != before.enabled:
        await services.sources.set_enabled(source_id, enabled)
    return await _view(services, threads, source_id)


@router.delete(
    "/{source_id}",
    status_code=204,
    dependencies=[Depends(requires("sources:write"))],
    responses=problems(404),
)
async def remove_source(services: Has, threads: Threads, source_id: SourceId) -> None:
    """Stop reading a source and forget it; its events stay."""
    await _view(services, threads, source_id)
    await services.sources.remove(source_id)


async def _views(services: Services, threads: StoreThreads) -> list[SourceView]:
    ledger = await threads.run(services.store.ledger)
    formats = services.formats()
    return [_complete(view, ledger, formats) for view in await services.sources.list_status()]


async def _view(services: Services, threads: StoreThreads, source_id: str) -> SourceView:
    for view in await _views(services, threads):
        if view.id == source_id:
            return view
    raise not_found("source", source_id, field="source_id")


def _complete(view: SourceView, ledger: Mapping[str, Mapping[str, int]], formats: Mapping[str, Any]) -> SourceView:
    known = {"ledger": view.ledger or dict(ledger.get(view.id, {}))}
    return view.model_copy(update=known | {"format": view.format or formats.get(view.id)})


def _without_source(note: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in note.items() if name != "source_id"}
