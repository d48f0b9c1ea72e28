"""Turns events into findings."""

from vedette.detection.contract import Detector
from vedette.detection.rule import FailureThresholdRule
from vedette.detection.threshold import FailureThreshold

__all__ = ["Detector", "FailureThreshold", "FailureThresholdRule"]
