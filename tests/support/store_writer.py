"""Commits numbered events to a store until it is done, or killed: run as a program by the fault tests.

`python -m support.store_writer FOLDER BATCHES ROWS` continues behind the stored position, as a pipeline does, and
repeats a refused batch until the store takes it. It prints `ready`, `ack N`, `refused KIND TEXT`, `done`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from support.events import numbered_events, position
from vedette.model.batches import CommitBatch
from vedette.model.clock import SystemClock
from vedette.model.errors import StoreError
from vedette.store import DuckDbStore


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


def batch(number: int, rows: int) -> CommitBatch:
    """Batch N holds the events N*rows … and moves the position to N+1."""
    return CommitBatch(
        numbered_events(rows, first=number * rows),
        positions=(position(offset=number + 1),),
        ledger={"auth": {"stored": rows}},
        state={"window": str(number).encode() * 100},
        token=f"writer:{number}",
    )


def main(folder: Path, batches: int, rows: int) -> None:
    store = DuckDbStore.open(folder / "events.duckdb", clock=SystemClock())
    known = store.positions("auth")
    say("ready")
    for number in range(known[0].offset if known else 0, batches):
        while True:
            try:
                store.commit(batch(number, rows))
                break
            except StoreError as error:
                say("refused", type(error).__name__, error)
                time.sleep(0.05)
        say("ack", number)
    say("health", store.health().state)
    store.close()
    say("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
