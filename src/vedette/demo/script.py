"""The whole performance, in order of time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from vedette.demo.attacks import Scene, first_attacks, later_attacks
from vedette.demo.lines import Line, ordinary

_LULL_SECONDS = 90.0


class Cue(NamedTuple):
    """What is to be written `at` so many seconds after the start."""

    at: float
    lines: list[Line]


def script(seed: int, *, attacks: bool = True) -> Iterator[Cue]:
    """Endless, in order of time, and always the same for a seed. Some 5 to 20 lines a second."""
    parts = [_everyday(Random(f"{seed} everyday"))]
    if attacks:
        random = Random(f"{seed} attacks")
        parts += [_staged(at, scene) for at, scene in first_attacks(random)]
        parts.append(_repeated(random, behind=60.0))
    return heapq.merge(*parts, key=lambda cue: cue.at)


def _everyday(random: Random) -> Iterator[Cue]:
    at = 0.0
    for lines in ordinary(random):
        lines_per_second = 10 + 5 * math.sin(at * math.tau / _LULL_SECONDS)
        yield Cue(at, lines)
        at += random.expovariate(1) * len(lines) / lines_per_second


def _staged(at: float, scene: Scene) -> Iterator[Cue]:
    for wait, lines in scene:
        at += wait
        yield Cue(at, lines)


def _repeated(random: Random, *, behind: float) -> Iterator[Cue]:
    """Scenes one after the other: the next begins when the one before is over."""
    at = behind
    for wait, scene in later_attacks(random):
        at += wait
        for cue in _staged(at, scene):
            at = cue.at
            yield cue
