"""What a model may answer, and what of it is kept: claims that cite events which were sent, in words that stand there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from vedette.analysis.llm.question import Question
from vedette.analysis.llm.redaction import without
from vedette.model.advice import Claim, ModelAdvice

MOST_CLAIMS: Final = 6
"""Of each kind that are kept."""
LONGEST_CLAIM: Final = 600
LONGEST_QUOTE: Final = 300

_URL: Final = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.)\S+", re.IGNORECASE)
_SPACES: Final = re.compile(r"\s+")
_MANNERS: Final = re.compile(r"[\[\]()#\s]")


class SaidClaim(BaseModel):
    """One sentence or two, with the events that it rests on."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="The claim, in plain words for an operator")
    events: list[str] = Field(description="Numbers of the events it rests on, such as E1; at least one")
    quote: str = Field("", description="Words copied exactly from one of these events; empty if none")


class Answer(BaseModel):
    """Advice about what was found. Say nothing that the events do not show."""

    model_config = ConfigDict(extra="ignore")

    explanation: list[SaidClaim] = Field(description="What happened, one to four claims")
    causes: list[SaidClaim] = Field(default_factory=list, description="Possible causes, harmless ones too")
    next_steps: list[SaidClaim] = Field(default_factory=list, description="What to look at or do next, in order")


def checked(
    answer: Answer, question: Question, *, model: str, asked_at: datetime, secrets: Iterable[str] = ()
) -> ModelAdvice | None:
    """What of an answer holds against the events that were sent; None when nothing of its explanation does."""
    kept: dict[str, tuple[Claim, ...]] = {}
    dropped = 0
    for kind, said in (
        ("explanation", answer.explanation), ("causes", answer.causes), ("next_steps", answer.next_steps),
    ):  # fmt: skip
        claims = [_claim(one, question, tuple(secrets)) for one in said]
        good = [one for one in claims if one is not None]
        dropped += len(claims) - len(good)
        kept[kind] = tuple(good[:MOST_CLAIMS])
    if not kept["explanation"]:
        return None
    return ModelAdvice(model, asked_at, question.subject, **kept, dropped=dropped)


def _claim(said: SaidClaim, question: Question, secrets: tuple[str, ...]) -> Claim | None:
    """None when it says nothing, cites an event that was not sent, or quotes what does not stand there."""
    text = _plain(without(said.text, secrets))
    numbers = list(dict.fromkeys(_MANNERS.sub("", each).upper() for each in said.events))
    if not text or not numbers or any(number not in question.event_ids for number in numbers):
        return None
    quote = _SPACES.sub(" ", said.quote).strip().strip("\"'`")
    if quote and not _stands_in(quote, numbers, question.texts):
        return None
    ids = tuple(question.event_ids[number] for number in numbers)
    words = question.redaction.restored(text)
    shown = question.redaction.restored(_plain(without(quote, secrets), links=True))
    return Claim(_cut(words, LONGEST_CLAIM), ids, _cut(shown, LONGEST_QUOTE))


def _stands_in(quote: str, numbers: Iterable[str], texts: Mapping[str, str]) -> bool:
    return any(quote in _SPACES.sub(" ", texts[number]) for number in numbers)


def _plain(text: str, *, links: bool = False) -> str:
    """One line of visible text; what a model wrote leads nowhere."""
    visible = "".join(" " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign for sign in text)
    told = visible if links else _URL.sub("[link removed]", visible)
    return _SPACES.sub(" ", told).strip()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
