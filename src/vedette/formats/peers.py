"""Who a program speaks with, also where a line does not say so.

Programs that start a process for each connection (sshd, FTP and POP3 servers) name the peer once, and later report
failures of "this connection". Message formats with `peer: process` say that all records of one process speak of the
peer that was named last; events filled that way carry a mark.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Final

import polars as pl

from vedette.formats.definition import FormatFile
from vedette.formats.messages import plain_name
from vedette.model.events import EVENT_SCHEMA

PEER_REMEMBERED: Final = "peer-remembered"
_MOST_PROCESSES: Final = 8_192
_ROW: Final = "__row"
_PEER: Final = ("source.ip", "source.address")
_PROCESS: Final = ("vedette.source", "host.name", "process.name", "process.pid")


class PeerMemory:
    """The last peer of each process, bounded: the processes that were silent longest are forgotten. One thread.

    It is not kept over a restart: connections of then are over, and their last lines stay without a peer.
    """

    def __init__(self, definitions: Iterable[FormatFile]) -> None:
        self._programs = [name for one in definitions if one.peer == "process" for name in one.programs]
        self._known = pl.DataFrame(schema={name: EVENT_SCHEMA[name] for name in (*_PROCESS, *_PEER)})

    def fill(self, events: pl.DataFrame) -> pl.DataFrame:
        """The events, with the peer of their process where they name none."""
        names = [name for name in events["process.name"].unique().drop_nulls() if self._is_meant(name)]
        concerns = events["process.name"].is_in(names) & events["process.pid"].is_not_null()
        if not concerns.any():
            return events
        rows = events.select(*_PROCESS, *_PEER).filter(concerns)
        named = pl.when(pl.col("source.address").is_not_null()).then(pl.struct(_PEER))
        known = pl.concat([self._known, rows]).select(
            *_PROCESS, peer=named.forward_fill().over(_PROCESS), is_silent=pl.col("source.address").is_null()
        )
        self._known = _last_of_each(known)
        known = known.tail(rows.height)
        filled = known["is_silent"] & known["peer"].is_not_null()
        if not filled.any():
            return events
        numbers = pl.int_range(events.height, dtype=pl.UInt32, eager=True).filter(concerns).filter(filled)
        return _with_peers(events, numbers, known["peer"].filter(filled).struct.unnest())

    def _is_meant(self, program: str) -> bool:
        name = plain_name(program)
        return any(fnmatch.fnmatchcase(name, glob) for glob in self._programs)


def _last_of_each(known: pl.DataFrame) -> pl.DataFrame:
    told = known.filter(pl.col("peer").is_not_null())
    last = told.unique(_PROCESS, keep="last", maintain_order=True).tail(_MOST_PROCESSES)
    return last.select(*_PROCESS, pl.col("peer").struct.unnest())


def _with_peers(events: pl.DataFrame, numbers: pl.Series, peers: pl.DataFrame) -> pl.DataFrame:
    """The events, with `peers` in the rows of these numbers."""
    rows = events.with_row_index(_ROW).join(
        peers.select(numbers.alias(_ROW), *(pl.col(name).alias(f"{name}.known") for name in _PEER)),
        on=_ROW,
        how="left",
        maintain_order="left",
    )
    is_filled = pl.col("source.address.known").is_not_null()
    mark = pl.concat_str("vedette.marks", pl.lit(PEER_REMEMBERED), separator=" ", ignore_nulls=True)
    return rows.with_columns(
        *(pl.when(is_filled).then(f"{name}.known").otherwise(name).alias(name) for name in _PEER),
        pl.when(is_filled).then(mark).otherwise("vedette.marks").alias("vedette.marks"),
    ).select(events.columns)
