"""Bursts and drops: far more or far fewer events than a source, or a kind of message in it, has at this time of day.

Counted in event time by spans of five minutes. What is usual is learned by hours: for each hour of the day, weekends
apart, the mean and the deviation of its spans, exponentially weighted, and the highest span of all, which fades. An hour
is learned two hours later, so that late records still count, and a span is judged by what was learned before it, however
the stream is cut.

Few numbers are kept of what is rare: a kind of message with fewer than `floor` events in an hour counts as none, and of
a source only the kinds with the highest spans are known.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from vedette.analysis.contract import Templates
from vedette.analysis.keeping import Pieces
from vedette.analysis.stretches import runs_of, usable
from vedette.model.findings import Evidence, Finding
from vedette.model.severity import SeverityFactor

_SPAN: Final = timedelta(minutes=5)
_SPAN_SECONDS: Final = 300
_SPANS: Final = 12
"""Spans an hour."""
_MINUTES: Final = 5
_ALL: Final = ""
"""Stands for a source's events of all kinds, where otherwise a template is named."""
_REST: Final = "~"
"""Stands for the kinds that were too many to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRule:
    """What is far more and far fewer: all the numbers.

    A burst is a span of `least_burst` events or more, above `times` the mean plus `deviations`, and above `above_peak`
    times the highest span so far. A drop is an hour below `drop_share` of the mean, for hours with at least `least_drop`
    a span on `drop_days` days. A level that stays becomes usual: a peak grows by `peak_growth` an hour at most, and
    halves in `peak_half_life`. What is older than `reach` when it is read is learned and not told.
    """

    id: str = "vedette.volume"
    learning: timedelta = timedelta(days=1)
    reach: timedelta = timedelta(days=30)
    floor: int = 20
    least_burst: int = 100
    times: float = 4.0
    deviations: float = 6.0
    above_peak: float = 1.5
    peak_growth: float = 2.0
    peak_half_life: timedelta = timedelta(days=14)
    weight: float = 1 / 15
    drop_share: float = 0.1
    drop_days: int = 3
    least_drop: int = 10
    much: float = 20.0
    burst_severity: int = 3
    drop_severity: int = 3
    max_templates: int = 64
    max_open_templates: int = 512
    max_sources: int = 128
    max_lines: int = 200
    max_shown: int = 10


@dataclass(slots=True)
class _Slot:
    """An hour of the day: `hours` learned, the `mean` and variance of a span, the lowest total; `seen` are the hours of
    the source that were known when this was learned last (those since then had none of it)."""

    hours: int
    mean: float
    variance: float
    lowest: float
    seen: int


@dataclass(slots=True)
class _Usual:
    """What is usual of a source or of a kind of message. `peak` was true until `peak_hour` was learned: `newest` since."""

    peak: float = 0.0
    newest: float = 0.0
    peak_hour: int = 0
    slots: dict[int, _Slot] = field(default_factory=dict)

    def peak_before(self, hour: int, half_life: float) -> float:
        value = self.newest if self.peak_hour <= hour - 2 else self.peak
        return value * math.exp2(-max(0, hour - self.peak_hour) / half_life)


@dataclass(slots=True)
class _Alarm:
    """Spans (or hours, for drops) of a day that are out of the ordinary, by `template/number`: count and mean."""

    day: int
    found_at: float
    lines: dict[str, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class _Source:
    """`watermark` is a span since 1970, the other times are hours. `open` are hours not yet learned, by template and
    span."""

    first: int
    watermark: int
    open: dict[int, dict[str, dict[int, int]]] = field(default_factory=dict)
    usual: dict[str, _Usual] = field(default_factory=dict)
    crowd: float = 0.0
    bursts: list[_Alarm] = field(default_factory=list)
    drops: list[_Alarm] = field(default_factory=list)


class Volume:
    """The `Detector` of bursts and drops. `memory` is its state, to be kept with every commit.

    `templates` tells the names that a template had before others were merged into it, and its words. Findings do not
    depend on how the stream is cut as long as no bound is reached; `forgotten` counts what was given up, `late` the
    events too late to count.
    """

    def __init__(self, rule: VolumeRule | None = None, *, templates: Templates | None = None) -> None:
        self._rule = rule or VolumeRule()
        self._templates = templates
        self._half_life = self._rule.peak_half_life / timedelta(hours=1)
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self.forgotten = 0
        self.late = 0
        self.memory = Pieces(self.name, write=self._write, read=self._read)

    @property
    def name(self) -> str:
        return "volume"

    def snapshot(self) -> bytes | None:
        """Nothing: it is all in `memory`."""
        return None

    def restore(self, state: bytes) -> None:
        """Nothing to do: see `memory`."""

    def inspect(self, events: pl.DataFrame, now: datetime) -> list[Finding]:
        events = usable(events)
        if events.is_empty():
            return []
        touched = self._count(events)
        findings: list[Finding] = []
        for name in touched:
            findings += self._judge(name, self._sources[name], now)
            self._sources.move_to_end(name)
            self.memory.changed(f"{name}/open")
        while len(self._sources) > self._rule.max_sources:
            gone, _ = self._sources.popitem(last=False)
            self.forgotten += 1
            self.memory.changed(f"{gone}/open")
            self.memory.changed(f"{gone}/learned")
        return findings

    def _count(self, events: pl.DataFrame) -> list[str]:
        """Add the events to the open hours of their sources; these."""
        runs, run_of_row = runs_of(events, _SPAN)
        met = pl.DataFrame(
            {"source": list(self._sources), "before": [one.watermark for one in self._sources.values()]},
            schema={"source": pl.String, "before": pl.Int64},
        )
        runs = runs.join(met, on="source", how="left", maintain_order="left").with_columns(
            watermark=pl.max_horizontal("watermark", "before"), hour=pl.col("unit") // _SPANS
        )
        runs = runs.with_columns(
            is_late=pl.col("hour") <= pl.col("watermark") // _SPANS - 2,
            cell=pl.struct("source", "unit").rank("dense"),
        )
        for source, first, watermark in (
            runs.group_by("source", maintain_order=True)
            .agg(pl.col("hour").first().alias("first"), pl.col("watermark").max())
            .iter_rows()
        ):
            known = self._sources.setdefault(source, _Source(first, watermark))
            known.watermark = max(known.watermark, watermark)
        self.late += int(runs.filter("is_late")["rows"].sum())
        for source, hour, template, spans, counts in self._cells(events, runs, run_of_row):
            self._add(self._sources[source].open.setdefault(hour, {}), template, spans, counts)
        return runs["source"].unique(maintain_order=True).to_list()

    def _add(
        self, open_hour: dict[str, dict[int, int]], template: str, spans: Sequence[int], counts: Sequence[int]
    ) -> None:
        known = open_hour.get(template)
        if known is None:
            if len(open_hour) < self._rule.max_open_templates or template == _ALL:
                open_hour[template] = dict(zip(spans, counts, strict=True))
                return
            self.forgotten += 1
            known = open_hour.setdefault(_REST, {})
        for span, count in zip(spans, counts, strict=True):
            known[span] = known.get(span, 0) + count

    def _cells(
        self, events: pl.DataFrame, runs: pl.DataFrame, run_of_row: pl.Series
    ) -> Iterator[tuple[str, int, str, list[int], list[int]]]:
        """(source, hour, template or all, its spans, the events in each); only what can matter."""
        if runs["is_late"].any():
            kept = runs["is_late"].not_().gather(run_of_row)
            events, run_of_row = events.filter(kept), run_of_row.filter(kept)
            if events.is_empty():
                return
        cells = (
            runs.filter(~pl.col("is_late"))
            .group_by("cell", maintain_order=True)
            .agg(pl.col("source", "hour", "unit").first(), pl.col("rows").sum())
        )
        cells = cells.with_columns(ends=pl.col("hour").is_between(self._unknown_from(cells), self._ending(cells)))
        by_hour = cells.group_by("source", "hour", maintain_order=True).agg("unit", "rows")
        for source, hour, spans, counts in by_hour.iter_rows():
            yield source, hour, _ALL, spans, counts
        templates = events["template.id"]
        if templates.null_count() == len(templates):
            return
        by_template = (
            pl.DataFrame([runs["cell"].gather(run_of_row).alias("cell"), templates.alias("template")])
            .group_by("cell", "template")
            .len("rows")
            .join(cells.drop("rows"), on="cell")
            .group_by("source", "hour", "template")
            .agg("unit", "rows", pl.col("ends").first())
            .filter(pl.col("template").is_not_null())
            .filter(~pl.col("ends") | (pl.col("rows").list.sum() >= self._rule.floor))
            .sort("source", "hour", "template")
        )
        yield from by_template.select("source", "hour", "template", "unit", "rows").iter_rows()

    def _ending(self, cells: pl.DataFrame) -> pl.Series:
        """For every cell the last hour of its source to which nothing can come any more."""
        return self._of_source(cells, lambda one: one.watermark // _SPANS - 2)

    def _unknown_from(self, cells: pl.DataFrame) -> pl.Series:
        """For every cell the first hour of its source that no batch before told of."""
        return self._of_source(cells, lambda one: max(one.open, default=-1) + 1)

    def _of_source(self, cells: pl.DataFrame, value: Callable[[_Source], int]) -> pl.Series:
        values = {name: value(self._sources[name]) for name in cells["source"].unique()}
        return cells["source"].replace_strict(list(values), list(values.values()), return_dtype=pl.Int64)

    def _judge(self, name: str, source: _Source, now: datetime) -> list[Finding]:
        """Go through the open hours in order: learn what is two hours old, judge the rest by it."""
        alarms: dict[tuple[str, int], _Alarm] = {}
        hours = deque(sorted(source.open))
        for hour in list(hours):
            self._learn_until(name, source, hours, hour - 2, now, alarms)
            self._find_bursts(source, hour, now, alarms)
        self._learn_until(name, source, hours, source.watermark // _SPANS - 2, now, alarms)
        return [
            self._burst(name, alarm) if kind == "burst" else self._drop(name, alarm)
            for (kind, _), alarm in alarms.items()
        ]

    def _may_speak(self, source: _Source, hour: int, now: datetime) -> bool:
        is_learned = (hour - source.first) * timedelta(hours=1) >= self._rule.learning
        return is_learned and hour * 3_600 >= (now - self._rule.reach).timestamp()

    def _find_bursts(self, source: _Source, hour: int, now: datetime, alarms: dict[tuple[str, int], _Alarm]) -> None:
        if not self._may_speak(source, hour, now):
            return
        for template, spans in source.open[hour].items():
            if template == _REST or max(spans.values()) < self._rule.least_burst:
                continue
            mean, limit = self._expected(source, {template}, hour)
            if max(spans.values()) > limit:
                mean, limit = self._expected(source, self._names(template), hour)
            for span, count in spans.items():
                if count > limit:
                    alarm = self._note(source.bursts, hour // 24, f"{template}/{span}", count, mean, now)
                    alarms["burst", alarm.day] = alarm

    def _names(self, template: str) -> set[str]:
        """All that the template was ever called."""
        aliases = self._templates.aliases(template) if self._templates is not None and template != _ALL else ()
        return {template, *aliases}

    def _expected(self, source: _Source, names: set[str], hour: int) -> tuple[float, float]:
        """(mean of a span, the most that is not a burst) of a template with these names."""
        known = [source.usual[each] for each in names if each in source.usual]
        mean = deviation = 0.0
        peak = source.crowd if _ALL not in names and not known else 0.0
        for usual in known:
            peak = max(peak, usual.peak_before(hour, self._half_life))
            slot = usual.slots.get(_slot(hour)) or usual.slots.get((_slot(hour) + 24) % 48)
            if slot is not None:
                mean = max(mean, slot.mean * self._kept(source, slot, hour))
                deviation = max(deviation, math.sqrt(slot.variance))
        rule = self._rule
        normal = rule.times * mean + rule.deviations * max(deviation, math.sqrt(mean))
        return mean, max(rule.least_burst - 1, normal, rule.above_peak * peak)

    def _kept(self, source: _Source, slot: _Slot, hour: int) -> float:
        """What is left of a mean after the hours that had none of it."""
        total = source.usual.get(_ALL)
        now = total.slots.get(_slot(hour)) if total else None
        return (1 - self._rule.weight) ** max(0, (now.hours if now else 0) - slot.seen)

    def _learn_until(
        self,
        name: str,
        source: _Source,
        hours: deque[int],
        last: int,
        now: datetime,
        alarms: dict[tuple[str, int], _Alarm],
    ) -> None:
        """Learn the open hours up to `last`, and close them."""
        while hours and hours[0] <= last:
            hour = hours.popleft()
            counts = source.open[hour]
            self._find_drops(source, hour, counts, now, alarms)
            if sum(counts.get(_ALL, {}).values()) >= self._rule.floor:
                for template, spans in sorted(counts.items()):
                    if template != _REST and sum(spans.values()) >= self._rule.floor:
                        self._learn(source, template, hour, spans)
                self._forget_templates(source)
                self.memory.changed(f"{name}/learned")
            del source.open[hour]

    def _learn(self, source: _Source, template: str, hour: int, spans: dict[int, int]) -> None:
        usual = source.usual.setdefault(template, _Usual())
        is_learning = (hour - source.first) * timedelta(hours=1) < self._rule.learning
        before = usual.peak_before(hour + 2, self._half_life)
        highest = float(max(spans.values()))
        if not is_learning:
            highest = min(highest, max(self._rule.peak_growth * before, float(self._rule.least_burst)))
        usual.peak, usual.newest, usual.peak_hour = before, round(max(before, highest), 2), hour
        if template != _ALL:
            learned = source.usual[_ALL].slots[_slot(hour)].hours - 1
        slot = usual.slots.get(_slot(hour))
        if slot is None:
            hours = 0 if template == _ALL else learned
            slot = usual.slots[_slot(hour)] = _Slot(hours, 0.0, 0.0, 0.0 if hours else math.inf, hours)
        if template != _ALL:
            missed = max(0, learned - slot.seen)
            slot.mean *= (1 - self._rule.weight) ** missed
            slot.lowest = 0.0 if missed else slot.lowest
            slot.hours, slot.seen = learned, learned + 1
        self._learn_slot(slot, spans)
        if template == _ALL:
            slot.seen = slot.hours

    def _learn_slot(self, slot: _Slot, spans: dict[int, int]) -> None:
        """Exponentially weighted mean and variance (Finch 2009, section 9); the first hours weigh equally."""
        total = sum(spans.values())
        mean = total / _SPANS
        spread = sum((count - mean) ** 2 for count in spans.values()) + (_SPANS - len(spans)) * mean**2
        weight = max(1 / (slot.hours + 1), self._rule.weight)
        if slot.hours >= self._rule.drop_days:
            most = self._rule.times * slot.mean + self._rule.deviations * math.sqrt(slot.variance) + self._rule.floor
            mean, spread = min(mean, most), min(spread, _SPANS * most**2)
        difference = mean - slot.mean
        slot.mean = round(slot.mean + weight * difference, 3)
        slot.variance = round((1 - weight) * (slot.variance + weight * difference**2) + weight * spread / _SPANS, 3)
        slot.lowest = round(min(float(total), slot.lowest * 1.05), 1) if slot.hours else float(total)
        slot.hours += 1

    def _find_drops(
        self,
        source: _Source,
        hour: int,
        counts: dict[str, dict[int, int]],
        now: datetime,
        alarms: dict[tuple[str, int], _Alarm],
    ) -> None:
        if not self._may_speak(source, hour, now):
            return
        for template in (_ALL, *(each for each in source.usual if each != _ALL)):
            usual = source.usual.get(template)
            slot = usual.slots.get(_slot(hour)) if usual else None
            if slot is None or slot.hours < self._rule.drop_days or slot.mean < self._rule.least_drop:
                continue
            total = self._total(counts, template)
            mean = slot.mean * self._kept(source, slot, hour)
            is_low = total < self._rule.drop_share * mean * _SPANS and total < slot.lowest / 2
            if is_low and not self._is_renamed(template, counts):
                alarm = self._note(source.drops, hour // 24, f"{template}/{hour}", total, mean * _SPANS, now)
                alarms["drop", alarm.day] = alarm
                if template == _ALL:
                    return

    def _is_renamed(self, template: str, counts: dict[str, dict[int, int]]) -> bool:
        return any(self._total(counts, name) for name in self._names(template) if name != template)

    def _total(self, counts: dict[str, dict[int, int]], template: str) -> int:
        """Of a kind of message, less than the floor is none."""
        total = sum(counts.get(template, {}).values())
        return total if template == _ALL or total >= self._rule.floor else 0

    def _note(self, alarms: list[_Alarm], day: int, line: str, count: float, mean: float, now: datetime) -> _Alarm:
        alarm = next((one for one in alarms if one.day == day), None)
        if alarm is None:
            alarm = _Alarm(day, now.timestamp())
            alarms.append(alarm)
            del alarms[:-2]
        if line in alarm.lines or len(alarm.lines) < self._rule.max_lines:
            alarm.lines[line] = [count, mean]
        else:
            self.forgotten += 1
        return alarm

    def _forget_templates(self, source: _Source) -> None:
        surplus = len(source.usual) - 1 - self._rule.max_templates
        if surplus <= 0:
            return
        known = ((usual.newest, template) for template, usual in source.usual.items() if template != _ALL)
        for peak, template in sorted(known)[:surplus]:
            del source.usual[template]
            source.crowd = max(source.crowd, peak)
            self.forgotten += 1

    def _burst(self, source: str, alarm: _Alarm) -> Finding:
        worst: dict[str, tuple[float, float]] = {}
        for line, (count, mean) in alarm.lines.items():
            template = line.partition("/")[0]
            if template not in worst or count > worst[template][0]:
                worst[template] = (count, mean)
        ordered = sorted(worst.items(), key=lambda item: (-item[1][0] / max(1.0, item[1][1]), item[0]))
        template, (count, mean) = (_ALL, worst[_ALL]) if _ALL in worst else ordered[0]
        times = count / max(1.0, mean)
        what = self._words(template)
        title = f"{source}: {_rate(count / _MINUTES)} events a minute where {_usual_rate(mean / _MINUTES)} is usual"
        summary = (
            f"{source} wrote {_rate(count / _MINUTES)} {what} a minute; "
            f"at this time of day {_usual_rate(mean / _MINUTES)} a minute is expected."
        )
        if template == _ALL and (loudest := next((each for each, _ in ordered if each != _ALL), None)):
            summary += f" Among them {_rate(worst[loudest][0] / _MINUTES)} {self._words(loudest)} a minute."
        factors = [SeverityFactor("far more events than ever", self._rule.burst_severity)]
        if times >= self._rule.much:
            factors.append(SeverityFactor(f"{self._rule.much:.0f} times what is usual or more", 1))
        spans = [int(line.rpartition("/")[2]) for line in alarm.lines]
        events = sum(count for line, (count, _) in alarm.lines.items() if line.startswith("/"))
        return self._made(
            source, alarm, "burst", "Far more events than usual", title, summary, tuple(factors),
            first=min(spans) * _SPAN_SECONDS,
            last=(max(spans) + 1) * _SPAN_SECONDS,
            events=int(events or max(count for count, _ in worst.values())),
            evidence=tuple(
                Evidence(
                    clause=f"{_usual_rate(mean / _MINUTES)} a minute expected of {self._words(template)}",
                    column="template.id" if template else "vedette.source",
                    value=template or source,
                    text=f"{_rate(count / _MINUTES)} a minute",
                )
                for template, (count, mean) in ordered[: self._rule.max_shown]
            ),
            actions=(
                "Look at which message, address and user the events are about, and when it began.",
                "If it is an attack, stop it at the address; if a program fails in a loop, look at what changed before.",
            ),
            tags=("attack.impact", "attack.t1499"),
            details={"spans": len(set(spans)), "a_minute": round(count / _MINUTES, 1), "usual_a_minute": round(mean / _MINUTES, 1)},
        )  # fmt: skip

    def _drop(self, source: str, alarm: _Alarm) -> Finding:
        ordered = sorted(alarm.lines.items(), key=lambda item: (-item[1][1], item[0]))
        first, (count, mean) = ordered[0]
        what = self._words(first.partition("/")[0])
        hours = [int(line.rpartition("/")[2]) for line in alarm.lines]
        summary = (
            f"{source} wrote {_rate(count)} {what} in an hour; at this time of day about {_rate(mean)} are expected."
        )
        return self._made(
            source, alarm, "drop", "Far fewer events than usual",
            f"{source}: {_rate(count)} {what} in an hour where {_rate(mean)} are usual", summary,
            (SeverityFactor("far fewer events than ever", self._rule.drop_severity),),
            first=min(hours) * 3_600,
            last=(max(hours) + 1) * 3_600,
            events=int(sum(count for count, _ in alarm.lines.values())),
            evidence=tuple(
                Evidence(
                    clause=f"about {_rate(mean)} an hour expected of {self._words(line.partition('/')[0])}",
                    column="template.id" if not line.startswith("/") else "vedette.source",
                    value=line.partition("/")[0] or source,
                    text=f"{_rate(count)} an hour",
                )
                for line, (count, mean) in ordered[: self._rule.max_shown]
            ),
            actions=(
                "Look whether the program still runs as it should, and whether its log level or rotation was changed.",
                "Look whether a part of the log goes somewhere else now, or was switched off to hide something.",
            ),
            tags=("attack.defense_evasion", "attack.t1562"),
            details={"hours": len(set(hours)), "an_hour": count, "usual_an_hour": round(mean, 1)},
        )  # fmt: skip

    def _words(self, template: str) -> str:
        if template == _ALL:
            return "events"
        known = self._templates.template(template) if self._templates is not None else None
        return f"messages like “{known.text[:120]}”" if known is not None else f"messages of template {template}"

    def _made(
        self,
        source: str,
        alarm: _Alarm,
        kind: str,
        rule_name: str,
        title: str,
        summary: str,
        factors: tuple[SeverityFactor, ...],
        *,
        first: int,
        last: int,
        events: int,
        evidence: tuple[Evidence, ...],
        actions: tuple[str, ...],
        tags: tuple[str, ...],
        details: dict[str, str | int | float],
    ) -> Finding:
        key = "\0".join((self._rule.id, kind, source, str(alarm.day))).encode(errors="surrogatepass")
        return Finding(
            id=hashlib.blake2b(key, digest_size=8).hexdigest(),
            rule_id=f"{self._rule.id}.{kind}",
            rule_name=rule_name,
            rule_level="low",
            title=title,
            summary=summary,
            factors=factors,
            first_seen=datetime.fromtimestamp(first, UTC),
            last_seen=datetime.fromtimestamp(last, UTC),
            found_at=datetime.fromtimestamp(alarm.found_at, UTC),
            entity={"vedette.source": source},
            evidence=evidence,
            event_ids=(),
            event_count=events,
            category="host",
            actions=actions,
            tags=tags,
            sources=(source,),
            details=details,
        )

    def _write(self, key: str) -> bytes:
        name, what = key.rsplit("/", 1)
        source = self._sources.get(name)
        if source is None:
            return b""
        if what == "learned":
            learned = {template: asdict(usual) for template, usual in source.usual.items()}
            return _json({"crowd": source.crowd, "usual": learned})
        return _json(
            {
                "first": source.first,
                "watermark": source.watermark,
                "open": source.open,
                "bursts": [asdict(alarm) for alarm in source.bursts],
                "drops": [asdict(alarm) for alarm in source.drops],
            }
        )

    def _read(self, key: str, piece: bytes) -> None:
        name, what = key.rsplit("/", 1)
        state: dict[str, Any] = json.loads(piece)
        source = self._sources.setdefault(name, _Source(0, 0))
        if what == "learned":
            source.crowd = float(state["crowd"])
            source.usual = {
                template: _Usual(
                    one["peak"],
                    one["newest"],
                    one["peak_hour"],
                    {int(number): _Slot(**slot) for number, slot in one["slots"].items()},
                )
                for template, one in state["usual"].items()
            }
            return
        source.first, source.watermark = int(state["first"]), int(state["watermark"])
        source.bursts = [_Alarm(**one) for one in state["bursts"]]
        source.drops = [_Alarm(**one) for one in state["drops"]]
        source.open = {
            int(hour): {
                template: {int(span): int(count) for span, count in spans.items()} for template, spans in counts.items()
            }
            for hour, counts in state["open"].items()
        }


def _json(state: object) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()


def _slot(hour: int) -> int:
    """Hour of the day, 24 more on a weekend; 1970 began on a Thursday."""
    return hour % 24 + (24 if (hour // 24 + 3) % 7 >= 5 else 0)


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def _usual_rate(number: float) -> str:
    return "less than one" if number < 1 else f"about {number:,.0f}"
