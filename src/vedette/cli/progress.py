"""A progress bar for commands that read files to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from vedette.cli.terminal import err

Advance = Callable[[int, int], None]
"""Tells how many bytes are done, and of how many (0: unknown)."""


@contextmanager
def reading_progress(verb: str) -> Iterator[Advance]:
    """A bar on standard error where that is a terminal, else nothing."""
    console = err()
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn(verb), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(verb, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)
