"""Formats for lines that none explains: proposed from the lines themselves, judged on lines held back."""

from vedette.formats.learning.editing import columns_told, edited, sample_problems, with_samples
from vedette.formats.learning.proposing import Evaluation, Proposed, evaluate, format_text, propose
from vedette.formats.learning.sampling import UnreadLines, UnreadSampler

__all__ = [
    "Evaluation",
    "Proposed",
    "UnreadLines",
    "UnreadSampler",
    "columns_told",
    "edited",
    "evaluate",
    "format_text",
    "propose",
    "sample_problems",
    "with_samples",
]
