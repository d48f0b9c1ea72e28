"""Windows event logs (EVTX) as text: one JSON object a record, as the parser of the `evtx` extra prints it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from typing import Any, BinaryIO, Final, cast

from vedette.model.errors import SourceUnreadable

EVTX: Final = ".evtx"  # how the names of event logs end
MAGIC: Final = b"ElfFile\0"
_MOST_ERRORS: Final = 1_000
"""So many records in a row that cannot be read are a damaged file."""


class EvtxStream:
    """The records of an event log as lines, read forwards. A record that cannot be read becomes a line that says so.

    Raises SourceUnreadable where the extra is missing, and OSError where the file is damaged.
    """

    def __init__(self, raw: BinaryIO) -> None:
        if find_spec("evtx") is None:
            raise SourceUnreadable(
                "reading Windows event logs needs a part that is not installed: install `vedette[evtx]`"
            )
        self._lines = _lines(raw)
        self._rest = b""

    def read1(self, size: int, /) -> bytes:
        if not self._rest:
            self._rest = next(self._lines, b"")
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def close(self) -> None:
        self._lines.close()


def _lines(raw: BinaryIO) -> Generator[bytes]:
    """A loop over records, which are parsed outside of Python."""
    records = _records(raw)
    errors = 0
    while errors < _MOST_ERRORS:
        try:
            record = next(records)
        except StopIteration:
            return
        except RuntimeError as error:
            errors += 1
            yield json.dumps({"message": "a record that cannot be read", "error": str(error)}).encode() + b"\n"
        else:
            errors = 0
            yield _line_of(record["data"])
    raise OSError(f"{_MOST_ERRORS} records in a row cannot be read")


def _records(raw: BinaryIO) -> Iterator[dict[str, Any]]:
    from evtx import PyEvtxParser

    try:
        # The parser's own iterator is typed without the parameter that Iterator has.
        return cast(Iterator[dict[str, Any]], PyEvtxParser(raw, number_of_threads=1).records_json())
    except RuntimeError as error:
        raise OSError(str(error)) from error


def _line_of(data: str) -> bytes:
    if "\n" in data:
        data = json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":"))
    return data.encode("utf-8", "surrogatepass") + b"\n"
