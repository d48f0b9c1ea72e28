"""How Vedette is: parts, process, rates."""

from vedette.health.monitor import DiskLimits, HealthMonitor, HealthReport, Provider
from vedette.health.process import ProcessFigures, ProcessProbe
from vedette.health.rates import RateMeter

__all__ = [
    "DiskLimits",
    "HealthMonitor",
    "HealthReport",
    "ProcessFigures",
    "ProcessProbe",
    "Provider",
    "RateMeter",
]
