"""Joins findings into incidents: what shares an address, a user or a host, and is close in time.

Links are made a value and a stretch of time at a time. A *stretch* are findings of which none begins later than the
allowed gap after the end of those before it.

- An address joins all findings of a stretch: it is one visitor.
- A user or a host joins them as long as few addresses are about. What many addresses have in common (`root`, the mail
  server) says nothing about who did it; then only the findings without an address are joined by it.
- A host joins only within a short time, and never more than a few.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vedette.analysis.incident import Chapter, Incident
from vedette.model.findings import Finding
from vedette.model.severity import HIGH, SeverityFactor

TACTICS: Final = (
    "reconnaissance", "resource development", "initial access", "execution", "persistence", "privilege escalation",
    "defense evasion", "credential access", "discovery", "lateral movement", "collection", "command and control",
    "exfiltration", "impact",
)  # fmt: skip
"""ATT&CK's tactics in ATT&CK's order."""

_STAGE: Final = {
    "reconnaissance": 0, "resource development": 0, "credential access": 1, "initial access": 2, "execution": 3,
    "persistence": 4, "privilege escalation": 4, "defense evasion": 4, "discovery": 4, "lateral movement": 5,
    "collection": 5, "command and control": 5, "exfiltration": 6, "impact": 6,
}  # fmt: skip
"""How far into the network a tactic is, as seen from its logs: a password is guessed before it lets anybody in."""

_ADDRESSES: Final = ("source.ip", "source.address")
_SHOWN: Final = ("source.ip", "source.address", "user.name", "host.name", "destination.ip")
_NOBODY: Final = frozenset({"", "-", "unknown", "(unknown)", "n/a", "none", "localhost", "127.0.0.1", "::1"})
_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.ASCII)
_SENTENCE: Final = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRule:
    """When findings belong together, and what an incident weighs: all its numbers.

    A lone finding is an incident from `lone_severity`. Of more than `max_findings` the last are taken.
    """

    gap: timedelta = timedelta(hours=2)
    host_gap: timedelta = timedelta(minutes=15)
    max_addresses: int = 3
    max_by_host: int = 20
    lone_severity: int = HIGH
    several_rules: int = 3
    several_tactics: int = 3
    many_tactics: int = 5
    max_findings: int = 5_000
    max_chapters: int = 50
    max_values: int = 20
    max_actions: int = 6
    max_sentence: int = 300


def incidents_of(findings: Iterable[Finding], rule: IncidentRule | None = None) -> list[Incident]:
    """The incidents among the findings, worst first, then latest first. Any order in, the same incidents out."""
    rule = rule or IncidentRule()
    known = {finding.id: finding for finding in findings}
    ordered = sorted(known.values(), key=lambda one: (one.first_seen, one.last_seen, one.id))[-rule.max_findings :]
    groups = _Groups(len(ordered))
    for members in _links(ordered, rule):
        groups.join(members)
    made = [_incident([ordered[at] for at in members], rule) for members in groups.all()]
    kept = [one for one in made if len(one.finding_ids) > 1 or one.severity >= rule.lone_severity]
    return sorted(kept, key=lambda one: (-one.severity, -one.score, -one.last_seen.timestamp(), one.id))


class _Groups:
    """Numbers that are joined step by step."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, members: Sequence[int]) -> None:
        for member in members[1:]:
            first, other = sorted((self._root(members[0]), self._root(member)))
            self._parents[other] = first

    def all(self) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for member in range(len(self._parents)):
            groups.setdefault(self._root(member), []).append(member)
        return list(groups.values())

    def _root(self, member: int) -> int:
        while self._parents[member] != member:
            self._parents[member] = self._parents[self._parents[member]]
            member = self._parents[member]
        return member


def _links(ordered: Sequence[Finding], rule: IncidentRule) -> Iterator[list[int]]:
    for stretch in _stretches(ordered, _address, rule.gap):
        yield stretch
    for stretch in _stretches(ordered, lambda one: _value(one, "user.name"), rule.gap):
        yield _without_strangers(ordered, stretch, rule.max_addresses)
    for stretch in _stretches(ordered, lambda one: _value(one, "host.name"), rule.host_gap):
        kin = _without_strangers(ordered, stretch, 1)
        if len(kin) <= rule.max_by_host:
            yield kin


def _stretches(
    ordered: Sequence[Finding], value_of: Callable[[Finding], str | None], gap: timedelta
) -> Iterator[list[int]]:
    """Places of the findings with the same value, none of them later than `gap` after those before it."""
    open_stretches: dict[str, tuple[list[int], datetime]] = {}
    for place, finding in enumerate(ordered):
        if (value := value_of(finding)) is None:
            continue
        stretch, end = open_stretches.get(value, ([], finding.first_seen))
        if finding.first_seen - end > gap:
            yield stretch
            stretch = []
        stretch.append(place)
        open_stretches[value] = stretch, max(end, finding.last_seen)
    yield from (stretch for stretch, _ in open_stretches.values())


def _without_strangers(ordered: Sequence[Finding], stretch: list[int], max_addresses: int) -> list[int]:
    addresses = {address for place in stretch if (address := _address(ordered[place]))}
    if len(addresses) <= max_addresses:
        return stretch
    return [place for place in stretch if _address(ordered[place]) is None]


def _address(finding: Finding) -> str | None:
    return next((value for column in _ADDRESSES if (value := _value(finding, column))), None)


def _value(finding: Finding, column: str) -> str | None:
    value = finding.entity.get(column, "").strip().lower()
    return None if value in _NOBODY else value


def _incident(findings: Sequence[Finding], rule: IncidentRule) -> Incident:
    """Findings in order of time, at least one."""
    worst = max(findings, key=lambda one: one.severity)
    tactics = tuple(dict.fromkeys(tactic for one in findings for tactic in tactics_of(one.tags)))
    entities = _entities(findings, rule.max_values)
    by_severity = sorted(findings, key=lambda one: -one.severity)
    actions = tuple(dict.fromkeys(action for one in by_severity for action in one.actions))
    return Incident(
        id=f"incident-{findings[0].id}",
        title=_title(findings, worst, tactics, entities),
        summary=_summary(findings, worst),
        factors=_factors(findings, worst, tactics, entities, rule),
        first_seen=findings[0].first_seen,
        last_seen=max(one.last_seen for one in findings),
        entities=entities,
        story=tuple(_chapter(one, rule.max_sentence) for one in _told(findings, rule.max_chapters)),
        finding_ids=tuple(one.id for one in findings),
        event_count=sum(one.event_count for one in findings),
        tactics=tactics,
        techniques=tuple(dict.fromkeys(each for one in findings for each in techniques_of(one.tags))),
        sources=tuple(sorted({source for one in findings for source in one.sources})),
        actions=actions[: rule.max_actions],
    )


def tactics_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The ATT&CK tactics among a finding's tags, in ATT&CK's order."""
    named = {tag.lower().removeprefix("attack.").replace("_", " ").replace("-", " ") for tag in tags}
    return tuple(tactic for tactic in TACTICS if tactic in named)


def techniques_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The ATT&CK techniques among a finding's tags, as `T1110.001`, in the order of the tags."""
    found = (_TECHNIQUE.fullmatch(tag.lower()) for tag in tags)
    return tuple(dict.fromkeys(match[1].upper() for match in found if match))


def _entities(findings: Sequence[Finding], max_values: int) -> dict[str, tuple[str, ...]]:
    """The values people know things by, most named first."""
    entities: dict[str, tuple[str, ...]] = {}
    for column in _SHOWN:
        counts = Counter(one.entity[column] for one in findings if one.entity.get(column))
        if counts:
            entities[column] = tuple(value for value, _ in counts.most_common(max_values))
    return entities


def _title(
    findings: Sequence[Finding], worst: Finding, tactics: Sequence[str], entities: dict[str, tuple[str, ...]]
) -> str:
    if len(findings) == 1:
        return worst.title
    if len(tactics) < 2:
        more = len(findings) - 1
        return f"{worst.title}, and {more} more {'finding' if more == 1 else 'findings'}"
    who = next((entities[column][0] for column in _SHOWN if column in entities), "Several findings")
    hosts = entities.get("host.name", ())
    where = f" on {hosts[0]}" if hosts and hosts[0] != who else ""
    if where and len(hosts) > 1:
        where += f" and {len(hosts) - 1} more"
    return f"{who}{where}: {' → '.join(tactics[:6])}"


def _summary(findings: Sequence[Finding], worst: Finding) -> str:
    if len(findings) == 1:
        return worst.summary or worst.title
    rules = len({one.rule_id for one in findings})
    span = _span(max(one.last_seen for one in findings) - findings[0].first_seen)
    said = f"{len(findings)} findings of {rules} {'rule' if rules == 1 else 'rules'} within {span}."
    said += f" It begins with: {_ended(findings[0].title)}"
    if worst is not findings[0]:
        said += f" The worst: {_ended(worst.title)}"
    return said


def _factors(
    findings: Sequence[Finding],
    worst: Finding,
    tactics: Sequence[str],
    entities: dict[str, tuple[str, ...]],
    rule: IncidentRule,
) -> tuple[SeverityFactor, ...]:
    factors = [SeverityFactor(f"worst finding: {worst.title}", worst.severity)]
    rules = len({one.rule_id for one in findings})
    if rules >= rule.several_rules:
        factors.append(SeverityFactor(f"{rules} different rules", 1))
    if len(tactics) >= rule.several_tactics:
        amount = 2 if len(tactics) >= rule.many_tactics else 1
        factors.append(SeverityFactor(f"{len(tactics)} tactics of an attack", amount))
    if progress := _progress(findings):
        factors.append(SeverityFactor(f"went on from {progress[0]} to {progress[1]}", 1))
    if _got_in(findings):
        factors.append(SeverityFactor("success after failures", 1))
    if (hosts := len(entities.get("host.name", ()))) > 1:
        factors.append(SeverityFactor(f"{hosts} hosts", 1))
    return tuple(factors)


def _progress(findings: Sequence[Finding]) -> tuple[str, str] | None:
    """The first tactic and the farthest that a later finding reached."""
    first: str | None = None
    farthest: str | None = None
    for finding in findings:
        known = sorted(tactics_of(finding.tags), key=_STAGE.__getitem__)
        if not known:
            continue
        if first is None:
            first = known[0]
        elif _STAGE[known[-1]] > _STAGE[farthest or first]:
            farthest = known[-1]
    return (first, farthest) if first and farthest else None


def _got_in(findings: Sequence[Finding]) -> bool:
    """Whether guessing was followed by a use of a valid account, and no single finding says so already."""
    if any(factor.reason == "success after failures" for one in findings for factor in one.factors):
        return False
    guessed: datetime | None = None
    for finding in findings:
        techniques = techniques_of(finding.tags)
        if any(each.startswith("T1110") for each in techniques):
            guessed = guessed or finding.first_seen
        elif guessed and finding.last_seen > guessed and any(each.startswith("T1078") for each in techniques):
            return True
    return False


def _told(findings: Sequence[Finding], limit: int) -> list[Finding]:
    """Of a long story the first, the last and the worst."""
    if len(findings) <= limit:
        return list(findings)
    places = sorted(range(1, len(findings) - 1), key=lambda at: (-findings[at].severity, at))[: limit - 2]
    return [findings[at] for at in (0, *sorted(places), len(findings) - 1)]


def _chapter(finding: Finding, max_sentence: int) -> Chapter:
    text = " ".join((finding.summary or finding.title).split())
    match = _SENTENCE.match(text)
    sentence = match[0] if match else text
    if len(sentence) > max_sentence:
        sentence = f"{sentence[: max_sentence - 1]}…"
    return Chapter(
        at=finding.first_seen,
        until=finding.last_seen,
        finding_id=finding.id,
        rule_id=finding.rule_id,
        severity=finding.severity,
        sentence=_ended(sentence),
        tactics=tactics_of(finding.tags),
    )


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _span(length: timedelta) -> str:
    seconds = max(1, round(length.total_seconds()))
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"
