"""Logs in formats that nobody has written before, with the truth about every line."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST = datetime(2026, 11, 24, 9, tzinfo=UTC)
USERS = ("anna", "bob", "root", "svc-backup", "carol", "deploy")
MESSAGES = (
    "connection refused by backend",
    "session opened",
    "disk nearly full on /srv",
    "retry in 5 seconds",
    "user list reloaded",
    "cache miss for key a12",
    "worker exited with status 1",
)
ACTIONS = ("login", "logout", "upload", "delete")
LEVELS = {"DEBUG": "debug", "INFO": "info", "WARN": "warning", "ERROR": "error"}


@dataclass(frozen=True)
class Told:
    """A line and the columns it holds, times as they are."""

    line: str
    columns: dict[str, Any]


class Chance:
    """The same lines for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one_of(self, *choices: str) -> str:
        return self._random.choice(choices)

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def happens(self, share: float) -> bool:
        return self._random.random() < share

    def address(self) -> str:
        return f"{self.one_of('192.0.2', '198.51.100', '203.0.113')}.{self.number(1, 254)}"


def pairs_with_odd_separators(time: datetime, chance: Chance) -> Told:
    """`@TIME; lvl:WARN; usr:anna; …`; some pairs are not always there, the message is quoted."""
    level, user, peer = chance.one_of(*LEVELS), chance.one_of(*USERS), chance.address()
    port, message = str(chance.number(1024, 65000)), chance.one_of(*MESSAGES)
    columns: dict[str, Any] = {"@timestamp": time, "log.level": LEVELS[level], "user.name": user, "message": message}
    line = f"@{time:%Y-%m-%dT%H:%M:%S}Z; lvl:{level}; usr:{user}"
    if chance.happens(0.6):
        line += f"; peer:{peer}"
        columns |= {"source.address": peer, "source.ip": peer}
    if chance.happens(0.5):
        line += f"; tries:{port}"
        columns |= {"fields.tries": port}
    return Told(f'{line}; msg:"{message}"', columns)


def columns_of_fixed_width(time: datetime, chance: Chance) -> Told:
    """Columns padded with blanks; the user is not always there, the shop's name holds a blank."""
    level, host, peer = chance.one_of(*LEVELS), chance.one_of("gate7", "web01", "db-2"), chance.address()
    user = chance.one_of(*USERS) if chance.happens(0.8) else ""
    action, message = chance.one_of(*ACTIONS), chance.one_of(*MESSAGES)
    line = f"{time:%d.%m.%Y %H:%M:%S}  {level:<7}{host:<9}{user:<12}{peer:<17}{action:<9}{message}"
    columns: dict[str, Any] = {
        "@timestamp": time, "log.level": LEVELS[level], "host.name": host, "source.address": peer, "source.ip": peer,
        "event.action": action, "message": message,
    }  # fmt: skip
    return Told(line, columns | ({"user.name": user} if user else {}))


def prefix_before_the_stamp(time: datetime, chance: Chance) -> Told:
    """`[gate3/auth(4711)] >> TIME << WARN core.db: …`."""
    host, program, pid = f"gate{chance.number(1, 9)}", chance.one_of("auth", "shop", "mail"), chance.number(100, 9999)
    level, logger = chance.one_of(*LEVELS), chance.one_of("core.db", "core.net", "ui")
    message = chance.one_of(*MESSAGES)
    stamp = f"{time + timedelta(hours=1):%d/%b/%Y:%H:%M:%S} +0100"
    return Told(
        f"[{host}/{program}({pid})] >> {stamp} << {level} {logger}: {message}",
        {
            "@timestamp": time, "host.name": host, "process.name": program, "process.pid": pid,
            "log.level": LEVELS[level], "fields.logger": logger, "message": message,
        },
    )  # fmt: skip


def cells_between_bars(time: datetime, chance: Chance) -> Told:
    """`ACME|node-4|TIME|W|anna|192.0.2.7|…`, levels as letters, `-` where there is no user."""
    host, letter, peer = f"node-{chance.number(1, 4)}", chance.one_of("I", "W", "E"), chance.address()
    user, message = chance.one_of(*USERS, "-"), chance.one_of(*MESSAGES)
    columns: dict[str, Any] = {
        "@timestamp": time, "host.name": host, "log.level": {"I": "info", "W": "warning", "E": "error"}[letter],
        "source.address": peer, "source.ip": peer, "message": message,
    }  # fmt: skip
    line = f"ACME|{host}|{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03d}|{letter}|{user}|{peer}|{message}"
    return Told(line, columns | ({"user.name": user} if user != "-" else {}))


def seconds_and_requests(time: datetime, chance: Chance) -> Told:
    """Tabs between seconds since 1970, method, path, status, peer and milliseconds."""
    method, path = chance.one_of("GET", "POST"), f"/shop/item/{chance.number(1, 99)}"
    status, peer, took = int(chance.one_of("200", "404", "500")), chance.address(), chance.number(1, 900)
    line = f"{time.timestamp():.3f}\t{method}\t{path}\t{status}\t{peer}\t{took}"
    columns = {
        "@timestamp": time, "http.request.method": method, "url.original": path, "source.address": peer, "source.ip": peer,
        "http.response.status_code": status, "fields.column6": str(took), "message": line,
    }  # fmt: skip
    return Told(line, columns)


def one_sentence(time: datetime, chance: Chance) -> Told:
    """`TIME gate7 portal(4711) login denied for anna from 192.0.2.7 port 4711 via tls`."""
    pid, action, outcome = chance.number(100, 9999), chance.one_of("login", "logout"), chance.one_of("ok", "denied")
    user, peer, port = chance.one_of(*USERS), chance.address(), chance.number(1024, 65000)
    message = f"{action} {outcome} for {user} from {peer} port {port} via tls"
    return Told(
        f"{time:%Y/%m/%d-%H:%M:%S} gate7 portal({pid}) {message}",
        {
            "@timestamp": time, "host.name": "gate7", "process.name": "portal", "process.pid": pid, "message": message,
            "event.action": action, "event.outcome": {"ok": "success", "denied": "failure"}[outcome],
            "fields.outcome": outcome, "user.name": user, "source.address": peer, "source.ip": peer, "source.port": port,
        },
    )  # fmt: skip


def pairs_in_any_order(time: datetime, chance: Chance) -> Told:
    """`<TIME> usr=anna src=192.0.2.7 …`; no two lines have their pairs in the same order."""
    user, peer, action, took = chance.one_of(*USERS), chance.address(), chance.one_of(*ACTIONS), chance.number(1, 900)
    pairs = [f"usr={user}", f"src={peer}", f"act={action}", f"took={took}ms", f'part="{chance.one_of("a b", "c d")}"']
    pairs.sort(key=lambda _: chance.number(0, 999))
    line = f"<{time:%Y-%m-%dT%H:%M:%S}Z> {' '.join(pairs)}"
    columns: dict[str, Any] = {
        "@timestamp": time, "user.name": user, "source.address": peer, "source.ip": peer, "event.action": action,
        "message": line, "fields.usr": user, "fields.src": peer, "fields.act": action, "fields.took": f"{took}ms",
    }  # fmt: skip
    return Told(line, columns | {"fields.part": "a b" if "a b" in line else "c d"})


def pairs_in_brackets(time: datetime, chance: Chance) -> Told:
    """`TIME user[anna] src[192.0.2.7] note[…]`."""
    user, peer, message = chance.one_of(*USERS), chance.address(), chance.one_of(*MESSAGES)
    return Told(
        f"{time:%Y-%m-%d %H:%M:%S} user[{user}] src[{peer}] zone[dmz] note[{message}]",
        {
            "@timestamp": time,
            "fields.zone": "dmz",
            "user.name": user,
            "source.address": peer,
            "source.ip": peer,
            "message": message,
        },
    )


def cells_in_quotes(time: datetime, chance: Chance) -> Told:
    """`"TIME","anna","192.0.2.7","login","…"`."""
    user, peer, action = chance.one_of(*USERS), chance.address(), chance.one_of(*ACTIONS)
    message = chance.one_of(*MESSAGES, "one, two, three")
    columns = {
        "@timestamp": time, "user.name": user, "source.address": peer, "source.ip": peer, "event.action": action,
        "message": message,
    }  # fmt: skip
    return Told(f'"{time:%Y-%m-%d %H:%M:%S}","{user}","{peer}","{action}","{message}"', columns)


INVENTED: tuple[Callable[[datetime, Chance], Told], ...] = (
    pairs_with_odd_separators,
    columns_of_fixed_width,
    prefix_before_the_stamp,
    cells_between_bars,
    seconds_and_requests,
    one_sentence,
    pairs_in_any_order,
    pairs_in_brackets,
    cells_in_quotes,
)


def invented(make: Callable[[datetime, Chance], Told], count: int, *, seed: int = 1) -> list[Told]:
    """Lines a few seconds apart."""
    return list(_lines(make, count, Chance(seed)))


def _lines(make: Callable[[datetime, Chance], Told], count: int, chance: Chance) -> Iterator[Told]:
    time = FIRST
    for _ in range(count):
        time += timedelta(seconds=chance.number(1, 20))
        milliseconds = timedelta(milliseconds=chance.number(0, 999)) if make in _FRACTIONS else timedelta()
        yield make(time + milliseconds, chance)


_FRACTIONS = (cells_between_bars, seconds_and_requests)
