"""Exceptions and mutes: previewed, made, ended, and handed to those who act on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from http import HTTPStatus

import structlog

from vedette.api.problems import Refused, not_found
from vedette.api.rule_bodies import (
    BacktestAsk,
    ExceptionAsk,
    ExceptionEffect,
    ExceptionPage,
    ExceptionRow,
    MuteAsk,
    MuteList,
    MuteRow,
)
from vedette.app.backtest_control import BacktestControl
from vedette.app.cursors import unknown_cursor
from vedette.app.finding_control import WHO
from vedette.configdb import ExceptionBook, Mute, RuleException
from vedette.detection.exclusions import Exclusion
from vedette.model.clock import Clock
from vedette.model.errors import QueryError
from vedette.model.events import COLUMN_BY_NAME
from vedette.model.findings import Finding
from vedette.model.query import MATCH_ALL, parse_query
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_PREVIEW_SECONDS = 5.0
_MOST_VALUES = 8


class ExceptionControl:
    """`ExceptionsControl` of the API. `tell` is called with every exception that holds, after each change."""

    def __init__(
        self,
        *,
        book: ExceptionBook,
        store: EventStore,
        backtests: BacktestControl,
        is_rule: Callable[[str], bool],
        tell: Callable[[Sequence[Exclusion]], None],
        clock: Clock,
    ) -> None:
        self._book = book
        self._store = store
        self._backtests = backtests
        self._is_rule = is_rule
        self._tell = tell
        self._clock = clock

    def page(self, *, active: bool | None, limit: int, cursor: str | None) -> ExceptionPage:
        if cursor is not None and self._book.get(cursor) is None:
            raise unknown_cursor(cursor)
        found = self._book.page(is_active=active, limit=limit + 1, after=cursor)
        rows = [self._row(one) for one in found[:limit]]
        return ExceptionPage(rows=rows, cursor=rows[-1].id if len(found) > limit else None)

    def get(self, identifier: str) -> ExceptionRow:
        found = self._book.get(identifier)
        if found is None:
            raise not_found("exception", identifier, field="exception_id")
        return self._row(found)

    def preview(self, body: ExceptionAsk) -> ExceptionEffect:
        rule_id, condition = self._meant(body)
        asked = BacktestAsk(rules=[rule_id] if rule_id is not None else [], condition=condition)
        started = self._backtests.start(asked, all_rules=rule_id is None)
        return ExceptionEffect(
            rule_id=rule_id, condition=condition, backtest=self._backtests.wait(started.id, _PREVIEW_SECONDS)
        )

    def add(self, body: ExceptionAsk) -> ExceptionRow:
        rule_id, condition = self._meant(body)
        made = self._book.add(
            rule_id=rule_id,
            condition=condition,
            reason=body.reason,
            expires_at=body.expires_at,
            by=WHO,
            finding_id=body.finding_id,
        )
        log.info("exception_made", id=made.id, rule=rule_id, condition=condition, until=made.expires_at.isoformat())
        self.tell()
        return self._row(made)

    def end(self, identifier: str) -> ExceptionRow:
        ended = self._book.end(identifier, by=WHO)
        if ended is None:
            raise not_found("exception", identifier, field="exception_id")
        self.tell()
        return self._row(ended)

    def mutes(self) -> MuteList:
        return MuteList(mutes=[_mute_row(one) for one in self._book.active_mutes()])

    def mute(self, body: MuteAsk) -> MuteRow:
        if (body.entity_column is None) != (body.entity_value is None):
            detail = "entity_value: an entity is a column and a value; give both, or neither for the whole rule."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="entity_value", value=body.entity_value)
        entity = (body.entity_column, body.entity_value) if body.entity_column and body.entity_value else None
        made = self._book.mute(rule_id=body.rule_id, entity=entity, reason=body.reason, until=body.until, by=WHO)
        return _mute_row(made)

    def unmute(self, identifier: str) -> None:
        if self._book.unmute(identifier, by=WHO) is None:
            raise not_found("mute", identifier, field="mute_id")

    def tell(self) -> None:
        """Hand over the exceptions that hold now."""
        self._tell(exclusions_of(self._book.active()))

    def _meant(self, body: ExceptionAsk) -> tuple[str | None, str]:
        """The rule and the condition, from the finding where they are left out."""
        finding = self._finding(body.finding_id) if body.finding_id is not None else None
        rule_id = body.rule_id or (finding.rule_id if finding else None)
        condition = body.condition or (condition_of(finding) if finding else "")
        if rule_id is not None and not self._is_rule(rule_id):
            hint = "; what speaks of it is no rule, so mute it instead" if finding and not body.rule_id else ""
            detail = f"rule_id: there is no rule {rule_id!r}{hint}."
            raise Refused(HTTPStatus.NOT_FOUND, detail, field="rule_id", value=rule_id)
        if not condition.strip():
            detail = "condition: say which events are meant, like user.name:backup; or disable the rule."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="condition")
        parsed = parse_query(condition, now=self._clock.now())
        if parsed.tree == MATCH_ALL.tree:
            detail = "condition: it fits every event; disable the rule instead."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="condition", value=condition)
        return rule_id, condition

    def _finding(self, identifier: str) -> Finding:
        found = self._store.finding(identifier)
        if found is None:
            raise not_found("finding", identifier, field="finding_id")
        return found

    def _row(self, one: RuleException) -> ExceptionRow:
        return ExceptionRow(**asdict(one), active=one.is_active(self._clock.now()))


def exclusions_of(exceptions: Sequence[RuleException]) -> list[Exclusion]:
    """Exceptions as the detector takes them. Relative times are meant from when the exception was made; a condition
    that an older version understood and this one does not is left out and logged."""
    made = []
    for one in exceptions:
        try:
            query = parse_query(one.condition, now=one.created_at)
        except QueryError as error:
            log.error("exception_unreadable", id=one.id, condition=one.condition, error=str(error))
            continue
        made.append(Exclusion(one.rule_id, query, one.expires_at))
    return made


def condition_of(finding: Finding) -> str:
    """A query that names the finding's entity."""
    terms = [
        f"{column}:{_quoted(value)}"
        for column, value in list(finding.entity.items())[:_MOST_VALUES]
        if value and (column in COLUMN_BY_NAME or column.startswith("fields."))
    ]
    return " ".join(terms)


def _quoted(value: str) -> str:
    from vedette.model.query.tree import quoted

    return quoted(value)


def _mute_row(one: Mute) -> MuteRow:
    return MuteRow(
        id=one.id,
        rule_id=one.rule_id,
        entity_column=one.entity_column,
        entity_value=one.entity_value,
        reason=one.reason,
        created_at=one.created_at,
        created_by=one.created_by,
        until=one.until,
    )
