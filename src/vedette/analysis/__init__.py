"""Judges what was found."""

from vedette.analysis.contract import Analyser
from vedette.analysis.severity import SeverityAnalyser

__all__ = ["Analyser", "SeverityAnalyser"]
