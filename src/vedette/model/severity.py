"""The scale of danger, 1-10, and the names people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOWEST: Final = 1
HIGHEST: Final = 10
HIGH: Final = 7
"""From here a finding calls for a person."""

_NAMES: Final = ("informational", "low", "medium", "high", "critical")


def severity_name(severity: int) -> str:
    """1-2 informational, 3-4 low, 5-6 medium, 7-8 high, 9-10 critical."""
    return _NAMES[(clamp(severity) - 1) // 2]


def clamp(severity: int) -> int:
    """The nearest value of the scale."""
    return max(LOWEST, min(HIGHEST, severity))


@dataclass(frozen=True, slots=True)
class SeverityFactor:
    """One line of the arithmetic behind a severity: the first is the base, the others add or subtract."""

    reason: str
    amount: int


def total(factors: tuple[SeverityFactor, ...]) -> int:
    """The severity that the factors add up to, kept within the scale."""
    return clamp(sum(factor.amount for factor in factors))
