"""The rules of all packs: read, read anew when their files change, and which of them are in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import RLock

import structlog

from vedette.app.rule_folders import OWN, Pack, RuleFolders, Signature
from vedette.configdb import RuleState
from vedette.detection.sigma.loading import load_rules, merged
from vedette.detection.sigma.rules import (
    CorrelationRule,
    CorrelationType,
    DetectionRule,
    Rule,
    RuleProblem,
    RuleSet,
)
from vedette.model.clock import Clock

log = structlog.get_logger(__name__)

_NOT_FOR_USE = frozenset(("deprecated", "unsupported"))
"""Statuses of rules that are used only where somebody switched them on."""
_SEQUENCES = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)


@dataclass(frozen=True, slots=True)
class LoadedPack:
    """A pack as its files were when it was read."""

    pack: Pack
    rules: RuleSet
    loaded_at: datetime
    signature: Signature


class RuleLibrary:
    """Thread-safe. `load` blocks: some 3,000 rules a second, and only packs whose files changed are read."""

    def __init__(self, folders: RuleFolders, clock: Clock) -> None:
        self.folders = folders
        self._clock = clock
        self._lock = RLock()
        self._packs: tuple[LoadedPack, ...] = ()
        self._missing: list[Path] = []
        self._all = RuleSet()
        self._by_id: dict[str, Rule] = {}

    @property
    def packs(self) -> tuple[LoadedPack, ...]:
        return self._packs

    @property
    def rules(self) -> RuleSet:
        """Every rule that could be read, and what is wrong with the others."""
        return self._all

    def get(self, rule_id: str) -> Rule | None:
        return self._by_id.get(rule_id)

    def load(self) -> bool:
        """Follow the files; whether anything changed."""
        with self._lock:
            known = {one.pack: one for one in self._packs}
            packs: list[LoadedPack] = []
            for pack in reversed(self.folders.packs()):  # those that come first may refer to the others
                signature, before = pack.signature(), known.get(pack)
                if before is not None and before.signature == signature:
                    packs.append(before)
                    continue
                others = [rule for one in packs for rule in one.rules.rules]
                rules = load_rules([pack.path], pack=pack.name, known=others)
                packs.append(LoadedPack(pack, rules, self._clock.now(), signature))
                log.info("rules_loaded", pack=pack.name, rules=len(rules.rules), problems=len(rules.problems))
            packs.reverse()
            missing = self.folders.missing()
            if tuple(packs) == self._packs and missing == self._missing:
                return False
            self._packs, self._missing = tuple(packs), missing
            self._all = self._merged(packs)
            self._by_id = {rule.id: rule for rule in self._all.rules}
            return True

    def _merged(self, packs: list[LoadedPack]) -> RuleSet:
        """An own rule takes the place of one with its id elsewhere without a word: that is how one is changed."""
        own = {rule.id for one in packs if one.pack.name == OWN for rule in one.rules.rules}
        sets = [one.rules if one.pack.name == OWN else _without(one.rules, own) for one in packs]
        missing = tuple(
            RuleProblem(str(path), 0, "the folder of the setting rules.folders is not there", "make it, or remove it")
            for path in self._missing
        )
        rules = merged(sets)
        return replace(rules, problems=(*missing, *rules.problems))


def is_enabled(rule: Rule, states: Mapping[str, RuleState]) -> bool:
    """What somebody decided, else what the rule's status says."""
    state = states.get(rule.id)
    return state.is_enabled if state is not None else rule.status not in _NOT_FOR_USE


def in_use(rules: RuleSet, states: Mapping[str, RuleState]) -> RuleSet:
    """The rules that are switched on. Without its correlation a rule that was only a part of it rests, too; a
    correlation goes on with the parts that are left, a sequence only with all of them."""
    enabled = {rule.id for rule in rules.rules if is_enabled(rule, states)}
    correlations = _correlations_in_use(rules.correlations, enabled)
    joined = {name for rule in correlations for name in rule.rules}
    resting = {
        name
        for rule in rules.correlations
        if rule.id not in {one.id for one in correlations} and not rule.generate
        for name in rule.rules
    } - joined
    asked_for = {name for name, state in states.items() if state.is_enabled}
    detections = tuple(
        rule for rule in rules.detections if rule.id in enabled and (rule.id not in resting or rule.id in asked_for)
    )
    return RuleSet(detections, correlations, rules.problems)


def _correlations_in_use(rules: tuple[CorrelationRule, ...], enabled: set[str]) -> tuple[CorrelationRule, ...]:
    """Those that are switched on with what they join; repeated, as one may join another."""
    used = [rule for rule in rules if rule.id in enabled]
    while True:
        gone = {rule.id for rule in rules} - {rule.id for rule in used}
        kept = []
        for rule in used:
            parts = tuple(name for name in rule.rules if name in enabled and name not in gone)
            is_whole = len(parts) == len(rule.rules)
            if is_whole or (parts and rule.type not in _SEQUENCES):
                kept.append(rule if is_whole else replace(rule, rules=parts))
        if len(kept) == len(used):
            return tuple(kept)
        used = kept


def _without(rules: RuleSet, ids: set[str]) -> RuleSet:
    return RuleSet(
        tuple(rule for rule in rules.detections if rule.id not in ids),
        tuple(rule for rule in rules.correlations if rule.id not in ids),
        tuple(problem for problem in rules.problems if not problem.rule_id or problem.rule_id not in ids),
    )


def kind_of(rule: Rule) -> str:
    return "detection" if isinstance(rule, DetectionRule) else "correlation"
