"""One module a resource."""

from fastapi import APIRouter

from vedette.api.routes import events, findings, formats, health, live, sources, stats

ROUTERS: tuple[APIRouter, ...] = (
    events.router,
    findings.router,
    sources.router,
    formats.router,
    stats.router,
    health.router,
    live.router,
)
