"""Turns events into findings."""

from importlib import resources
from pathlib import Path

from vedette.detection.contract import Detector
from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma_detector import SigmaDetector

__all__ = ["Detector", "SigmaDetector", "default_detectors"]


def default_detectors() -> tuple[Detector, ...]:
    """New detectors over the rules that ship, in the order in which they are asked. Blocks while it reads those."""
    shipped = Path(str(resources.files("vedette") / "content" / "rules"))
    return (SigmaDetector(load_rules([shipped], pack="vedette")),)
