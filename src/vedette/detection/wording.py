"""What a finding of the failure threshold says to people."""

from __future__ import annotations

import ipaddress
import shlex
from datetime import UTC, datetime, timedelta

from vedette.detection.episodes import Names, Siege
from vedette.detection.rule import FailureThresholdRule
from vedette.model.findings import Evidence, Finding
from vedette.model.severity import SeverityFactor

_FAILURE = "event.category: authentication and event.outcome: failure"
_SUCCESS = "event.category: authentication and event.outcome: success"
_SHOWN_NAMES = 10
_NO_PASSWORDS = (
    "If nobody needs password logins, switch them off: `PasswordAuthentication no` in /etc/ssh/sshd_config, "
    "then `sudo systemctl reload ssh`."
)


def finding_of(rule: FailureThresholdRule, address: str, siege: Siege) -> Finding:
    """The finding as the siege stands now."""
    is_many_users = len(siege.users) >= rule.many_users
    tags = [*rule.tags]
    if is_many_users:
        tags.append(rule.spraying_tag)
    if siege.successes:
        tags.extend(rule.success_tags)
    return Finding(
        id=siege.id,
        rule_id=rule.id,
        rule_name=rule.name,
        rule_level=rule.level,
        title=_title(address, siege, is_many_users=is_many_users),
        summary=_summary(address, siege),
        factors=_factors(rule, siege, is_many_users=is_many_users),
        first_seen=_moment(siege.start),
        last_seen=_moment(max([siege.last, *(success.time for success in siege.successes)])),
        found_at=_moment(siege.found_at),
        entity=_entity(address, siege),
        evidence=_evidence(rule, address, siege),
        event_ids=(*siege.event_ids, *(success.event_id for success in siege.successes)),
        event_count=siege.count + siege.success_count,
        category=rule.category,
        actions=_actions(address, siege),
        tags=tuple(tags),
        sources=tuple(siege.sources.values),
        details={
            "failures": siege.count,
            "users": len(siege.users),
            "successes": siege.success_count,
            "seconds": (siege.last - siege.start) // 1_000_000,
        },
    )


def _title(address: str, siege: Siege, *, is_many_users: bool) -> str:
    if siege.successes:
        return f"{address} guessed passwords and then logged in"
    if is_many_users:
        return f"{address} guesses passwords of many users"
    return f"{address} guesses passwords"


def _summary(address: str, siege: Siege) -> str:
    said = f"{address} failed {siege.count:,} logins in {_span(siege.last - siege.start)}"
    if siege.hosts.values:
        said += f" on {_few(siege.hosts, 3)}"
    match len(siege.users):
        case 0:
            pass
        case 1:
            said += f", all as {_few(siege.users, 1)}"
        case number:
            more = "more than " if siege.users.is_full else ""
            said += f", trying {more}{number} users"
    if siege.successes:
        users = Names(3)
        users.add(success.user or None for success in siege.successes)
        said += f", and then logged in as {_few(users, 3)}" if users.values else ", and then logged in"
    return f"{said}."


def _factors(rule: FailureThresholdRule, siege: Siege, *, is_many_users: bool) -> tuple[SeverityFactor, ...]:
    factors = [SeverityFactor(f"rule level {rule.level}", rule.base_severity)]
    if is_many_users:
        factors.append(SeverityFactor(f"{rule.many_users} or more users tried", rule.many_users_severity))
    if siege.successes:
        factors.append(SeverityFactor("success after failures", rule.success_severity))
    return tuple(factors)


def _entity(address: str, siege: Siege) -> dict[str, str]:
    entity = {_address_column(address): address}
    if len(siege.hosts) == 1:
        entity["host.name"] = next(iter(siege.hosts.values))
    if siege.successes and siege.successes[0].user:
        entity["user.name"] = siege.successes[0].user
    elif len(siege.users) == 1:
        entity["user.name"] = next(iter(siege.users.values))
    return entity


def _evidence(rule: FailureThresholdRule, address: str, siege: Siege) -> tuple[Evidence, ...]:
    column = _address_column(address)
    evidence = [
        Evidence(
            clause=f"event_count >= {rule.threshold} in {_length(rule.window)} by {column}",
            column="event_count",
            value=str(siege.count),
        )
    ]
    if len(siege.users) >= rule.many_users:
        evidence.append(
            Evidence(
                clause=f"distinct user.name >= {rule.many_users}",
                column="user.name",
                value=_few(siege.users, _SHOWN_NAMES),
            )
        )
    evidence.extend(
        Evidence(clause=_FAILURE, column=column, value=address, event_id=identifier, text=text)
        for identifier, text in siege.samples
    )
    evidence.extend(
        Evidence(
            clause=f"{_SUCCESS}, after the failures",
            column="user.name" if success.user else column,
            value=success.user or address,
            event_id=success.event_id,
            text=success.text,
        )
        for success in siege.successes
    )
    return tuple(evidence)


def _actions(address: str, siege: Siege) -> tuple[str, ...]:
    """What to do, the most urgent first. Names come from hostile text: in a command they stand quoted."""
    column, quoted = _address_column(address), shlex.quote(address)
    actions = []
    for success in siege.successes[:1]:
        user = shlex.quote(success.user) if success.user else "USER"
        actions += [
            (
                f"Treat the account as taken over: `sudo loginctl terminate-user {user}` ends its sessions, "
                f"`sudo passwd -l {user}` locks it until its owner confirms the login."
            ),
            (
                f"Look at what it did since (`last {user}`, the events of this user) "
                "and for new keys in its ~/.ssh/authorized_keys."
            ),
        ]
    if column == "source.ip":
        actions.append(f"Block the address: `sudo ufw insert 1 deny from {quoted}`.")
    else:
        actions.append(f"Find its address with `getent ahosts {quoted}` and block that at the firewall.")
    query = shlex.quote(f"outcome:success {column}:{address}")
    actions += [f"See whether it got in anywhere: `vedette search {query}`.", _NO_PASSWORDS]
    return tuple(actions)


def _address_column(address: str) -> str:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return "source.address"
    return "source.ip"


def _few(names: Names, number: int) -> str:
    shown = list(names.values)[:number]
    rest = len(names) - len(shown)
    text = ", ".join(shown)
    return f"{text} and {rest} more" if rest else text


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
