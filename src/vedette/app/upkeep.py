"""What happens beside the stream: retention, and the numbers that are told once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from vedette.health import HealthMonitor
from vedette.live import EventBroadcaster
from vedette.model.clock import Clock
from vedette.model.errors import StoreError
from vedette.settings import StoreSettings
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_RETENTION_EVERY: Final = timedelta(minutes=10)
_METRICS_EVERY: Final = timedelta(seconds=1)


async def keep_retention(store: EventStore, limits: StoreSettings, clock: Clock) -> None:
    """Delete what is too old or too much, now and every ten minutes, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(apply_retention, store, limits, clock)
        except StoreError as error:
            log.warning("retention_failed", error=str(error))
        await asyncio.sleep(_RETENTION_EVERY.total_seconds())


def apply_retention(store: EventStore, limits: StoreSettings, clock: Clock) -> int:
    """Delete once; how many events. Blocks."""
    deleted = 0
    if limits.retention_age is not None:
        deleted += store.drop_before(clock.now() - limits.retention_age)
    if limits.retention_bytes is not None:
        deleted += store.shrink_to(limits.retention_bytes)
    if deleted:
        log.info("retention_deleted", events=deleted)
    return deleted


async def tell_metrics(
    broadcaster: EventBroadcaster, health: HealthMonitor, stats: Callable[[], Mapping[str, Any]]
) -> None:
    """Publish rates and the state of the parts once a second, until cancelled."""
    last_parts: object = None
    while True:
        report = await asyncio.to_thread(health.report)
        broadcaster.publish_metrics({**stats(), "state": report.state.value})
        parts = [
            {"part": part.part, "state": part.state.value, "reason": part.reason, "remedy": part.remedy}
            for part in report.parts
        ]
        if parts != last_parts:
            broadcaster.publish_status(parts)
            last_parts = parts
        await asyncio.sleep(_METRICS_EVERY.total_seconds())
