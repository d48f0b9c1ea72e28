"""What findings of rules say to people."""

from __future__ import annotations

import functools
import ipaddress
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from vedette.detection.correlation.gauges import OPERATOR_SIGNS, STATISTICS
from vedette.detection.correlation.tally import Names, Tally
from vedette.detection.sigma.rules import CorrelationRule, CorrelationType, DetectionRule, Rule
from vedette.model.findings import Evidence, Finding
from vedette.model.severity import SeverityFactor

BY_LEVEL: Final = {"informational": 1, "low": 3, "medium": 5, "high": 7, "critical": 9}
"""Where the severity of a finding begins."""

MANY_USERS: Final = 5
MANY_HOSTS: Final = 3
MANY_EVENTS: Final = 100

_SHOWN_NAMES: Final = 10
_WORD: Final = re.compile(r"\{([\w.@-]+)\}")
_CATEGORIES: Final = {
    "process_creation": "process",
    "webserver": "web",
    "proxy": "web",
    "firewall": "network",
    "dns": "network",
    "dns_query": "network",
    "network_connection": "network",
    "antivirus": "malware",
    "file_event": "file",
    "registry_set": "configuration",
    "authentication": "authentication",
}
"""Category of the findings of rules about such logs, where their events have none."""


def finding_of(rule: Rule, tally: Tally) -> Finding:
    """The finding as its window stands now."""
    entity = _entity(tally)
    words = _words(rule, tally, entity) if rule.own.title or rule.own.summary or rule.actions else entity
    return Finding(
        id=tally.id,
        rule_id=rule.id,
        rule_name=rule.title,
        rule_level=rule.level,
        title=_filled(rule.own.title, words) if rule.own.title else _title(rule, tally, entity),
        summary=_filled(rule.own.summary, words) if rule.own.summary else _summary(rule, tally),
        factors=_factors(rule, tally),
        first_seen=_moment(tally.start),
        last_seen=_moment(tally.last),
        found_at=_moment(tally.found_at),
        entity=entity,
        evidence=_evidence(rule, tally),
        event_ids=tuple(tally.event_ids),
        event_count=tally.count,
        category=tally.category or _category(rule),
        actions=tuple(_filled(action, {**words, **entity}, quote=shlex.quote) for action in rule.actions),
        tags=rule.tags,
        sources=tuple(tally.sources.values),
        details=_details(rule, tally),
    )


@functools.lru_cache(maxsize=4_096)
def address_column(address: str) -> str:
    """The column that holds such a peer."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return "source.address"
    return "source.ip"


def _title(rule: Rule, tally: Tally, entity: Mapping[str, str]) -> str:
    key = tally.entity or entity
    shown = ", ".join(str(value) for value in key.values())
    return f"{rule.title}: {shown}" if shown else rule.title


def _summary(rule: Rule, tally: Tally) -> str:
    number = f"{tally.count:,} event" + ("" if tally.count == 1 else "s")
    said = f"{number} in {_span(tally.last - tally.start)}" if tally.count > 1 else number
    if isinstance(rule, CorrelationRule) and rule.type is CorrelationType.VALUE_COUNT:
        said = f"{tally.values} different values of {rule.value_field} in {said}"
    elif isinstance(rule, CorrelationRule) and rule.type in STATISTICS:
        said = f"{_measure_name(rule)} of {_number(tally.measure)} in {said}"
    if tally.addresses.values:
        said += f" from {_few(tally.addresses, 3)}"
    if tally.hosts.values:
        said += f" on {_few(tally.hosts, 3)}"
    if tally.users.values:
        said += f", user {_few(tally.users, 3)}" if len(tally.users) == 1 else f", users {_few(tally.users, 3)}"
    return f"{rule.title}: {said}."


def _words(rule: Rule, tally: Tally, entity: Mapping[str, str]) -> dict[str, str]:
    """What the words in braces of a rule's own texts stand for."""
    words = {
        "count": f"{tally.count:,}",
        "span": _span(tally.last - tally.start),
        "hosts": f" on {_few(tally.hosts, 3)}" if tally.hosts.values else "",
        "users": _users(tally.users),
        "user": _few(tally.users, 3) or "an unnamed user",
        "values": str(tally.values),
        "measure": _number(tally.measure),
    }
    words |= entity
    if isinstance(rule, CorrelationRule):
        words |= dict(zip(rule.group_by, tally.entity.values(), strict=False))
    return words


def _users(users: Names) -> str:
    match len(users):
        case 0:
            return ""
        case 1:
            return f", all as {_few(users, 1)}"
        case _:
            return f", trying {users} users"


def _filled(text: str, words: Mapping[str, str], quote: Callable[[str], str] | None = None) -> str:
    """The text with its words. Values come from hostile text: in a command they stand quoted; a word that nobody knows
    stays, in capitals, for the reader to fill in."""

    def fill(match: re.Match[str]) -> str:
        value = words.get(match[1])
        if value is None:
            return match[1].rpartition(".")[2].upper()
        return quote(value) if quote else value

    return _WORD.sub(fill, text)


def _factors(rule: Rule, tally: Tally) -> tuple[SeverityFactor, ...]:
    factors = [SeverityFactor(f"rule level {rule.level}", BY_LEVEL.get(rule.level, BY_LEVEL["medium"]))]
    factors += [SeverityFactor(reason, amount) for reason, amount in rule.own.severity]
    if _tries_users(rule, tally):
        factors.append(SeverityFactor(f"{MANY_USERS} or more users tried", 1))
    elif len(tally.hosts) >= MANY_HOSTS:
        factors.append(SeverityFactor(f"{MANY_HOSTS} or more hosts", 1))
    elif isinstance(rule, DetectionRule) and tally.count >= MANY_EVENTS:
        factors.append(SeverityFactor(f"{MANY_EVENTS} times or more", 1))
    return tuple(factors)


def _tries_users(rule: Rule, tally: Tally) -> bool:
    """Whether many users are a sign of their own, beside what the rule counts."""
    return (
        isinstance(rule, CorrelationRule)
        and rule.type is CorrelationType.EVENT_COUNT
        and _is_authentication(rule, tally)
        and len(tally.users) >= MANY_USERS
    )


def _is_authentication(rule: Rule, tally: Tally) -> bool:
    return (tally.category or _category(rule)) == "authentication"


def _entity(tally: Tally) -> dict[str, str]:
    """The key of the window, and what else is the same for all its events."""
    entity: dict[str, str] = {}
    for name, value in tally.entity.items():
        is_peer = name in ("source.ip", "source.address")
        entity[address_column(value) if is_peer else name] = value
    if not {"source.ip", "source.address"} & entity.keys() and len(tally.addresses) == 1:
        address = next(iter(tally.addresses.values))
        entity[address_column(address)] = address
    for name, names in (("host.name", tally.hosts), ("user.name", tally.users)):
        if name not in entity and len(names) == 1:
            entity[name] = next(iter(names.values))
    return entity


def _evidence(rule: Rule, tally: Tally) -> tuple[Evidence, ...]:
    if not isinstance(rule, CorrelationRule):
        return tuple(tally.samples)
    window = [Evidence(clause=_condition_text(rule, tally), column=rule.type.value, value=_reading(rule, tally))]
    if rule.type is CorrelationType.VALUE_COUNT and rule.value_field:
        window.append(Evidence(f"distinct {rule.value_field}", rule.value_field, _few(tally.values, _SHOWN_NAMES)))
    if _tries_users(rule, tally):
        window.append(Evidence(f"distinct user.name >= {MANY_USERS}", "user.name", _few(tally.users, _SHOWN_NAMES)))
    return (*window, *tally.samples)


def _condition_text(rule: CorrelationRule, tally: Tally) -> str:
    """`event_count >= 10 in 5 min by source.ip`."""
    conditions = " and ".join(f"{OPERATOR_SIGNS[name]} {_number(number)}" for name, number in rule.conditions)
    name = f"{rule.type.value}({rule.value_field})" if rule.value_field else rule.type.value
    said = f"{name} {conditions}" if conditions else name
    by = ", ".join(_entity_names(tally))
    return f"{said} in {_length(rule.timespan)}" + (f" by {by}" if by else "")


def _entity_names(tally: Tally) -> list[str]:
    return [
        address_column(value) if name in ("source.ip", "source.address") else name
        for name, value in tally.entity.items()
    ]


def _reading(rule: CorrelationRule, tally: Tally) -> str:
    match rule.type:
        case CorrelationType.EVENT_COUNT:
            return str(tally.count)
        case CorrelationType.VALUE_COUNT:
            return str(tally.values)
        case _:
            return _number(tally.measure)


def _measure_name(rule: CorrelationRule) -> str:
    name = {
        CorrelationType.VALUE_SUM: "sum",
        CorrelationType.VALUE_AVG: "average",
        CorrelationType.VALUE_MEDIAN: "median",
    }.get(rule.type, f"{_number(rule.percentile)}th percentile")
    return f"{rule.value_field}: {name}"


def _details(rule: Rule, tally: Tally) -> dict[str, str | int | float]:
    details: dict[str, str | int | float] = {
        "events": tally.count,
        "users": len(tally.users),
        "hosts": len(tally.hosts),
        "seconds": (tally.last - tally.start) // 1_000_000,
    }
    if isinstance(rule, CorrelationRule):
        details["window_seconds"] = int(rule.timespan.total_seconds())
        if rule.value_field:
            details["values" if rule.type is CorrelationType.VALUE_COUNT else "measure"] = (
                len(tally.values) if rule.type is CorrelationType.VALUE_COUNT else tally.measure
            )
    return details


def _category(rule: Rule) -> str:
    return _CATEGORIES.get(rule.logsource.category or "", "") if isinstance(rule, DetectionRule) else ""


def _few(names: Names, number: int) -> str:
    shown = list(names.values)[:number]
    rest = len(names) - len(shown)
    text = ", ".join(shown)
    return f"{text} and {rest} more" if rest else text


def _number(number: float) -> str:
    return f"{number:.12g}"


def _span(microseconds: int) -> str:
    seconds = max(1, round(microseconds / 1_000_000))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            number = round(seconds / size)
            return f"{number} {unit}s"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _length(window: timedelta) -> str:
    seconds = int(window.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
