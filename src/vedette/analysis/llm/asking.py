"""Asks the model beside the stream: a bounded waiting list, one question at a time, whatever goes wrong kept to itself."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Final, Protocol

import structlog

from vedette.analysis.llm.answer import checked
from vedette.analysis.llm.endpoint import Endpoint, ModelFailure, Reply
from vedette.analysis.llm.lead import DAY, Breaker, Budget
from vedette.analysis.llm.question import Question
from vedette.model.advice import AdvisedKind, ModelAdvice
from vedette.model.clock import Clock
from vedette.model.health import HealthState, PartHealth
from vedette.settings import ModelSettings

log = structlog.get_logger(__name__)

_LOOK_EVERY_SECONDS: Final = 0.25
_ATTEMPTS: Final = 2
"""At a question whose answer cannot be used."""
_REMEMBERED: Final = 5_000
"""Subjects that need not be offered again."""

_PAUSE_SECONDS: Final = 30.0
"""Before the budget is looked at again."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What may be asked about. `severity` orders the waiting list; a `wished` one goes first and is not dropped for others."""

    kind: AdvisedKind
    id: str
    severity: int
    version: str = ""
    """Asked about again when it changes."""
    is_wished: bool = False
    attempts: int = 0

    @property
    def place(self) -> tuple[AdvisedKind, str]:
        return self.kind, self.id

    @property
    def rank(self) -> tuple[bool, int]:
        return self.is_wished, self.severity


class Advised(Protocol):
    """Where answers are kept. Blocks; thread-safe."""

    def with_key(self, key: str, model: str) -> ModelAdvice | None:
        """The answer to an equal question of this model."""
        ...

    def holds(self, kind: AdvisedKind, subject: str, key: str, model: str) -> bool:
        """Whether an answer of this model to this question is kept, however old."""
        ...

    def keep(self, kind: AdvisedKind, subject: str, key: str, advice: ModelAdvice, *, tokens: int) -> None:
        """`tokens` is 0 where the answer is one that was there."""
        ...

    def spent_since(self, time: datetime) -> Sequence[tuple[datetime, int]]:
        """When the model was asked, and the tokens of each."""
        ...


class Adviser:
    """`offer` and `wish` may be called from any thread and return at once; `run` is a task of the event loop.

    `question_of` makes the question about a subject, None when it is gone; it blocks and is called in a thread.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        question_of: Callable[[Subject], Question | None],
        book: Advised,
        clock: Clock,
        endpoint: Endpoint | None = None,
    ) -> None:
        self._settings = settings
        self._question_of = question_of
        self._book = book
        self._clock = clock
        self._endpoint = endpoint or Endpoint(settings)
        self._breaker = Breaker()
        self._budget: Budget | None = None
        self._lock = Lock()
        self._waiting: dict[tuple[AdvisedKind, str], tuple[Subject, float]] = {}
        self._known: OrderedDict[tuple[AdvisedKind, str], str] = OrderedDict()
        self._paused_until = 0.0
        self._counts: Counter[str] = Counter()
        self._started = clock.now()
        self._trouble: tuple[datetime, str, str] | None = None

    def offer(self, subjects: Iterable[Subject]) -> None:
        """What came or grew; what is severe enough and was not asked about is put on the list."""
        chosen = [one for one in subjects if one.severity >= self._settings.min_severity]
        if not chosen:
            return
        with self._lock:
            for one in chosen:
                if self._known.get(one.place) != one.version and one.place not in self._waiting:
                    self._add(one)

    def wish(self, subject: Subject) -> bool:
        """Ask about this, whatever its severity, before all others. False when the list is full of wishes."""
        with self._lock:
            return self._add(subject)

    def stats(self) -> Mapping[str, int]:
        """Counters since the start."""
        names = ("requests", "answered", "reused", "failures", "given_up", "dropped", "claims_dropped", "tokens")
        with self._lock:
            return {"waiting": len(self._waiting)} | {name: self._counts[name] for name in names}

    def health(self) -> PartHealth:
        """Never down: everything works without the model."""
        trouble = self._trouble
        if trouble is None:
            return PartHealth("model", HealthState.OK, self._started)
        return PartHealth("model", HealthState.DEGRADED, trouble[0], trouble[1], trouble[2])

    async def run(self) -> None:
        """Ask, until cancelled."""
        try:
            while True:
                try:
                    await self._step()
                except Exception as error:
                    log.error("model_step_failed", error=type(error).__name__)
                    self._note_trouble(
                        "Asking the model failed inside Vedette.", "See the log; report it with the log."
                    )
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        finally:
            await self._endpoint.close()

    async def _step(self) -> None:
        if self._budget is None:
            spent = await asyncio.to_thread(self._book.spent_since, self._clock.now() - DAY)
            self._budget = Budget(
                requests_per_hour=self._settings.requests_per_hour,
                tokens_per_day=self._settings.tokens_per_day,
                spent=spent,
            )
        subject = self._next()
        if subject is not None:
            await self._consider(subject, self._budget)

    async def _consider(self, subject: Subject, budget: Budget) -> None:
        question = await asyncio.to_thread(self._question_of, subject)
        if question is None or not question.event_ids:
            return
        if not subject.is_wished and await asyncio.to_thread(self._is_answered, subject, question):
            return
        if why := budget.exhausted(self._clock.now()):
            self._put_back(subject)
            self._paused_until = self._clock.monotonic() + _PAUSE_SECONDS
            self._note_trouble(f"The model is not asked: {why}.", "Wait, or raise that setting.")
            return
        await self._ask(subject, question, budget)

    def _is_answered(self, subject: Subject, question: Question) -> bool:
        """Whether this model was asked this before, about this or about something equal."""
        model = self._settings.model
        if self._book.holds(subject.kind, subject.id, question.key, model):
            return True
        if (known := self._book.with_key(question.key, model)) is None:
            return False
        self._book.keep(subject.kind, subject.id, question.key, known, tokens=0)
        self._counts["reused"] += 1
        return True

    async def _ask(self, subject: Subject, question: Question, budget: Budget) -> None:
        now = self._clock.now()
        try:
            await asyncio.to_thread(self._endpoint.open)
            log.info("model_asked", about=subject.id, events=len(question.event_ids), characters=len(question.text))
            self._counts["requests"] += 1
            reply = await self._endpoint.ask(question.text)
            advice = self._checked(reply, question, now)
        except ModelFailure as failure:
            if failure.tokens:
                budget.spend(now, failure.tokens)
            self._note_failure(subject, failure)
            return
        budget.spend(now, reply.tokens)
        await asyncio.to_thread(
            self._book.keep, subject.kind, subject.id, question.key, advice, tokens=max(reply.tokens, 1)
        )
        self._counts.update(answered=1, tokens=reply.tokens, claims_dropped=advice.dropped)
        self._breaker.note_success()
        self._trouble = None

    def _checked(self, reply: Reply, question: Question, now: datetime) -> ModelAdvice:
        secrets = self._endpoint.secrets
        advice = checked(reply.answer, question, model=self._settings.model, asked_at=now, secrets=secrets)
        if advice is None:
            raise ModelFailure(
                "The model's answer was thrown away: nothing that it said rests on events that it was shown.",
                "Nothing to do unless it lasts; then take another model.",
                is_about_answer=True,
                tokens=reply.tokens,
            )
        return advice

    def _note_failure(self, subject: Subject, failure: ModelFailure) -> None:
        """A server that fails is asked again later; an answer that cannot be used is asked for twice."""
        self._breaker.note_failure(self._clock.monotonic(), is_lasting=failure.is_lasting)
        self._note_trouble(failure.reason, failure.remedy)
        tried = replace(subject, attempts=subject.attempts + failure.is_about_answer)
        self._counts["failures"] += 1
        if tried.attempts < _ATTEMPTS:
            self._put_back(tried)
        else:
            self._counts["given_up"] += 1

    def _note_trouble(self, reason: str, remedy: str) -> None:
        if self._trouble is None or self._trouble[1] != reason:
            log.warning("model_gives_no_advice", reason=reason, remedy=remedy)
            self._trouble = (self._clock.now(), reason, remedy)

    def _add(self, subject: Subject) -> bool:
        """Put it on the list, in the place of the least when that is full. Call with the lock."""
        place = subject.place
        self._known[place] = subject.version
        self._known.move_to_end(place)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        if place not in self._waiting and len(self._waiting) >= self._settings.max_waiting:
            least = min(self._waiting, key=lambda each: self._waiting[each][0].rank)
            self._counts["dropped"] += 1
            if self._waiting[least][0].rank >= subject.rank:
                return False
            del self._waiting[least]
        self._waiting[place] = subject, self._clock.monotonic()
        return True

    def _put_back(self, subject: Subject) -> None:
        with self._lock:
            self._add(subject)

    def _next(self) -> Subject | None:
        """Take the worst that has had its time to grow; a wish does not wait for that. None while the breaker is open."""
        now = self._clock.monotonic()
        if self._breaker.is_open(now) or now < self._paused_until:
            return None
        with self._lock:
            grown = now - self._settings.settle_seconds
            due = [one for one, since in self._waiting.values() if one.is_wished or since <= grown]
            if not due:
                return None
            subject = max(due, key=lambda one: one.rank)
            del self._waiting[subject.place]
            return subject
