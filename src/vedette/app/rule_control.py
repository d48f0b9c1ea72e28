"""Rules at run time: packs and files, which are in use, whether they can fire, and changes to them."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from threading import RLock
from typing import Final, Literal

import structlog

from vedette.api.problems import Refused, not_found
from vedette.api.rule_bodies import (
    CheckedRule,
    NeedRow,
    PackImported,
    PackList,
    PackRow,
    PackSource,
    ReadinessBody,
    ReadyState,
    RuleCheck,
    RuleCounts,
    RuleDetail,
    RulePage,
    RuleProblemRow,
    RuleProblems,
    RuleRow,
    RuleSwitch,
    RuleText,
    StateRow,
)
from vedette.api.services import RuleFilter
from vedette.app.cursors import place_from, to_cursor
from vedette.app.finding_control import WHO
from vedette.app.finding_counts import FindingCounts
from vedette.app.readiness import Survey, survey
from vedette.app.rule_folders import OWN, SHIPPED, Pack
from vedette.app.rule_library import LoadedPack, RuleLibrary, in_use, is_enabled
from vedette.app.rule_texts import rules_in_text, uncompilable
from vedette.configdb import ExceptionBook, RuleStates
from vedette.detection.following import CompiledRules, FollowingDetector
from vedette.detection.readiness import Readiness, fields_of, readiness_of
from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import LEVELS, CorrelationRule, DetectionRule, Rule, RuleProblem, RuleSet
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError
from vedette.model.health import HealthState, PartHealth
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_RANK: Final = {level: -rank for rank, level in enumerate(LEVELS)}
_PROBLEMS_SHOWN: Final = 200
_NEEDS_SHOWN: Final = 100
_LARGEST_TEXT: Final = 524_288


class RuleControl:
    """`RulesControl` of the API. Also follows the folders and surveys the events; thread-safe, every method blocks."""

    def __init__(
        self,
        *,
        library: RuleLibrary,
        detector: FollowingDetector,
        states: RuleStates,
        book: ExceptionBook,
        store: EventStore,
        clock: Clock,
        import_from: Sequence[Path] = (),
    ) -> None:
        self._library = library
        self._detector = detector
        self._states = states
        self._book = book
        self._store = store
        self._clock = clock
        self._import_from = tuple(import_from)
        self._counts = FindingCounts(store)
        self._lock = RLock()
        self._started = clock.now()
        self._used = in_use(library.rules, states.all())
        self._uncompiled: dict[str, RuleProblem] = {}
        self._survey: Survey | None = None

    @property
    def library(self) -> RuleLibrary:
        return self._library

    def is_rule(self, rule_id: str) -> bool:
        return self._library.get(rule_id) is not None

    def page(self, wanted: RuleFilter, *, limit: int, cursor: str | None) -> RulePage:
        rows = [self._row(rule, *facts) for rule, facts in self._with_facts()]
        chosen = sorted((row for row in rows if _fits(row, wanted)), key=_place)
        total = len(chosen)
        if cursor is not None:
            after = place_from(cursor, int, str, str)
            chosen = [row for row in chosen if _place(row) > after]
        page = chosen[:limit]
        ready = Counter(row.readiness for row in rows)
        return RulePage(
            rows=page,
            total=total,
            counts=RuleCounts(
                rules=len(rows),
                enabled=sum(row.enabled for row in rows),
                ready=ready["ready"],
                waiting=ready["waiting"],
                problems=len(self._problems()),
            ),
            readiness_at=self._survey.at if self._survey else None,
            cursor=to_cursor(*_place(page[-1])) if len(chosen) > limit else None,
        )

    def problems(self) -> RuleProblems:
        return RuleProblems(problems=[_problem_row(pack, problem) for pack, problem in self._problems()])

    def packs(self) -> PackList:
        return PackList(packs=[_pack_row(one) for one in self._library.packs])

    def readiness(self) -> ReadinessBody:
        known = self._survey
        if known is None:
            return ReadinessBody(at=None, events=0, ready=0, waiting=0, needs=[])
        ready = sum(one.is_ready for one in known.by_rule.values())
        needs = [NeedRow(needs=need, rules=number) for need, number in known.needs()[:_NEEDS_SHOWN]]
        return ReadinessBody(
            at=known.at, events=known.events, ready=ready, waiting=len(known.by_rule) - ready, needs=needs
        )

    def get(self, rule_id: str) -> RuleDetail:
        rule = self._known(rule_id)
        state = self._states.get(rule.id)
        row = self._row(rule, self._counts.by_rule()[rule.id], is_enabled(rule, self._states.all()))
        return RuleDetail(
            **row.model_dump(),
            text=self._text_of(rule),
            description=rule.description,
            author=rule.author,
            date=rule.date,
            references=list(rule.references),
            false_positives=list(rule.false_positives),
            actions=list(rule.actions),
            fields=list(fields_of(rule.condition)) if isinstance(rule, DetectionRule) else list(rule.group_by),
            rules=list(rule.rules) if isinstance(rule, CorrelationRule) else [],
            used_by=[one.id for one in self._library.rules.correlations if rule.id in one.rules],
            state=None
            if state is None
            else StateRow(
                enabled=state.is_enabled,
                reason=state.reason,
                changed_at=state.changed_at,
                changed_by=state.changed_by,
            ),
            exceptions=[one.id for one in self._book.active() if one.rule_id in (None, rule.id)],
        )

    def check(self, body: RuleText) -> RuleCheck:
        read = rules_in_text(body.text, known=self._library.rules.rules)
        problems = [*read.problems, *uncompilable(read), *RuleMatcher(read.detections).problems]
        known = self._survey
        ready = readiness_of(read, known.deliveries) if known else {}
        rules = [
            CheckedRule(
                id=rule.id,
                title=rule.title,
                kind=_kind(rule),
                level=rule.level,
                readiness=_ready_state(ready.get(rule.id)),
                waits_for=_waits_for(ready.get(rule.id)),
            )
            for rule in read.rules
        ]
        return RuleCheck(rules=rules, problems=[_problem_row("", problem) for problem in problems])

    def put(self, rule_id: str, body: RuleText) -> RuleDetail:
        identifier = rule_id.lower()
        read = rules_in_text(body.text, known=self._library.rules.rules)
        _require_rule(read, identifier)
        with self._lock:
            before = self._library.get(identifier)
            path = self._library.folders.own_file(identifier)
            if before is not None and before.pack == OWN:
                path = Path(before.path)
                others = {rule.id for rule in self._in_file(path)} - {rule.id for rule in read.rules}
                if others:
                    detail = (
                        f"The file {path.name} holds {len(others)} more rules ({sorted(others)[0]} …), which this text"
                        " does not; send them too, or edit the file."
                    )
                    raise Refused(HTTPStatus.CONFLICT, detail, field="text")
            self._library.folders.write_own(path, body.text)
            self._states.note("rule-written", identifier, by=WHO, file=path.name)
            self.reload()
        return self.get(identifier)

    def delete(self, rule_id: str) -> None:
        with self._lock:
            rule = self._known(rule_id)
            if rule.pack != OWN:
                detail = f"The rule {rule.id!r} is of the pack {rule.pack!r}; switch it off instead."
                raise Refused(HTTPStatus.CONFLICT, detail, field="rule_id", value=rule_id)
            path = Path(rule.path)
            others = [one for one in self._in_file(path) if one.id != rule.id]
            if others and path != self._library.folders.own_file(rule.id):
                detail = f"The file {path.name} holds {len(others)} more rules; take this one out of it by hand."
                raise Refused(HTTPStatus.CONFLICT, detail, field="rule_id", value=rule_id)
            self._library.folders.remove_own(path)
            self._states.note("rule-removed", rule.id, by=WHO, file=path.name)
            self.reload()

    def switch(self, rule_id: str, body: RuleSwitch) -> RuleDetail:
        with self._lock:
            rule = self._known(rule_id)
            self._states.set(rule.id, is_enabled=body.enabled, reason=body.reason, by=WHO)
            self.apply()
        return self.get(rule.id)

    def import_from(self, body: PackSource) -> PackImported:
        path = _resolved(body.path)
        if not any(path.is_relative_to(_resolved(str(allowed))) for allowed in self._import_from):
            detail = (
                f"path: {body.path} is in no folder of the setting rules.import_from; add one there, upload a zip, or"
                " use `vedette rules import`."
            )
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="path", value=body.path)
        return self.import_path(path, body.name)

    def import_zip(self, name: str, content: bytes) -> PackImported:
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            file.write(content)
            file.flush()
            try:
                return self.import_path(Path(file.name), name)
            except SettingsError as error:
                raise SettingsError(str(error).replace(file.name, "the upload"), field=error.field) from error

    def import_path(self, path: Path, name: str | None) -> PackImported:
        """A pack from a folder or zip, wherever it is."""
        folders = self._library.folders
        with self._lock:
            name = folders.name_for(path, name)
            with folders.draft(path) as draft:
                read = load_rules([draft], pack=name)
                if not read.rules:
                    reason = _below(draft, read.problems[0]) if read.problems else "no file holds a rule"
                    raise SettingsError(f"{path} is no pack of Sigma rules: {reason}")
                kept = folders.keep(draft, name)
                problems = [replace(one, path=one.path.replace(str(draft), str(kept))) for one in read.problems]
            self._states.note("pack-imported", name, by=WHO, rules=len(read.rules), problems=len(problems))
            self.reload()
        return PackImported(
            name=name,
            rules=len(read.rules),
            problems=[_problem_row(name, one) for one in problems[:_PROBLEMS_SHOWN]],
            problems_total=len(problems),
        )

    def remove_pack(self, name: str) -> None:
        with self._lock:
            pack = next((one.pack for one in self._library.packs if one.pack.name == name), None)
            if pack is None:
                raise not_found("pack", name, field="name")
            if pack.kind != "imported":
                detail = f"The pack {name!r} was not imported; only imported packs can be removed."
                raise Refused(HTTPStatus.CONFLICT, detail, field="name", value=name)
            self._library.folders.remove(pack)
            self._states.note("pack-removed", name, by=WHO)
            self.reload()

    def reload(self) -> bool:
        """Follow the files; whether anything changed."""
        with self._lock:
            if not self._library.load():
                return False
            self.apply()
            return True

    def apply(self) -> None:
        """Compile what is switched on, and hand it to the detector."""
        with self._lock:
            used = in_use(self._library.rules, self._states.all())
            compiled = CompiledRules.of(used)
            self._detector.offer(compiled)
            self.note_compiled(compiled)

    def note_compiled(self, compiled: CompiledRules) -> None:
        """What the detector works with now."""
        self._used = compiled.rules
        self._uncompiled = {problem.rule_id: problem for problem in compiled.matcher.problems}
        known = self._survey
        if known is not None:
            self._survey = replace(known, by_rule=readiness_of(self._library.rules, known.deliveries))

    def survey(self) -> Survey:
        """Look at recent events; takes seconds."""
        made = survey(self._store, self._library.rules, self._clock)
        self._survey = made
        return made

    def health(self) -> PartHealth:
        """Degraded while a rule of the operator's own, or one that ships, is not used or not as written."""
        problems = [
            problem for pack, problem in self._located(self._library.rules.problems) if pack in ("", OWN, SHIPPED)
        ]
        if not problems:
            return PartHealth("rules", HealthState.OK, self._started)
        reason = f"{len(problems)} rule(s) are not used, or not as written: {problems[0]}"
        return PartHealth("rules", HealthState.DEGRADED, self._started, reason, "Correct the file, or remove it")

    def _with_facts(self) -> list[tuple[Rule, tuple[int, bool]]]:
        counts, states = self._counts.by_rule(), self._states.all()
        return [(rule, (counts[rule.id], is_enabled(rule, states))) for rule in self._library.rules.rules]

    def _row(self, rule: Rule, findings: int, enabled: bool) -> RuleRow:
        ready = self._survey.by_rule.get(rule.id) if self._survey else None
        problem = self._uncompiled.get(rule.id)
        return RuleRow(
            id=rule.id,
            title=rule.title,
            kind=_kind(rule),
            level=rule.level,
            status=rule.status,
            pack=rule.pack,
            file=rule.path,
            line=rule.line,
            tags=list(rule.tags),
            logsource=str(rule.logsource) if isinstance(rule, DetectionRule) else "",
            enabled=enabled,
            readiness=_ready_state(ready),
            waits_for=_waits_for(ready),
            findings=findings,
            problem=f"{problem.reason}; {problem.remedy}" if problem else "",
        )

    def _problems(self) -> list[tuple[str, RuleProblem]]:
        return self._located([*self._library.rules.problems, *self._uncompiled.values()])

    def _located(self, problems: Sequence[RuleProblem]) -> list[tuple[str, RuleProblem]]:
        """With the pack whose folder the file is in."""
        roots = [(str(one.pack.path), one.pack.name) for one in self._library.packs]
        return [
            (next((name for root, name in roots if problem.path.startswith(root)), ""), problem) for problem in problems
        ]

    def _in_file(self, path: Path) -> list[Rule]:
        return [rule for rule in self._library.rules.rules if Path(rule.path) == path]

    def _text_of(self, rule: Rule) -> str:
        """The whole file, where it stands in one of its own; else the document."""
        path = Path(rule.path)
        try:
            if path.suffix in (".yml", ".yaml") and path.stat().st_size <= _LARGEST_TEXT:
                return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            pass
        return rule.source_text[:_LARGEST_TEXT]

    def _known(self, rule_id: str) -> Rule:
        found = self._library.get(rule_id.lower())
        if found is None:
            raise not_found("rule", rule_id, field="rule_id")
        return found


def _require_rule(read: RuleSet, identifier: str) -> None:
    """Raise SettingsError unless the text holds the rule, and nothing that could not be used."""
    ids = {rule.id for rule in read.rules}
    broken = [one for one in read.problems if one.rule_id not in ids]
    broken += uncompilable(read)
    if broken:
        raise SettingsError(str(broken[0]), field="text")
    if identifier not in ids:
        held = f"it holds {sorted(ids)[0]!r}" if ids else "it holds no rule"
        raise SettingsError(f"text: there is no rule with id: {identifier} in it, {held}; write that id.", field="text")


def _fits(row: RuleRow, wanted: RuleFilter) -> bool:
    if wanted.pack is not None and row.pack != wanted.pack:
        return False
    if wanted.level is not None and row.level != wanted.level:
        return False
    if wanted.enabled is not None and row.enabled != wanted.enabled:
        return False
    if wanted.readiness is not None and row.readiness != wanted.readiness:
        return False
    if not wanted.text:
        return True
    told = " ".join((row.title, row.id, row.file, row.logsource, *row.tags)).casefold()
    return all(word in told for word in re.split(r"\s+", wanted.text.casefold().strip()))


def _place(row: RuleRow) -> tuple[int, str, str]:
    return _RANK.get(row.level, 1), row.title, row.id


def _kind(rule: Rule) -> Literal["detection", "correlation"]:
    return "detection" if isinstance(rule, DetectionRule) else "correlation"


def _ready_state(ready: Readiness | None) -> ReadyState:
    if ready is None:
        return "unknown"
    return "ready" if ready.is_ready else "waiting"


def _waits_for(ready: Readiness | None) -> str:
    return str(ready) if ready is not None and not ready.is_ready else ""


def _problem_row(pack: str, one: RuleProblem) -> RuleProblemRow:
    return RuleProblemRow(
        pack=pack, path=one.path, line=one.line, rule_id=one.rule_id, reason=one.reason, remedy=one.remedy
    )


def _pack_row(one: LoadedPack) -> PackRow:
    pack: Pack = one.pack
    at: datetime | None = one.loaded_at
    return PackRow(
        name=pack.name,
        kind=pack.kind,
        path=str(pack.path),
        rules=len(one.rules.rules),
        problems=len(one.rules.problems),
        loaded_at=at,
    )


def _below(folder: Path, problem: RuleProblem) -> str:
    return str(problem).replace(f"{folder}/", "")


def _resolved(path: str) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingsError(
            f"path: {path!r} cannot be followed ({error}); name a folder or zip", field="path"
        ) from error
