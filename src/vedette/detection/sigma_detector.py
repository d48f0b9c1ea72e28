"""The `Detector` of rules: matches become findings, alone or together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import polars as pl
import structlog
import zstandard

from vedette.detection.correlation.attempts import Attempts
from vedette.detection.correlation.correlator import Correlator, Told, Witness
from vedette.detection.correlation.gauges import STATISTICS, TEMPORAL
from vedette.detection.correlation.marks import EndOfInput, Marks
from vedette.detection.correlation.sightings import KEY_SEPARATOR, Askers, Batch, FieldValues, Sighting
from vedette.detection.correlation.single import SingleWindows
from vedette.detection.correlation.tally import MAX_TEXT, cut
from vedette.detection.rule_findings import finding_of
from vedette.detection.sigma.rules import CorrelationRule, DetectionRule, LogSource, RuleSet
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Evidence, Finding

log = structlog.get_logger(__name__)

_STATE_VERSION: Final = 1
_MAX_CLAUSES: Final = 6
_NO_VALUE: Final = pl.Series("value", [None], dtype=pl.String)
_SCHEMA: Final = pl.Schema(
    {
        "row": pl.UInt32,
        "part": pl.UInt8,
        "time": pl.Int64,
        "generation": pl.Int64,
        "offset": pl.Int64,
        "weight": pl.Int64,
        "key": pl.String,
        "value": pl.String,
        "user": pl.String,
        "host": pl.String,
        "source": pl.String,
        "address": pl.String,
    }
)


class Matcher(Protocol):
    """Tells which rules match which events; `vedette.detection.sigma.matching.RuleMatcher`."""

    def match(self, events: pl.DataFrame) -> pl.DataFrame:
        """Pairs of `rule` (its place) and `row`, sorted by row, then rule; each once."""
        ...

    def evidence(self, rule_place: int, event: Mapping[str, Any]) -> tuple[Evidence, ...]:
        """The clauses that held for one event."""
        ...


class Exclusions(Protocol):
    """Tells which matches people excepted. One that is false excepts nothing and is not asked."""

    def __call__(
        self, rule_ids: Sequence[str], matches: pl.DataFrame, events: pl.DataFrame, now: datetime
    ) -> pl.Series:
        """One boolean a match; `rule` of a match is the place among `rule_ids`."""
        ...


class SigmaDetector:
    """One growing finding for each rule, key and window. Rules that others refer to are silent unless those generate.

    Findings do not depend on how the stream is cut, as long as no bound is reached; what the bounds cost is counted
    in `evicted`.
    """

    def __init__(
        self,
        rules: RuleSet,
        matcher: Matcher | None = None,
        *,
        exclusions: Exclusions | None = None,
        field_values: FieldValues | None = None,
    ) -> None:
        self._exclusions = exclusions
        self._field_values = field_values or _field_values_of_rules()
        self._attempts = Attempts()
        self._marks = Marks()
        self._single = SingleWindows(())
        self._correlators: list[Correlator] = []
        self._changed = False
        self._gone = 0
        self.use(rules, matcher)
        self._changed = False

    @property
    def name(self) -> str:
        return "sigma"

    @property
    def rules(self) -> RuleSet:
        """The rules in use."""
        return self._rules

    @property
    def evicted(self) -> int:
        """Windows and events given up because a bound was reached."""
        return self._gone + self._single.evicted + self._attempts.evicted + sum(c.evicted for c in self._correlators)

    def use(self, rules: RuleSet, matcher: Matcher | None = None) -> None:
        """Go on with these rules. Windows of rules that mean the same as before are kept, those of others begin anew."""
        if matcher is None:
            from vedette.detection.sigma.matching import RuleMatcher

            matcher = RuleMatcher(rules.detections)
        self._matcher = matcher
        self._rules = rules
        self._ids = [rule.id for rule in rules.detections]
        self._places = {identifier: place for place, identifier in enumerate(self._ids)}
        ordered = _in_order(rules.correlations, self._places.keys())
        silent = _silent(rules, ordered)
        speaks = [identifier not in silent for identifier in self._ids]
        self._speaks = pl.Series("speaks", speaks, dtype=pl.Boolean)
        self._single.use(rules.detections)
        self._attempts.keep(set(self._ids))
        self._correlators = self._made(ordered)
        self._askers = _askers(rules.detections, self._places, ordered)
        self._silent = silent
        self._changed = True

    def inspect(self, events: pl.DataFrame, now: datetime, matches: pl.DataFrame | None = None) -> list[Finding]:
        """`matches`: what the matcher found in the events, where that was asked before."""
        matches = self._matcher.match(events) if matches is None else matches
        if self._exclusions and matches.height:
            matches = matches.filter(~self._exclusions(self._ids, matches, events, now))
        waits = any(correlator.waits for correlator in self._correlators)
        if matches.is_empty() and not waits:
            return []
        self._changed = True
        batch = Batch(events, matches, self._rules.detections, self._field_values, self._askers)
        if waits:
            self._marks.read(batch.all_facts)
        wall = _microseconds(now)
        findings = self._take_single(batch, matches, wall)
        findings += self._take_correlations(batch, wall, now)
        self._marks.advance()
        return findings

    def finish(self, now: datetime, *, until: datetime | None = None) -> list[Finding]:
        """What windows that wait for their end tell when nothing more comes. `until`: only those that are over by then."""
        if not any(correlator.waits for correlator in self._correlators):
            return []
        self._changed = True
        nothing = EVENT_SCHEMA.to_frame()
        batch = Batch(nothing, self._matcher.match(nothing), self._rules.detections, self._field_values, self._askers)
        end = EndOfInput(None if until is None else _microseconds(until))
        return self._take_correlations(batch, _microseconds(now), now, end=end)

    def snapshot(self) -> bytes | None:
        if not self._changed:
            return None
        self._changed = False
        correlations = (
            f"{json.dumps(one.rule.id)}:[{json.dumps(_meaning(one.rule))},{one.to_text()}]" for one in self._correlators
        )
        text = (
            f'{{"version":{_STATE_VERSION},"single":{self._single.to_text()},"correlations":{{{",".join(correlations)}}},'
            f'"attempts":{json.dumps(self._attempts.to_json(), separators=(",", ":"))},'
            f'"marks":{json.dumps(self._marks.to_json(), separators=(",", ":"))}}}'
        )
        return zstandard.compress(text.encode(), level=1)

    def restore(self, state: bytes) -> None:
        self._begin_anew()
        if not state:
            return
        try:
            self._load(json.loads(zstandard.decompress(state)))
        except (zstandard.ZstdError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            self._begin_anew()
            log.warning("detector_state_unreadable", detector=self.name, reason=str(error))

    def _begin_anew(self) -> None:
        self._attempts = Attempts()
        self._marks = Marks()
        self._single = SingleWindows(self._rules.detections)
        self._correlators = self._made([one.rule for one in self._correlators], keep=False)
        self._changed = False

    def _load(self, state: dict[str, Any]) -> None:
        if state["version"] != _STATE_VERSION:
            raise ValueError(f"version {state['version']}")
        self._single.load(state["single"])
        self._attempts.load(state["attempts"])
        self._attempts.keep(set(self._ids))
        self._marks.load(state["marks"])
        for correlator in self._correlators:
            meaning, known = state["correlations"].get(correlator.rule.id, ("", {}))
            if meaning == _meaning(correlator.rule):
                correlator.load(known)

    def _made(self, rules: Sequence[CorrelationRule], *, keep: bool = True) -> list[Correlator]:
        """A correlator for each rule; the one there is where the rule still means the same."""
        known = {one.rule.id: one for one in self._correlators} if keep else {}
        titles = {rule.id: rule.title for rule in self._rules.rules}
        referred = {identifier for rule in rules for identifier in rule.rules}
        made = []
        for rule in rules:
            parts = [titles.get(identifier, identifier) for identifier in rule.rules]
            old = known.pop(rule.id, None)
            if old is not None and _meaning(old.rule) == _meaning(rule):
                old.go_on_as(rule, parts, is_told=rule.id in referred)
                made.append(old)
            else:
                self._gone += old.evicted if old else 0
                made.append(Correlator(rule, parts, is_told=rule.id in referred))
        self._gone += sum(one.evicted for one in known.values())
        return made

    def _take_single(self, batch: Batch, matches: pl.DataFrame, wall: int) -> list[Finding]:
        speaking = matches.filter(self._speaks.gather(matches.get_column("rule")))
        if speaking.is_empty():
            return []

        def evidence(sighting: Sighting, place: int) -> Sequence[Evidence]:
            return self._evidence_of_event(batch, place, sighting)

        witness = Witness(batch.text, evidence, batch.category, self._marks, wall)
        return [finding_of(rule, tally) for rule, tally in self._single.take(batch, speaking, witness)]

    def _take_correlations(
        self, batch: Batch, wall: int, now: datetime, *, end: EndOfInput | None = None
    ) -> list[Finding]:
        findings: list[Finding] = []
        told: dict[str, list[Told]] = {}
        weights: dict[int, pl.Series] = {}
        for correlator in self._correlators:
            rule = correlator.rule
            frame = self._sightings(rule, batch, told, weights)
            if frame is None and not correlator.waits:
                continue
            frame = _SCHEMA.to_frame() if frame is None else self._without_excluded(rule, frame, batch, now)
            witness = Witness(batch.text, self._evidence(rule, batch), batch.category, self._marks, wall)
            tallies, moments = correlator.take(frame, witness)
            if end is not None and correlator.waits:
                last = correlator.take(_SCHEMA.to_frame(), witness._replace(marks=end))
                tallies, moments = tallies + last[0], moments + last[1]
            if moments:
                told[rule.id] = moments
            if rule.id not in self._silent:
                findings += [finding_of(rule, tally) for tally in tallies]
        return findings

    def _without_excluded(
        self, rule: CorrelationRule, frame: pl.DataFrame, batch: Batch, now: datetime
    ) -> pl.DataFrame:
        if not self._exclusions or frame.is_empty():
            return frame
        pairs = frame.select(pl.lit(0, dtype=pl.UInt32).alias("rule"), "row")
        is_excluded = self._exclusions([rule.id], pairs, batch.events, now)
        return frame.filter(~is_excluded) if is_excluded.any() else frame

    def _sightings(
        self, rule: CorrelationRule, batch: Batch, told: Mapping[str, list[Told]], weights: dict[int, pl.Series]
    ) -> pl.DataFrame | None:
        """What the correlation is about, in order of arrival; None where there is nothing."""
        matched, held = [], []
        for part, identifier in enumerate(rule.rules):
            place = self._places.get(identifier)
            if place is not None and batch.has(place):
                if place not in weights:
                    weights[place] = self._attempts.weigh(batch, place, self._rules.detections[place])
                matched.append(_of_rule(rule, part, batch, place, weights[place]))
            elif identifier in told:
                below = next(one.rule for one in self._correlators if one.rule.id == identifier)
                held.append(_of_correlation(rule, part, below, batch, told[identifier]))
        frames = [*_each_event_once(rule, matched), *held]
        if not frames:
            return None
        frame = frames[0] if len(frames) == 1 else pl.concat(frames).sort("row", "part", maintain_order=True)
        if frame.get_column("key").null_count() or frame.get_column("time").null_count():
            frame = frame.filter(pl.col("key").is_not_null() & pl.col("time").is_not_null())
        return frame

    def _evidence(self, rule: CorrelationRule, batch: Batch) -> Callable[[Sighting, int], Sequence[Evidence]]:
        def evidence(sighting: Sighting, part: int) -> Sequence[Evidence]:
            identifier = rule.rules[part]
            place = self._places.get(identifier)
            if place is not None:
                return self._evidence_of_event(batch, place, sighting)
            below = next(one.rule for one in self._correlators if one.rule.id == identifier)
            column = rule.group_by[0] if rule.group_by else "rule"
            return [Evidence(below.title, column, sighting.key.partition(KEY_SEPARATOR)[0], sighting.event_id)]

        return evidence

    def _evidence_of_event(self, batch: Batch, place: int, sighting: Sighting) -> Sequence[Evidence]:
        event = batch.events.row(sighting.row, named=True)
        evidence = self._matcher.evidence(place, event)[:_MAX_CLAUSES]
        if not evidence:
            text = cut(batch.text(sighting.row))
            return [Evidence(self._rules.detections[place].title, "event.original", "", sighting.event_id, text)]
        return [
            Evidence(one.clause, one.column, one.value[:MAX_TEXT], sighting.event_id, cut(one.text, one.value))
            for one in evidence
        ]


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _field_values_of_rules() -> FieldValues:
    from vedette.detection.sigma.fields import field_values

    return field_values


def _of_rule(rule: CorrelationRule, part: int, batch: Batch, place: int, weight: pl.Series) -> pl.DataFrame:
    """The rows that a detection rule matched, as sightings of the correlation."""
    identifier = rule.rules[part]
    names = [rule.aliases.get(name, {}).get(identifier, name) for name in rule.group_by]
    keys = [batch.field(place, name).alias(f"key{at}") for at, name in enumerate(names)]
    facts = batch.facts(place)
    value = _NO_VALUE.new_from_index(0, facts.height)
    if rule.value_field:
        field = rule.aliases.get(rule.value_field, {}).get(identifier, rule.value_field)
        value = batch.field(place, field).alias("value")
        if rule.type in STATISTICS:
            value = value.cast(pl.Float64, strict=False)
    columns = facts.get_columns()
    columns += [
        pl.Series("part", [part], dtype=pl.UInt8).new_from_index(0, facts.height),
        weight.alias("weight"),
        _joined(keys, facts.height),
        value,
    ]
    of_name = {column.name: column for column in columns}
    frame = pl.DataFrame([of_name[name] for name in Sighting._fields])
    if rule.type in STATISTICS:
        frame = frame.filter(pl.col("value").is_finite())
    elif rule.value_field and value.null_count():
        frame = frame.filter(pl.col("value").is_not_null())
    return frame


def _joined(keys: Sequence[pl.Series], height: int) -> pl.Series:
    """The key of each row, null where a part is."""
    match keys:
        case []:
            return pl.Series("key", [""], dtype=pl.String).new_from_index(0, height)
        case [only]:
            return only.alias("key")
    parts = pl.DataFrame(keys)
    return parts.select(pl.concat_str(parts.columns, separator=KEY_SEPARATOR).alias("key")).get_column("key")


def _of_correlation(
    rule: CorrelationRule, part: int, below: CorrelationRule, batch: Batch, moments: Sequence[Told]
) -> pl.DataFrame:
    """The moments at which a correlation held, as sightings of the correlation over it.

    A field that the one below is grouped by has the value of its key; any other that of the event that told.
    """
    identifier = rule.rules[part]

    def value_of(moment: Told, name: str) -> str | None:
        wanted = rule.aliases.get(name, {}).get(identifier, name)
        if wanted in below.group_by:
            return moment.key.split(KEY_SEPARATOR)[below.group_by.index(wanted)]
        return None if batch.events.is_empty() else batch.field_of_row(moment.row, wanted)

    rows = []
    for moment in moments:
        parts = [value_of(moment, name) for name in rule.group_by]
        key = None if None in parts else KEY_SEPARATOR.join(one for one in parts if one is not None)
        value = value_of(moment, rule.value_field) if rule.value_field else None
        rows.append(
            (
                moment.row, part, moment.time, moment.generation, moment.offset, moment.weight, key, value, None,
                moment.host, moment.source, moment.address,
            )
        )  # fmt: skip
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    if rule.type in STATISTICS:
        frame = frame.with_columns(pl.col("value").cast(pl.Float64, strict=False)).filter(pl.col("value").is_finite())
    return frame


def _each_event_once(rule: CorrelationRule, frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """An event that several of the rules match counts once; where the rules themselves matter it stays, uncounted."""
    if len(frames) < 2:
        return list(frames)
    frame = pl.concat(frames).sort("row", "part", maintain_order=True)
    if (frame.get_column("row").diff() != 0).all():
        return [frame]
    is_first = pl.struct("row", "key").is_first_distinct()
    if rule.type in TEMPORAL:
        return [frame.with_columns(weight=pl.when(is_first).then("weight").otherwise(0))]
    return [frame.filter(is_first)]


def _askers(
    rules: Sequence[DetectionRule], places: Mapping[str, int], correlations: Sequence[CorrelationRule]
) -> Askers:
    """Of which rules the correlations ask a field, so that it is looked up once for all of them."""
    askers: dict[tuple[LogSource, str], dict[int, None]] = {}
    for correlation in correlations:
        for identifier in correlation.rules:
            if identifier not in places:
                continue
            rule = rules[places[identifier]]
            names = [*correlation.group_by, *filter(None, [correlation.value_field])]
            asked = [correlation.aliases.get(name, {}).get(identifier, name) for name in names]
            for name in (*asked, *rule.own.attempt, *filter(None, [rule.own.weight])):
                askers.setdefault((rule.logsource, name), {})[places[identifier]] = None
    return {wanted: list(of_rules) for wanted, of_rules in askers.items()}


def _in_order(rules: Sequence[CorrelationRule], detections: Collection[str]) -> list[CorrelationRule]:
    """Each after those it refers to. One that leads back to itself is left out; the loader has said so."""
    placed = set(detections)
    left = list(rules)
    known = placed | {rule.id for rule in rules}
    ordered: list[CorrelationRule] = []
    while ready := [rule for rule in left if all(one in placed or one not in known for one in rule.rules)]:
        ordered += ready
        placed.update(rule.id for rule in ready)
        left = [rule for rule in left if rule.id not in placed]
    return ordered


def _silent(rules: RuleSet, correlations: Sequence[CorrelationRule]) -> set[str]:
    """Ids of the rules that make no findings of their own."""
    referred = {identifier for rule in correlations for identifier in rule.rules}
    generated = {identifier for rule in correlations if rule.generate for identifier in rule.rules}
    return (referred - generated) | {rule.id for rule in rules.rules if rule.own.silent}


def _meaning(rule: CorrelationRule) -> str:
    """What its windows depend on, as a short text; names, levels and words may change without it."""
    aliases = sorted((alias, sorted(fields.items())) for alias, fields in rule.aliases.items())
    meaning = (
        rule.type.value, rule.rules, rule.group_by, rule.timespan, rule.conditions, rule.occurrence, rule.value_field,
        rule.percentile, aliases,
    )  # fmt: skip
    return hashlib.blake2b(repr(meaning).encode(), digest_size=8).hexdigest()
