"""What the commands say, and how hostile text is kept from the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from vedette.model.severity import severity_name

SEVERITY_STYLE: Final = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}
SEVERITY_GLYPH: Final = {"critical": "●", "high": "◕", "medium": "◑", "low": "◔", "informational": "○"}

_MOST_PROBLEMS: Final = 10
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """Text without anything a terminal would obey: control and direction characters are written out."""
    return _CONTROL.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if ord(found[0]) < 256 else f"\\u{ord(found[0]):04x}", text
    )


def complain(sentence: str) -> None:
    """One sentence on standard error."""
    sys.stderr.write(f"vedette: {safe(sentence)}\n")


def complain_of(problems: Sequence[str], left_out: Sequence[str] = ()) -> None:
    """What was wrong with the files that a command read: the first ones, and how many more there are."""
    for problem in problems[:_MOST_PROBLEMS]:
        complain(problem)
    if len(problems) > _MOST_PROBLEMS:
        complain(f"and {len(problems) - _MOST_PROBLEMS:,} more problems like these")
    if left_out:
        complain(f"{plural(len(left_out), 'file')} left out, not text; the first: {left_out[0].rpartition(':')[0]}")


def out() -> Console:
    """For results on standard output."""
    return Console(soft_wrap=False, highlight=False)


def err() -> Console:
    """For progress and remarks on standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def severity_text(severity: int) -> Text:
    """Glyph and number in the severity's colour."""
    name = severity_name(severity)
    return Text(f"{SEVERITY_GLYPH[name]} {severity:>2}", style=SEVERITY_STYLE[name])


def human_bytes(size: float) -> str:
    """Like 1.4 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def plural(count: int, noun: str) -> str:
    """`1 line`, `2,000 lines`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
