"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Folder that holds everything Vedette keeps. [default: $VEDETTE_DATA_DIR, else the user's data folder]",
    ),
]
LogLevel = Annotated[
    str | None, typer.Option("--log-level", metavar="LEVEL", help="Our own log: debug, info, warning or error.")
]
Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders or patterns.")]
