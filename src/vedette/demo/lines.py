"""The programs of a small invented company, each writing log lines as the real one does.

Names are invented; addresses are those reserved for documentation (RFC 5737, RFC 3849): 192.0.2.0/24 and
2001:db8::/32 are the company and its customers, 198.51.100.0/24 and 203.0.113.0/24 the rest of the world.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Final, NamedTuple

AUTH: Final = "auth.log"
ACCESS: Final = "access.log"
APP: Final = "app.jsonl"
KERNEL: Final = "kern.log"
FILES: Final = (AUTH, ACCESS, APP, KERNEL)

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Line(NamedTuple):
    """A line whose time is still open: `head`, the stamp as `file` writes it, `tail`."""

    file: str
    head: str
    tail: str

    def at(self, moment: datetime) -> str:
        """The whole line; `moment` is aware and its zone is the zone of the stamp."""
        return self.head + STAMPS[self.file](moment) + self.tail


def _syslog_stamp(moment: datetime) -> str:
    return f"{MONTHS[moment.month - 1]} {moment.day:2d} {moment:%H:%M:%S}"


def _kernel_stamp(moment: datetime) -> str:
    """With host and program, since the uptime goes with the time."""
    uptime = moment.timestamp() % _BOOTED_EVERY_SECONDS
    return f"{_syslog_stamp(moment)} edge kernel: [{uptime:.6f}]"


def _clf_stamp(moment: datetime) -> str:
    return f"{moment.day:02d}/{MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S %z}"


def _iso_stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


STAMPS: Final[dict[str, Callable[[datetime], str]]] = {
    AUTH: _syslog_stamp,
    ACCESS: _clf_stamp,
    APP: _iso_stamp,
    KERNEL: _kernel_stamp,
}

PEOPLE: Final = ("anna", "bela", "chen", "dmitri", "esra", "farid", "greta", "hugo", "ines", "jonas", "kofi", "lena")
_PAGES: Final = ("/", "/products", "/cart", "/checkout", "/about", "/blog", "/search?q=lamp", "/search?q=rug")
_ASSETS: Final = ("/static/app.js", "/static/site.css", "/static/logo.svg", "/favicon.ico", "/fonts/inter.woff2")
_BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Safari/605.1.15"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1"
    ),
)
_SUDO: Final = (
    "/usr/bin/systemctl reload nginx",
    "/usr/bin/journalctl -u shop --since today",
    "/usr/bin/apt-get update",
    "/usr/bin/tail -n 100 /var/log/nginx/error.log",
)
_JOBS: Final = (
    ("root", "test -x /usr/sbin/anacron || run-parts --report /etc/cron.hourly"),
    ("backup", "/usr/local/bin/backup-incremental --quiet"),
    ("www-data", "php /srv/shop/artisan schedule:run"),
)
_UNITS: Final = (
    "Started certbot.service - Certbot.",
    "Finished logrotate.service - Rotate log files.",
    "Started apt-daily.service - Daily apt download activities.",
    "Finished fstrim.service - Discard unused blocks on filesystems.",
)
_BOOTED_EVERY_SECONDS: Final = 1_000_000
_TELNET_AND_KIN: Final = (23, 445, 1433, 2323, 3389, 5060, 5900, 6379, 8545, 37215)


def syslog(program: str, text: str, pid: int | None = None, *, host: str = "bastion") -> Line:
    tag = program if pid is None else f"{program}[{pid}]"
    return Line(AUTH, "", f" {host} {tag}: {text}")


def request(
    address: str, url: str, *, status: int, size: int, agent: str, referrer: str = "-", method: str = "GET"
) -> Line:
    return Line(ACCESS, f"{address} - - [", f'] "{method} {url} HTTP/1.1" {status} {size} "{referrer}" "{agent}"')


def application(level: str, logger: str, message: str, **fields: str | int | float) -> Line:
    rest = json.dumps({"level": level, "logger": logger, "msg": message, **fields}, ensure_ascii=False)
    return Line(APP, '{"time": "', f'", {rest[1:]}')


def blocked(random: Random, source: str, port: int, protocol: str = "TCP") -> Line:
    """A packet that the firewall of the host `edge` refused."""
    flags = "WINDOW=1024 RES=0x00 SYN URGP=0" if protocol == "TCP" else "LEN=108"
    return Line(
        KERNEL,
        "",
        f" [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:9a:41:07:52:54:00:12:35:02:08:00 "
        f"SRC={source} DST=192.0.2.10 LEN={random.choice((40, 44, 60))} TOS=0x00 PREC=0x00 "
        f"TTL={random.randrange(40, 250)} ID={random.randrange(65_536)} PROTO={protocol} "
        f"SPT={random.randrange(1024, 65_536)} DPT={port} {flags}",
    )


def customer(random: Random) -> str:
    """The address of somebody harmless."""
    if random.random() < 0.15:
        return f"2001:db8:{random.randrange(1, 64):x}::{random.randrange(1, 0xFFFF):x}"
    return f"192.0.2.{random.randrange(64, 255)}"


def visit(random: Random) -> list[Line]:
    """A page and some of what belongs to it."""
    address, agent = customer(random), random.choice(_BROWSERS)
    page = random.choice(_PAGES) if random.random() < 0.6 else f"/products/{random.randrange(1, 400)}"
    status = random.choices((200, 304, 302, 404, 500), weights=(880, 60, 40, 18, 2))[0]
    lines = [request(address, page, status=status, size=random.randrange(900, 42_000), agent=agent)]
    for asset in random.sample(_ASSETS, random.randrange(3)):
        size, referrer = random.randrange(300, 90_000), f"https://shop.example{page}"
        lines.append(request(address, asset, status=200, size=size, agent=agent, referrer=referrer))
    return lines


def purchase(random: Random) -> list[Line]:
    """What the shop says about its work."""
    trace = f"{random.getrandbits(64):016x}"
    user, order = random.choice(PEOPLE), f"A-{random.randrange(10_000, 99_999)}"
    milliseconds = round(random.lognormvariate(3.6, 0.6), 1)
    kind = random.random()
    if kind < 0.55:
        return [
            application(
                "info", "shop.http", "request finished", method="GET", path=random.choice(_PAGES), status=200,
                duration_ms=milliseconds, trace_id=trace,
            )
        ]  # fmt: skip
    if kind < 0.9:
        amount = round(random.uniform(5, 320), 2)
        return [
            application(
                "info", "shop.checkout", "order placed", order=order, user=user, amount_eur=amount, trace_id=trace
            ),
            application("info", "shop.mail", "confirmation queued", order=order, user=user, trace_id=trace),
        ]
    if kind < 0.98:
        return [
            application(
                "warning", "shop.payment", "provider answered slowly", provider="paynow", order=order,
                duration_ms=round(milliseconds * 60, 1), trace_id=trace,
            )
        ]  # fmt: skip
    return [
        application(
            "error", "shop.inventory", "stock level could not be read, using the cached one",
            error="timeout after 3000 ms", sku=f"SKU-{random.randrange(1000, 9999)}", trace_id=trace,
        )
    ]  # fmt: skip


def stray_packet(random: Random) -> list[Line]:
    """The background noise of the internet."""
    source = f"198.51.100.{random.randrange(1, 200)}"
    return [blocked(random, source, random.choice(_TELNET_AND_KIN))]


def housekeeping(random: Random) -> list[Line]:
    """Jobs and units."""
    pid = random.randrange(2_000, 32_000)
    if random.random() < 0.3:
        return [syslog("systemd", random.choice(_UNITS), 1)]
    user, command = random.choice(_JOBS)
    return [
        syslog("CRON", f"pam_unix(cron:session): session opened for user {user}(uid=0) by (uid=0)", pid),
        syslog("CRON", f"({user}) CMD ({command})", pid + 1),
        syslog("CRON", f"pam_unix(cron:session): session closed for user {user}", pid),
    ]


class Visitor(NamedTuple):
    """A colleague who is logged in."""

    user: str
    uid: int
    address: str
    port: int
    pid: int
    session: int


def arrive(random: Random, person: int) -> tuple[Visitor, list[Line]]:
    """A colleague logs in with a key."""
    one = Visitor(
        user=PEOPLE[person % len(PEOPLE)],
        uid=1001 + person % len(PEOPLE),
        address=f"192.0.2.{11 + person % len(PEOPLE)}",
        port=random.randrange(32_768, 61_000),
        pid=random.randrange(2_000, 32_000),
        session=random.randrange(100, 9_999),
    )
    accepted = f"Accepted publickey for {one.user} from {one.address} port {one.port} ssh2"
    opened = f"pam_unix(sshd:session): session opened for user {one.user}(uid={one.uid}) by (uid=0)"
    return one, [
        syslog("sshd", f"{accepted}: ED25519 SHA256:{_key_of(one.user)}", one.pid),
        syslog("sshd", opened, one.pid),
        syslog("systemd-logind", f"New session {one.session} of user {one.user}.", 612),
    ]


def leave(one: Visitor) -> list[Line]:
    return [
        syslog("sshd", f"Received disconnect from {one.address} port {one.port}:11: disconnected by user", one.pid),
        syslog("sshd", f"Disconnected from user {one.user} {one.address} port {one.port}", one.pid),
        syslog("sshd", f"pam_unix(sshd:session): session closed for user {one.user}", one.pid),
        syslog("systemd-logind", f"Removed session {one.session}.", 612),
    ]


def sudo(user: str, uid: int, command: str) -> list[Line]:
    opened = f"pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid={uid})"
    return [
        syslog("sudo", f"{user:>8} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND={command}"),
        syslog("sudo", opened),
        syslog("sudo", "pam_unix(sudo:session): session closed for user root"),
    ]


def typo(random: Random, person: int) -> list[Line]:
    """A colleague mistypes a password once and then gets it right."""
    user, address = PEOPLE[person % len(PEOPLE)], f"192.0.2.{11 + person % len(PEOPLE)}"
    pid, port = random.randrange(2_000, 32_000), random.randrange(32_768, 61_000)
    return [
        *failed_password(user, address, port, pid, is_known=True),
        syslog("sshd", f"Accepted password for {user} from {address} port {port} ssh2", pid),
    ]


def failed_password(user: str, address: str, port: int, pid: int, *, is_known: bool) -> list[Line]:
    """One attempt as sshd and PAM tell it."""
    failure = f"authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}"
    if is_known:
        return [
            syslog("sshd", f"pam_unix(sshd:auth): {failure}  user={user}", pid),
            syslog("sshd", f"Failed password for {user} from {address} port {port} ssh2", pid),
        ]
    return [
        syslog("sshd", f"Invalid user {user} from {address} port {port}", pid),
        syslog("sshd", "pam_unix(sshd:auth): check pass; user unknown", pid),
        syslog("sshd", f"pam_unix(sshd:auth): {failure} ", pid),
        syslog("sshd", f"Failed password for invalid user {user} from {address} port {port} ssh2", pid),
    ]


def ordinary(random: Random) -> Iterator[list[Line]]:
    """One harmless happening after the other, without end."""
    person = 0
    present: deque[Visitor] = deque()
    while True:
        kind = random.random()
        if kind < 0.62:
            yield visit(random)
        elif kind < 0.86:
            yield purchase(random)
        elif kind < 0.93:
            yield stray_packet(random)
        elif kind < 0.955:
            yield housekeeping(random)
        elif kind < 0.97 and present:
            one = random.choice(present)
            yield sudo(one.user, one.uid, random.choice(_SUDO))
        elif len(present) > random.randrange(2, 6):
            yield leave(present.popleft())
        elif kind > 0.997:
            person += 1
            yield typo(random, person)
        else:
            person += 1
            one, lines = arrive(random, person)
            present.append(one)
            yield lines


def _key_of(user: str) -> str:
    """A fingerprint that stays the same for a person."""
    random = Random(user)
    return "".join(random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=43))
