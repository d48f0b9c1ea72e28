"""Turns events into findings."""

from vedette.detection.contract import Detector
from vedette.detection.rule import FailureThresholdRule
from vedette.detection.threshold import FailureThreshold

__all__ = ["Detector", "FailureThreshold", "FailureThresholdRule", "default_detectors"]


def default_detectors() -> tuple[Detector, ...]:
    """New detectors, in the order in which they are asked."""
    return (FailureThreshold(),)
