"""Which zone clocks without one are in, guessed from the skew between stamps and their arrival.

Only a file that is followed live can tell: its newest line was written a moment before it was read. What was written
earlier (history, a backlog after a restart) proves nothing, and is told apart in four ways: the file was changed just
now, the lines of a batch lie close together, observations lie seconds apart and agree (stamps of a backlog run faster
than the clock), and their skew is that of a real zone.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vedette.formats.timestamps.zones import offset_name

_FEWEST: Final = 3
_MOST: Final = 6
_APART: Final = timedelta(seconds=2)
_SPAN: Final = timedelta(seconds=10)
_SPREAD: Final = timedelta(seconds=5)
_RESIDUE: Final = timedelta(seconds=60)
_JUST_CHANGED: Final = timedelta(seconds=10)
_CLOSE_TOGETHER: Final = timedelta(seconds=60)
_AGAIN: Final = timedelta(minutes=1)
_ZONED_AGAIN: Final = timedelta(minutes=10)
_PATIENCE: Final = 20
_PAUSE: Final = timedelta(milliseconds=500)
_DAY: Final = timedelta(days=1)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_WESTMOST: Final = timedelta(hours=-12)
_REAL_OFFSETS: Final = tuple(
    timedelta(minutes=minutes)
    for minutes in sorted(
        {
            *range(-12 * 60, 15 * 60, 60),
            *(-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825),
        }
    )
)
"""Of all quarters of an hour those that some zone has, daylight saving included (IANA tz database)."""

File = tuple[str, str]
"""Id of a source, and the path of one of its files."""


@dataclass(frozen=True, slots=True)
class GuessedZone:
    """`offset` stands for a zone as in ParseContext, None for UTC."""

    offset: str | None
    reason: str
    since: datetime


@dataclass(slots=True)
class _Watched:
    skews: deque[tuple[datetime, timedelta]] = field(default_factory=lambda: deque(maxlen=_MOST))
    due: datetime = _LONG_AGO
    undecided: int = 0


class ZoneGuess:
    """Remembers the guess for each file, the least recently watched forgotten when there are too many.

    `observe` wants the instants of the first and the newest lines of a batch, read as UTC; ask `is_due` first, because
    to read them costs something, and tell `has_zone` where the stamps name their zone. `zone_of` may be called from
    any thread.
    """

    def __init__(self, *, max_files: int = 4_096) -> None:
        self._max_files = max_files
        self._watched: OrderedDict[File, _Watched] = OrderedDict()
        self._zones: OrderedDict[File, GuessedZone] = OrderedDict()
        self._last_observed = _LONG_AGO

    def zone_of(self, file: File) -> GuessedZone | None:
        return self._zones.get(file)

    def is_due(self, file: File, *, read_at: datetime, changed_at: datetime) -> bool:
        """May a batch that was read now, of a file changed then, tell something new?"""
        if abs(read_at - changed_at) > _JUST_CHANGED or abs(read_at - self._last_observed) < _PAUSE:
            return False
        watched = self._watched.get(file)
        return watched is None or read_at >= watched.due

    def has_zone(self, file: File, read_at: datetime) -> None:
        """The stamps of this file name their zone: nothing to guess for a while."""
        watched = self._watch(file, read_at)
        watched.skews.clear()
        watched.due = read_at + _ZONED_AGAIN

    def observe(self, file: File, stamps: Sequence[datetime], read_at: datetime) -> GuessedZone | None:
        """The zone of the file, where it is known now and was not before, or was another."""
        watched = self._watch(file, read_at)
        watched.undecided += 1
        hurries = file not in self._zones and watched.undecided < _PATIENCE
        watched.due = read_at + (_APART if hurries else _AGAIN)
        if not stamps:
            return None
        if max(stamps) - min(stamps) > _CLOSE_TOGETHER:
            watched.skews.clear()
            return None
        watched.skews.append((read_at, max(stamps) - read_at))
        offset = _agreed(watched.skews)
        if offset is None:
            return None
        zone = GuessedZone(offset_name(offset) if offset else None, _reason(offset, watched.skews), read_at)
        watched.undecided = 0
        watched.skews.clear()
        watched.due = read_at + _AGAIN
        known = self._zones.get(file)
        if known is not None and known.offset == zone.offset:
            return None
        self._keep(file, zone)
        return zone

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {
                "source": source,
                "path": path,
                "offset": zone.offset,
                "reason": zone.reason,
                "since": zone.since.isoformat(),
            }
            for (source, path), zone in self._zones.items()
        ]

    def restore(self, content: Sequence[Mapping[str, Any]]) -> None:
        """Continue with what `to_json` told. Raises ValueError, KeyError or TypeError where it is something else."""
        self._watched.clear()
        self._zones.clear()
        for one in content:
            offset = None if one["offset"] is None else str(one["offset"])
            since = datetime.fromisoformat(one["since"])
            self._keep((str(one["source"]), str(one["path"])), GuessedZone(offset, str(one["reason"]), since))

    def _watch(self, file: File, read_at: datetime) -> _Watched:
        self._last_observed = read_at
        watched = self._watched.setdefault(file, _Watched())
        self._watched.move_to_end(file)
        if len(self._watched) > self._max_files:
            self._watched.popitem(last=False)
        return watched

    def _keep(self, file: File, zone: GuessedZone) -> None:
        self._zones[file] = zone
        self._zones.move_to_end(file)
        if len(self._zones) > self._max_files:
            self._zones.popitem(last=False)


def _agreed(observed: Sequence[tuple[datetime, timedelta]]) -> timedelta | None:
    """The offset of the real zone that all observations show."""
    first, last = observed[0][0], observed[-1][0]
    skews = [skew for _, skew in observed]
    if len(skews) < _FEWEST or last - first < _SPAN or max(skews) - min(skews) > _SPREAD:
        return None
    skew = sorted(skews)[len(skews) // 2]
    if skew < _WESTMOST - _RESIDUE:
        skew += _DAY  # a clock without a date that is ahead was read as yesterday's
    nearest = min(_REAL_OFFSETS, key=lambda offset: abs(offset - skew))
    return nearest if abs(nearest - skew) <= _RESIDUE else None


def _reason(offset: timedelta, observed: Sequence[tuple[datetime, timedelta]]) -> str:
    seconds = (observed[-1][0] - observed[0][0]).total_seconds()
    zone = "UTC" + (offset_name(offset) if offset else "")
    return f"stamps without zone are {zone}: {len(observed)} times in {seconds:.0f} s lines came at that time"
