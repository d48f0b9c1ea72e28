"""Fault 26: a watcher whose connection is cut resumes without an unmarked gap."""

from __future__ import annotations

import json
import os
import random
import socket
from typing import Any

import pytest
from websockets.sync.client import connect

from support.process import Server
from support.world import World
from support.writer import load

pytestmark = pytest.mark.slow

CUTS = int(os.environ.get("VEDETTE_FAULT_CUTS", "60"))


class Watcher:
    """Follows the stream over many connections, keeping what it was told."""

    def __init__(self, address: str) -> None:
        self._url = address.replace("http://", "ws://") + "/api/v1/live"
        self.resume: dict[str, Any] | None = None
        self.rows: list[dict[str, Any]] = []
        self.next_seq: int | None = None
        self.gaps = 0

    def watch(self, messages: int) -> None:
        """Connect, take so many batches, and cut the connection without a word."""
        subscribe: dict[str, Any] = {"type": "subscribe", "id": "s", "stream": "events", "query": ""}
        if self.resume is not None:
            subscribe["resume"] = self.resume
        epoch = ""
        with connect(self._url, max_size=None) as connection:
            connection.send(json.dumps(subscribe))
            while messages:
                message = json.loads(connection.recv(timeout=30))
                match message["type"]:
                    case "hello":
                        epoch = message["epoch"]
                    case "subscribed":
                        assert self.next_seq is None or message["next_seq"] == self.next_seq
                        self.next_seq = message["next_seq"]
                    case "batch" | "gap":
                        messages -= 1
                        self._take(message, epoch)
            connection.socket.shutdown(socket.SHUT_RDWR)

    def _take(self, message: dict[str, Any], epoch: str) -> None:
        assert message["first_seq"] == self.next_seq, "numbers are missing or come twice"
        self.next_seq = message["last_seq"] + 1
        self.rows += message.get("rows", [])
        self.gaps += message["type"] == "gap"
        self.resume = {"epoch": epoch, "seq": message["last_seq"]}


def test_a_watcher_that_is_cut_off_resumes_without_an_unmarked_gap(world: World) -> None:
    """Fault 26. Guard: rows between the last number told and the first live one come from the store."""
    chance = random.Random(26)
    writer = world.writer()
    writer.write(1)
    with Server([world.log], world.data) as server:
        server.wait_for_events(1)
        watcher = Watcher(server.address)
        with load(writer):
            watcher.watch(1)
            for _ in range(CUTS):
                watcher.watch(chance.choice((1, 2, 5)))
        server.wait_for_events(len(writer.written))
        while len(watcher.rows) < len(writer.written) - 1:
            watcher.watch(1)
        server.stop()
    told = [row["event.id"] for row in watcher.rows]
    assert len(told) == len(set(told))
    assert watcher.gaps == 0
    assert len(told) == len(writer.written) - 1
    world.assert_exact(writer)
