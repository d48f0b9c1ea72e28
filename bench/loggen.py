"""Realistic logs of any size, the same for a seed.

A pool of distinct lines is made by the programs of the demonstration; the wanted number is drawn from it, stamped
with a time that moves on, and written in large pieces. About a million lines take two seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, Literal, get_args

from vedette.demo.attacks import password_guessing, port_scan, web_scan
from vedette.demo.lines import ACCESS, APP, AUTH, KERNEL, STAMPS, Line, ordinary

Kind = Literal["mixed", "auth", "web", "json", "kernel"]

START: Final = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
_FILES: Final[dict[Kind, frozenset[str]]] = {
    "mixed": frozenset({AUTH, ACCESS, APP, KERNEL}),
    "auth": frozenset({AUTH}),
    "web": frozenset({ACCESS}),
    "json": frozenset({APP}),
    "kernel": frozenset({KERNEL}),
}
_POOL_LINES: Final = 20_000
_BLOCK_LINES: Final = 50
"""Lines that share a stamp: at 200 blocks a second of log time, 10,000 lines a second."""
_BLOCK_STEP: Final = timedelta(milliseconds=5)
_PIECE_BLOCKS: Final = 200


def generate(path: Path, lines: int, seed: int, kind: Kind = "mixed", *, step: timedelta = _BLOCK_STEP) -> int:
    """Write `lines` lines to `path`, replacing it; the bytes written.

    The time moves on by `step` every 50 lines, beginning at START (UTC).
    """
    random = Random(f"{seed} {kind}")
    pool = list(islice(_lines(random, _FILES[kind]), min(_POOL_LINES, max(lines, 1))))
    written = 0
    moment = START
    with path.open("wb") as file:
        while lines > 0:
            piece: list[str] = []
            for _ in range(_PIECE_BLOCKS):
                stamps = {name: stamp(moment) for name, stamp in STAMPS.items()}
                block = random.choices(pool, k=min(_BLOCK_LINES, lines))
                piece += [f"{head}{stamps[name]}{tail}\n" for name, head, tail in block]
                lines -= len(block)
                moment += step
            written += file.write("".join(piece).encode())
    return written


def _lines(random: Random, files: frozenset[str]) -> Iterator[Line]:
    """Ordinary lines with, now and then, an attack in between."""
    everyday = ordinary(random)
    while True:
        for lines in islice(everyday, 400):
            yield from (line for line in lines if line.file in files)
        for scene in (
            password_guessing(random, f"203.0.113.{random.randrange(256)}", attempts=20, gets_in=False),
            web_scan(random, f"198.51.100.{random.randrange(256)}"),
            port_scan(random, f"203.0.113.{random.randrange(256)}"),
        ):
            for _, lines in scene:
                yield from (line for line in lines if line.file in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("lines", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=get_args(Kind), default="mixed")
    options = parser.parse_args()
    size = generate(options.path, options.lines, options.seed, options.kind)
    print(f"{options.path}: {options.lines:,} lines, {size:,} bytes")


if __name__ == "__main__":
    main()
