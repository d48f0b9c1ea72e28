"""The bare way of a log into a table: read, split, one regex, insert. Nothing is detected, judged or remembered.

What every ingest figure is compared with, in a process of its own: `python -m bench.baseline DATABASE LOG…`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import polars as pl

BLOCK_BYTES = 16 * 2**20
HEADER = r"^(?P<stamp>\w{3} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) (?P<process>[^\s\[:]+)(?:\[(?P<pid>\d+)\])?: ?(?P<message>.*)$"


class _ArrowStream:
    """A frame as the database reads it without pyarrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def load(logs: Sequence[Path], database: Path) -> int:
    """Lines loaded."""
    connection = duckdb.connect(str(database), config={"threads": 2, "memory_limit": "256MB"})
    connection.execute(
        "create table lines (number bigint, text varchar, stamp varchar, host varchar, process varchar, pid varchar,"
        " message varchar)"
    )
    lines = 0
    for block in _blocks(logs):
        frame = (
            pl.Series("text", [block.decode()])
            .str.strip_suffix("\n")
            .str.split("\n")
            .explode()
            .to_frame()
            .with_columns(pl.col("text").str.extract_groups(HEADER).alias("header"))
            .unnest("header")
            .with_row_index("number", offset=lines)
        )
        lines += frame.height
        rows = _ArrowStream(frame)
        connection.execute("insert into lines select * from rows")
        del rows
    connection.execute("checkpoint")
    connection.close()
    return lines


def _blocks(logs: Sequence[Path]) -> Iterator[bytes]:
    """Whole lines."""
    for log in logs:
        rest = b""
        with log.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                block = rest + block
                end = block.rfind(b"\n") + 1
                rest = block[end:]
                yield block[:end]


if __name__ == "__main__":
    started = time.perf_counter()
    count = load([Path(log) for log in sys.argv[2:]], Path(sys.argv[1]))
    sys.stdout.write(json.dumps({"lines": count, "seconds": time.perf_counter() - started}))
