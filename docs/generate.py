"""Writes the reference pages that are made from the code: `make docs`. `--check` only tells whether they are current."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.main import get_command

from vedette.model.events import EVENT_COLUMNS
from vedette.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
NOTICE = "<!-- Made from the code by `make docs`; do not edit. -->\n\n"


def main() -> None:
    pages = {"settings.md": settings(), "event-columns.md": event_columns(), "cli.md": commands()}
    REFERENCE.mkdir(exist_ok=True)
    stale = []
    for name, text in pages.items():
        path = REFERENCE / name
        if not path.exists() or path.read_text("utf-8") != NOTICE + text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(NOTICE + text, "utf-8")
    if "--check" in sys.argv and stale:
        sys.exit(f"{', '.join(stale)} differ from the code; run `make docs`")


def settings() -> str:
    lines = [
        "# Settings",
        "",
        "In `vedette.toml` in the data folder, as `VEDETTE_*` environment variables, or as flags; later ones win. A",
        "variable's name is the setting's in capitals, `__` for each dot: `VEDETTE_STORE__THREADS=4`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in _settings(Settings)]
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _default(field), field.description or ""


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    return "" if value is PydanticUndefined else f"`{value}`"


def event_columns() -> str:
    lines = [
        "# Event columns",
        "",
        "Names after the Elastic Common Schema. A field that has no column is kept in `fields` and searched under its own name.",
        "",
        "| column | short names in queries | type | meaning |",
        "|---|---|---|---|",
    ]
    for column in EVENT_COLUMNS:
        short = ", ".join(f"`{alias}`" for alias in column.aliases)
        lines.append(f"| `{column.name}` | {short} | {column.dtype} | {column.meaning} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    from vedette.cli.main import app

    group: Any = get_command(app)
    sections = ["# Commands\n"]
    for path, command in _walk(group, "vedette"):
        sections.append(f"## `{path}`\n\n```text\n{_help_text(command, path)}\n```\n")
    return "\n".join(sections)


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, f"{path} {name}")


def _help_text(command: Any, path: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        command.main(["--help"], prog_name=path, standalone_mode=False, terminal_width=100, max_content_width=100)
    return "\n".join(line.rstrip() for line in printed.getvalue().rstrip().splitlines())


if __name__ == "__main__":
    main()
