"""What a language model said about a finding or an incident. Advice beside a verdict: nothing is decided by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

AdvisedKind = Literal["finding", "incident"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim whose events exist and whose quote, if it has one, stands in them."""

    text: str
    event_ids: tuple[str, ...]
    quote: str = ""


@dataclass(frozen=True, slots=True)
class ModelAdvice:
    """`model` is its name. `about` is the finding or incident it was asked about; others of the same kind share the
    answer. `dropped` counts claims that cited nothing that was sent.
    """

    model: str
    asked_at: datetime
    about: str
    explanation: tuple[Claim, ...]
    causes: tuple[Claim, ...]
    next_steps: tuple[Claim, ...]
    dropped: int = 0
