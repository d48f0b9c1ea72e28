"""Judges what was found."""

from vedette.analysis.contract import Analyser
from vedette.analysis.severity import SeverityAnalyser

__all__ = ["Analyser", "SeverityAnalyser", "default_analysers"]


def default_analysers() -> tuple[Analyser, ...]:
    """New analysers, in the order in which they work."""
    return (SeverityAnalyser(),)
