"""Rules: which there are, whether they can fire, and changes to them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from vedette.api.context import COMMON, Cursor, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.rule_bodies import (
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
)
from vedette.api.services import RuleFilter

router = APIRouter(prefix="/api/v1/rules", tags=["rules"], responses=COMMON | problems(422, 503))

RuleId = Annotated[str, Path(min_length=1, max_length=200, examples=["5d3bad93-b692-4448-a298-4b0b18710a59"])]
PackName = Annotated[str, Path(min_length=1, max_length=64, examples=["sigmahq"])]
Level = Annotated[
    Literal["informational", "low", "medium", "high", "critical"] | None, Query(description="Only rules of this level")
]
Ready = Annotated[Literal["ready", "waiting", "unknown"] | None, Query(description="Only rules that can fire, or wait")]


@router.get("", dependencies=[Depends(requires("rules:read"))], responses=problems(400))
async def list_rules(
    *,
    services: Has,
    threads: Threads,
    pack: Annotated[str | None, Query(max_length=64, description="Only rules of this pack")] = None,
    level: Level = None,
    enabled: Annotated[bool | None, Query(description="Only rules that are on, or off")] = None,
    readiness: Ready = None,
    text: Annotated[str | None, Query(max_length=200, description="Words of title, id, file or tags")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> RulePage:
    """A page of the rules, the highest level first."""
    wanted = RuleFilter(pack=pack, level=level, enabled=enabled, readiness=readiness, text=text)
    return await threads.run(services.rules.page, wanted, limit=limit, cursor=cursor)


@router.get("/problems", dependencies=[Depends(requires("rules:read"))])
async def list_rule_problems(services: Has, threads: Threads) -> RuleProblems:
    """Every rule that is not used, or not as written: file, line, reason, remedy."""
    return await threads.run(services.rules.problems)


@router.get("/readiness", dependencies=[Depends(requires("rules:read"))])
async def rule_readiness(services: Has, threads: Threads) -> ReadinessBody:
    """How many rules could fire on the events at hand, and what the others wait for."""
    return await threads.run(services.rules.readiness)


@router.post("/check", dependencies=[Depends(requires("rules:read"))], responses=problems(413))
async def check_rules(services: Has, threads: Threads, body: RuleText) -> RuleCheck:
    """What a text would be as rules, and what is wrong with it; keeps nothing."""
    return await threads.run(services.rules.check, body)


@router.get("/packs", dependencies=[Depends(requires("rules:read"))])
async def list_packs(services: Has, threads: Threads) -> PackList:
    """Where rules come from; of two with the same id that of the earlier pack counts."""
    return await threads.run(services.rules.packs)


@router.post("/packs", dependencies=[Depends(requires("rules:write"))], responses=problems(413))
async def import_pack(services: Has, threads: Threads, body: PackSource) -> PackImported:
    """Import a folder or zip that lies on the server, in place of the pack of that name."""
    return await threads.run(services.rules.import_from, body)


@router.put(
    "/packs/{name}",
    dependencies=[Depends(requires("rules:write"))],
    responses=problems(400, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload_pack(services: Has, threads: Threads, name: PackName, request: Request) -> PackImported:
    """Import a zip of rules, at most 32 MiB, in place of the pack of that name."""
    return await threads.run(services.rules.import_zip, name, await request.body())


@router.delete(
    "/packs/{name}", status_code=204, dependencies=[Depends(requires("rules:write"))], responses=problems(404, 409)
)
async def delete_pack(services: Has, threads: Threads, name: PackName) -> None:
    """Remove an imported pack with its rules."""
    await threads.run(services.rules.remove_pack, name)


@router.get("/{rule_id}", dependencies=[Depends(requires("rules:read"))], responses=problems(404))
async def get_rule(services: Has, threads: Threads, rule_id: RuleId) -> RuleDetail:
    """One rule with its text."""
    return await threads.run(services.rules.get, rule_id)


@router.put("/{rule_id}", dependencies=[Depends(requires("rules:write"))], responses=problems(409, 413))
async def put_rule(services: Has, threads: Threads, rule_id: RuleId, body: RuleText) -> RuleDetail:
    """Make or replace a rule of one's own; one of another pack with its id is put aside."""
    return await threads.run(services.rules.put, rule_id, body)


@router.patch("/{rule_id}", dependencies=[Depends(requires("rules:write"))], responses=problems(404, 413))
async def switch_rule(services: Has, threads: Threads, rule_id: RuleId, body: RuleSwitch) -> RuleDetail:
    """Switch a rule on or off, with the reason."""
    return await threads.run(services.rules.switch, rule_id, body)


@router.delete(
    "/{rule_id}", status_code=204, dependencies=[Depends(requires("rules:write"))], responses=problems(404, 409)
)
async def delete_rule(services: Has, threads: Threads, rule_id: RuleId) -> None:
    """Remove a rule of one's own; its findings stay."""
    await threads.run(services.rules.delete, rule_id)
