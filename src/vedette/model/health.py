"""How a part is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HealthState(StrEnum):
    """ok: does its job; degraded: does it with a limitation; down: does not."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class PartHealth:
    """State of one part, with the reason and what a person can do about it (both empty when ok)."""

    part: str
    state: HealthState
    since: datetime
    reason: str = ""
    remedy: str = ""


def worst(parts: tuple[PartHealth, ...]) -> HealthState:
    """The overall state: down only if something is down."""
    order = (HealthState.OK, HealthState.DEGRADED, HealthState.DOWN)
    return max((part.state for part in parts), key=order.index, default=HealthState.OK)
