"""Formats for lines that none explains: proposed from the lines themselves, judged on lines held back."""

from vedette.formats.learning.proposing import Evaluation, Proposed, evaluate, format_text, propose

__all__ = ["Evaluation", "Proposed", "evaluate", "format_text", "propose"]
