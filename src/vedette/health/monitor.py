"""The state of every part, gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

import structlog

from vedette.health.process import ProcessFigures, ProcessProbe
from vedette.model.clock import Clock
from vedette.model.health import HealthState, PartHealth, worst

log = structlog.get_logger(__name__)

Provider = Callable[[], PartHealth | Iterable[PartHealth]]
"""Tells how a part, or each of its members, is. Quick; may be called from any thread."""

MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Everything at one moment. `state` is that of the worst part."""

    state: HealthState
    at: datetime
    parts: tuple[PartHealth, ...]
    process: ProcessFigures


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """Free space below which the data folder counts as nearly full, and as full."""

    low_bytes: int = 1024 * MIB
    low_share: float = 0.05
    full_bytes: int = 64 * MIB


class HealthMonitor:
    """Asks the registered parts how they are. A part that cannot answer is down, with the reason.

    `report` may be called from any thread; readings within a second of each other are shared.
    """

    def __init__(self, probe: ProcessProbe, clock: Clock, *, disk: DiskLimits | None = None) -> None:
        self._probe = probe
        self._clock = clock
        self._disk = disk or DiskLimits()
        self._providers: dict[str, Provider] = {}
        self._since: dict[str, tuple[HealthState, datetime]] = {}
        self._lock = Lock()
        self._latest: tuple[float, HealthReport] | None = None

    def register(self, part: str, provider: Provider) -> None:
        """Add a part; registering a name again replaces it."""
        with self._lock:
            self._providers[part] = provider
            self._latest = None

    def report(self) -> HealthReport:
        """How everything is."""
        with self._lock:
            now = self._clock.monotonic()
            if self._latest is None or now - self._latest[0] >= 1:
                self._latest = (now, self._read())
            return self._latest[1]

    def _read(self) -> HealthReport:
        figures = self._probe.read()
        parts = [self._disk_health(figures)]
        for name, provider in self._providers.items():
            parts.extend(self._ask(name, provider))
        told = tuple(parts)
        return HealthReport(worst(told), self._clock.now(), told, figures)

    def _ask(self, name: str, provider: Provider) -> Iterable[PartHealth]:
        try:
            answer = provider()
            return [answer] if isinstance(answer, PartHealth) else list(answer)
        except Exception as error:
            log.exception("health_check_failed", part=name)
            reason = f"Its health check failed: {error or type(error).__name__}."
            return [self._part(name, HealthState.DOWN, reason, "See the error log of the server.")]

    def _disk_health(self, figures: ProcessFigures) -> PartHealth:
        free, low = figures.disk_free_bytes, self._low_bytes(figures)
        if free >= low:
            return self._part("disk", HealthState.OK)
        state = HealthState.DOWN if free < self._disk.full_bytes else HealthState.DEGRADED
        reason = f"{free // MIB} MiB are free on the disk of the data folder; {low // MIB} MiB should be."
        remedy = "Free space, move the data folder to a larger disk, or lower store.retention_bytes."
        return self._part("disk", state, reason, remedy)

    def _low_bytes(self, figures: ProcessFigures) -> int:
        return min(self._disk.low_bytes, int(figures.disk_total_bytes * self._disk.low_share))

    def _part(self, name: str, state: HealthState, reason: str = "", remedy: str = "") -> PartHealth:
        known = self._since.get(name)
        if known is None or known[0] is not state:
            known = self._since[name] = (state, self._clock.now())
        return PartHealth(name, state, known[1], reason, remedy)
