"""What a language model says about findings and incidents; the answers stand in their `model_advice`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vedette.api.context import COMMON, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.schemas import AdviceAsked, ModelQuestion

router = APIRouter(prefix="/api/v1", tags=["advice"], responses=COMMON | problems(404, 422, 503))

FindingId = Annotated[str, Path(min_length=1, max_length=200)]
IncidentId = Annotated[str, Path(min_length=1, max_length=250)]
_READ = [Depends(requires("findings:read"))]
_WRITE = [Depends(requires("findings:write"))]


@router.post(
    "/findings/{finding_id}/advice", status_code=HTTPStatus.ACCEPTED, dependencies=_WRITE, responses=problems(409)
)
async def ask_about_finding(services: Has, threads: Threads, finding_id: FindingId) -> AdviceAsked:
    """Ask the model about a finding, before all others that wait; 409 while no model is switched on."""
    await threads.run(services.model.ask, "finding", finding_id)
    return AdviceAsked()


@router.get("/findings/{finding_id}/advice/question", dependencies=_READ)
async def show_question_about_finding(services: Has, threads: Threads, finding_id: FindingId) -> ModelQuestion:
    """What would leave this machine if the model were asked; nothing is sent."""
    return await threads.run(services.model.question, "finding", finding_id)


@router.post(
    "/incidents/{incident_id}/advice", status_code=HTTPStatus.ACCEPTED, dependencies=_WRITE, responses=problems(409)
)
async def ask_about_incident(services: Has, threads: Threads, incident_id: IncidentId) -> AdviceAsked:
    """Ask the model about an incident, before all others that wait; 409 while no model is switched on."""
    await threads.run(services.model.ask, "incident", incident_id)
    return AdviceAsked()


@router.get("/incidents/{incident_id}/advice/question", dependencies=_READ)
async def show_question_about_incident(services: Has, threads: Threads, incident_id: IncidentId) -> ModelQuestion:
    """What would leave this machine if the model were asked; nothing is sent."""
    return await threads.run(services.model.question, "incident", incident_id)
