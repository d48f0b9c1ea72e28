"""What happens beside the stream: retention, the folders of formats and rules, learning, readiness, and the numbers told
once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Set
from datetime import timedelta
from typing import Any, Final

import structlog

from vedette.app.formats import FormatControl
from vedette.app.rule_control import RuleControl
from vedette.health import HealthMonitor
from vedette.live import EventBroadcaster
from vedette.model.clock import Clock
from vedette.model.errors import StoreError
from vedette.settings import StoreSettings
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_RETENTION_EVERY: Final = timedelta(minutes=10)
_FORMATS_EVERY: Final = timedelta(seconds=2)
_RULES_EVERY: Final = timedelta(seconds=3)
_FIRST_SURVEY_AFTER: Final = timedelta(seconds=5)
_SURVEY_EVERY: Final = timedelta(minutes=10)
_LEARNING_EVERY: Final = timedelta(seconds=1)
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


async def follow_formats(formats: FormatControl) -> None:
    """Use what was changed in the formats' folder by hand, within seconds, until cancelled."""
    while True:
        await asyncio.sleep(_FORMATS_EVERY.total_seconds())
        try:
            await asyncio.to_thread(formats.reload_if_changed)
        except Exception:
            log.exception("formats_not_reloaded")


async def follow_rules(rules: RuleControl) -> None:
    """Use what was changed in the folders of rules by hand, within seconds, until cancelled."""
    while True:
        await asyncio.sleep(_RULES_EVERY.total_seconds())
        try:
            await asyncio.to_thread(rules.reload)
        except Exception:
            log.exception("rules_not_reloaded")


async def survey_events(rules: RuleControl) -> None:
    """Find out which rules could fire on the events at hand, soon and every ten minutes, until cancelled."""
    wait = _FIRST_SURVEY_AFTER
    while True:
        await asyncio.sleep(wait.total_seconds())
        try:
            await asyncio.to_thread(rules.survey)
        except Exception:
            log.exception("survey_failed")
        wait = _SURVEY_EVERY


async def learn_formats(formats: FormatControl, store: EventStore, but: Set[str]) -> None:
    """Propose formats for lines that none explains, one file a second at most, until cancelled."""
    try:
        await asyncio.to_thread(formats.recall, store, but=but)
    except Exception:
        log.exception("unread_lines_not_recalled")
    while True:
        await asyncio.sleep(_LEARNING_EVERY.total_seconds())
        try:
            await asyncio.to_thread(formats.learn)
        except Exception:
            log.exception("learning_failed")


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
