"""Writes the performance into files, at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from vedette.demo.lines import FILES, Line
from vedette.demo.script import script
from vedette.model.clock import Clock, SystemClock

_TICK_SECONDS = 0.05


class DemoWriter:
    """Log files in `folder` that grow like those of a real machine.

    `run` writes until it is cancelled. Files are made at once, so that they can be watched; one that reaches
    `max_bytes` is renamed to `….1`, which replaces the one before. Stamps are wall time in the machine's zone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        max_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._cues = script(seed)
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.paths:
            path.touch()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that grow, in a fixed order."""
        return tuple(self._folder / name for name in FILES)

    async def run(self) -> None:
        """Write what is due, wait, and so on; blocking work is done in a thread."""
        start = self._clock.monotonic()
        cue = next(self._cues)
        while True:
            due: list[Line] = []
            elapsed = self._clock.monotonic() - start
            while cue.at <= elapsed:
                due += cue.lines
                cue = next(self._cues)
            if due:
                await asyncio.to_thread(self.write, due)
            await asyncio.sleep(max(_TICK_SECONDS, cue.at - (self._clock.monotonic() - start)))

    def write(self, lines: Sequence[Line]) -> None:
        """Append lines, stamped with the time of now."""
        moment = self._clock.now().astimezone()
        for name, texts in _by_file(lines).items():
            path = self._folder / name
            if path.exists() and path.stat().st_size >= self._max_bytes:
                path.rename(path.with_name(f"{name}.1"))
            with path.open("ab") as file:
                file.write("".join(f"{line.at(moment)}\n" for line in texts).encode())


def _by_file(lines: Sequence[Line]) -> Mapping[str, list[Line]]:
    files: dict[str, list[Line]] = {}
    for line in lines:
        files.setdefault(line.file, []).append(line)
    return files
