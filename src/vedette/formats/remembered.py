"""What earlier batches of a file tell of the next one: the line that named the columns, and the last record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from vedette.formats.continuation import Head

Life = tuple[str, str, int]
"""Id of a source, the path of one of its files, and its generation."""

_Value = TypeVar("_Value", str, Head)
_LONGEST_HEADER: Final = 16_384
_TROUBLED_LEVELS: Final = frozenset({"error", "critical", "alert", "emergency"})


class FileMemory:
    """Bounded: what was not kept anew for longest is forgotten first.

    Of the last records only those are in the state that a trace or a detail is likely to follow; so the state of
    files that grow without trouble stays the same.
    """

    def __init__(self, max_files: int) -> None:
        self._max_files = max_files
        self._headers: dict[Life, str] = {}
        self._heads: dict[Life, Head] = {}
        self._open: dict[Life, Head] = {}
        self.changed = False

    def header_of(self, file: Life) -> str | None:
        return self._headers.get(file)

    def head_of(self, file: Life) -> Head | None:
        return self._heads.get(file)

    def keep_header(self, file: Life, header: str | None) -> None:
        if header is None or header == self._headers.get(file) or len(header) > _LONGEST_HEADER:
            return
        _put(self._headers, file, header, self._max_files)
        self.changed = True

    def keep_head(self, file: Life, head: Head | None, *, is_open: bool) -> None:
        """The last record of a file, None where it has none that lines may continue. `is_open`: it was continued."""
        if head is None:
            self._heads.pop(file, None)
        else:
            _put(self._heads, file, head, self._max_files)
        if head is not None and (is_open or head.level in _TROUBLED_LEVELS):
            _put(self._open, file, head, self._max_files)
            self.changed = True
        elif self._open.pop(file, None) is not None:
            self.changed = True

    def to_json(self) -> dict[str, Any]:
        return {
            "headers": [[*file, header] for file, header in self._headers.items()],
            "heads": [[*file, head.to_json()] for file, head in self._open.items()],
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Raises ValueError, KeyError or TypeError for what `to_json` never gave."""
        self._headers = {
            (str(source), str(path), int(generation)): str(header)
            for source, path, generation, header in content.get("headers", [])
        }
        self._open = {
            (str(source), str(path), int(generation)): Head.from_json(head)
            for source, path, generation, head in content.get("heads", [])
        }
        self._heads = dict(self._open)
        self.changed = False


def _put(known: dict[Life, _Value], file: Life, value: _Value, most: int) -> None:
    known.pop(file, None)
    known[file] = value
    if len(known) > most:
        del known[next(iter(known))]
