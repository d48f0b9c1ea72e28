"""The folder of the operator's own formats: written safely, and watched for changes by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vedette.model.errors import StoreFull
from vedette.store.duckdb.files import sync_folder

_ENDINGS: Final = (".yaml", ".yml")

Signature = tuple[tuple[str, int, int], ...]
"""Name, time of change and size of every file."""


class FormatFolder:
    """One file a format. Blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def signature(self) -> Signature:
        """Differs when a file was written, added or removed."""
        found: list[tuple[str, int, int]] = []
        with suppress(OSError):
            for entry in os.scandir(self.path):
                if entry.name.endswith(_ENDINGS):
                    with suppress(OSError):
                        facts = entry.stat()
                        found.append((entry.name, facts.st_mtime_ns, facts.st_size))
        return tuple(sorted(found))

    def write(self, name: str, text: str, *, over: Path | None = None) -> Path:
        """The file is there as a whole, or as it was. Raises StoreFull."""
        path = over or self.path / f"{name}.yaml"
        with _saying_what_failed(path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            sync_folder(self.path)
        return path

    def remove(self, path: Path) -> None:
        """Raises StoreFull; safe to repeat."""
        with _saying_what_failed(path):
            path.unlink(missing_ok=True)
            sync_folder(self.path)


@contextmanager
def _saying_what_failed(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFull(f"{path} cannot be written ({error.strerror}); free space or mend its permissions") from error
