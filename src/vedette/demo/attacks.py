"""What the attackers of the demonstration do: happenings with the seconds to wait before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from vedette.demo.lines import Line, blocked, failed_password, request, sudo, syslog

Scene = Iterator[tuple[float, list[Line]]]
"""Seconds since the happening before, and what is written then."""

_GUESSES: Final = (
    "root", "admin", "test", "oracle", "postgres", "ubuntu", "git", "jenkins", "deploy", "ftpuser", "backup",
    "user", "pi", "nagios", "mysql", "tomcat", "support", "guest", "www", "hadoop",
)  # fmt: skip
_KNOWN_USERS: Final = frozenset({"root", "deploy", "backup"})
_PROBES: Final = (
    "/.env", "/.git/config", "/wp-login.php", "/xmlrpc.php", "/phpmyadmin/index.php", "/admin/login",
    "/.aws/credentials",    "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd", "/static/../../../../etc/passwd",
    "/backup.sql", "/config.php.bak",
    "/server-status", "/actuator/env", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/owa/auth/logon.aspx",
    "/solr/admin/info/system", "/index.php?id=1%27%20OR%201=1--", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
    "/.ssh/id_rsa", "/api/v1/users?limit=1000", "/shell.php?cmd=id", "/boaform/admin/formLogin",
)  # fmt: skip
_PORTS: Final = (
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 465, 587, 993, 995, 1433, 1521, 2049, 2375, 3000,
    3306, 3389, 5000, 5432, 5601, 5900, 5985, 6379, 8080, 8443, 9000, 9200, 11211, 27017,
)  # fmt: skip


def password_guessing(random: Random, address: str, *, attempts: int, gets_in: bool) -> Scene:
    """Passwords for many users; perhaps `deploy` at last, and what is done with it."""
    for number in range(attempts):
        user = _GUESSES[number % len(_GUESSES)]
        pid, port = random.randrange(2_000, 32_000), random.randrange(32_768, 61_000)
        yield (
            random.uniform(0.15, 0.6),
            failed_password(user, address, port, pid, is_known=user in _KNOWN_USERS),
        )
        if random.random() < 0.3:
            yield (
                0.1,
                [syslog("sshd", f"Connection closed by {address} port {port} [preauth]", pid)],
            )
    if gets_in:
        pid, port = random.randrange(2_000, 32_000), random.randrange(32_768, 61_000)
        opened = "pam_unix(sshd:session): session opened for user deploy(uid=1000) by (uid=0)"
        yield 1.2, [syslog("sshd", f"Accepted password for deploy from {address} port {port} ssh2", pid)]
        yield 0.1, [syslog("sshd", opened, pid), syslog("systemd-logind", "New session 871 of user deploy.", 612)]
        yield 4.0, sudo("deploy", 1000, "/usr/bin/id")
        yield 3.0, sudo("deploy", 1000, "/usr/bin/cat /etc/shadow")
        yield 5.0, sudo("deploy", 1000, "/usr/sbin/useradd -m -G sudo support2")


def web_scan(random: Random, address: str) -> Scene:
    """Somebody looks for files that should not be there."""
    agent = random.choice(("Mozilla/5.0 zgrab/0.x", "python-requests/2.31.0", "Mozilla/5.0 (compatible; Nuclei)"))
    for probe in random.sample(_PROBES, len(_PROBES)) * 2:
        status = random.choices((404, 403, 400), weights=(85, 10, 5))[0]
        yield random.uniform(0.05, 0.35), [request(address, probe, status=status, size=153, agent=agent)]


def port_scan(random: Random, address: str) -> Scene:
    """Somebody knocks at every door."""
    for port in random.sample(_PORTS, len(_PORTS)):
        yield random.uniform(0.03, 0.25), [blocked(random, address, port)]


def first_attacks(random: Random) -> list[tuple[float, Scene]]:
    """What a newcomer sees in the first minute: seconds since the start, and the scene."""
    return [
        (3.0, password_guessing(random, "203.0.113.77", attempts=48, gets_in=True)),
        (14.0, web_scan(random, "198.51.100.23")),
        (32.0, port_scan(random, "203.0.113.142")),
    ]


def later_attacks(random: Random) -> Iterator[tuple[float, Scene]]:
    """One every few minutes, without end: seconds since the one before, and the scene."""
    scenes: tuple[Callable[[str], Scene], ...] = (
        lambda address: password_guessing(random, address, attempts=random.randrange(15, 60), gets_in=False),
        lambda address: web_scan(random, address),
        lambda address: port_scan(random, address),
    )
    while True:
        for scene in scenes:
            yield random.uniform(80, 160), scene(_stranger(random))


def _stranger(random: Random) -> str:
    if random.random() < 0.2:
        return f"2001:db8:bad:{random.randrange(1, 0xFFFF):x}::{random.randrange(1, 0xFFFF):x}"
    return f"{random.choice(('198.51.100', '203.0.113'))}.{random.randrange(200, 255)}"
