"""Ten files in ten formats, as a server of a small company has them, of any size and the same for a seed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Final

from bench.loggen import START, generate

from vedette.demo.lines import MONTHS, PEOPLE

Writer = Callable[[Random, datetime], str]

_PATHS: Final = ("/", "/cart", "/checkout", "/api/v2/orders", "/static/app.js", "/login")
_TABLES: Final = ("orders", "customers", "items", "invoices")
_CLASSES: Final = ("c.e.shop.OrderService", "c.e.shop.Payment", "o.a.kafka.Consumer", "c.e.shop.http.Filter")


def _address(random: Random) -> str:
    return f"{random.choice(('198.51.100', '203.0.113', '192.0.2'))}.{random.randrange(1, 255)}"


def _syslog(at: datetime) -> str:
    return f"{MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S}"


def nginx_error(random: Random, at: datetime) -> str:
    client, path = _address(random), random.choice(_PATHS)
    return (
        f"{at:%Y/%m/%d %H:%M:%S} [error] {random.randrange(900, 990)}#0: *{random.randrange(10**6)} open() "
        f'"/srv/www{path}" failed (2: No such file or directory), client: {client}, server: shop.example.net, '
        f'request: "GET {path} HTTP/1.1", host: "shop.example.net"'
    )


def postgresql(random: Random, at: datetime) -> str:
    head = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC [{random.randrange(1000, 9000)}] "
    if random.random() < 0.05:
        return head + f'shop@shop FATAL:  password authentication failed for user "{random.choice(PEOPLE)}"'
    return head + (
        f"shop@shop LOG:  duration: {random.random() * 90:.3f} ms  statement: SELECT * FROM {random.choice(_TABLES)} "
        f"WHERE id = {random.randrange(10**6)}"
    )


def haproxy(random: Random, at: datetime) -> str:
    return (
        f"{_syslog(at)} edge haproxy[812]: {_address(random)}:{random.randrange(1024, 65535)} "
        f"[{at.day:02d}/{MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S}.{at.microsecond // 1000:03d}] shop~ shop/web{random.randrange(3)} "
        f"0/0/1/{random.randrange(90)}/{random.randrange(90, 180)} {random.choice((200, 200, 200, 304, 404))} "
        f'{random.randrange(200, 90_000)} - - ---- 12/12/3/1/0 0/0 "GET {random.choice(_PATHS)} HTTP/1.1"'
    )


def logfmt(random: Random, at: datetime) -> str:
    return (
        f"ts={at.isoformat(timespec='milliseconds')} level={random.choice(('info', 'info', 'warn'))} caller=http.go:91 "
        f'msg="request done" method=GET path={random.choice(_PATHS)} status=200 duration={random.random():.4f}s '
        f"remote_addr={_address(random)}"
    )


def java(random: Random, at: datetime) -> str:
    level = random.choice(("INFO ", "INFO ", "DEBUG", "WARN "))
    return (
        f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {level} [http-nio-8080-exec-{random.randrange(20)}] "
        f"{random.choice(_CLASSES)} - order {random.randrange(10**6)} of customer {random.randrange(10**4)} is paid"
    )


def klog(random: Random, at: datetime) -> str:
    return (
        f"I{at:%m%d %H:%M:%S.%f} {random.randrange(1, 9):7d} reconciler.go:{random.randrange(90, 400)}] "
        f'"Reconciled" pod="shop/web-{random.randrange(10**4):x}" attempt={random.randrange(4)}'
    )


WRITERS: Final[dict[str, Writer]] = {
    "nginx-error.log": nginx_error,
    "postgresql.log": postgresql,
    "haproxy.log": haproxy,
    "service.log": logfmt,
    "shop.log": java,
    "kubelet.log": klog,
}


def write_files(folder: Path, lines: int, seed: int = 1) -> list[Path]:
    """Ten files of `lines` / 10 lines each."""
    folder.mkdir(parents=True)
    share = lines // 10
    files = []
    for kind in ("auth", "web", "json", "kernel"):
        generate(folder / f"{kind}.log", share, seed, kind)
        files.append(folder / f"{kind}.log")
    for name, write in WRITERS.items():
        random = Random(f"{seed} {name}")
        step = timedelta(milliseconds=1)
        with (folder / name).open("w", encoding="utf-8") as file:
            file.writelines(write(random, START + number * step) + "\n" for number in range(share))
        files.append(folder / name)
    return files


def interleave(files: list[Path], target: Path) -> None:
    """One file with a line of each file in turn, as a container's output has them."""
    sources = [path.open(encoding="utf-8") for path in files]
    with target.open("w", encoding="utf-8") as file:
        for lines in zip_longest(*sources):
            file.writelines(line for line in lines if line)
    for source in sources:
        source.close()
