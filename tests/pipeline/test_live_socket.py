"""The live WebSocket as a real client sees it, against a real server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.journal import Journal, events_of, finding_of
from support.ranges import Told
from support.serving import LiveServer, live_server
from vedette.live import LiveLimits
from vedette.model.health import HealthState

HOSTILE = (
    '<script>alert("x")</script>',
    "\x1b[31mred\x1b[0m \x00 \u202e gnp.exe \u2028\u2029",
    '"},{"type":"gap","missed":99}',
    "\\u0000 \\\" ' ` ${jndi:ldap://x} {{7*7}} %s %n",
    "🦄 ﷽ \ufffd \U0010ffff",
)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
async def server(journal: Journal) -> AsyncIterator[LiveServer]:
    async with live_server(journal, journal.broadcaster()) as running:
        yield running


class Client:
    """One connection; `told` holds what each subscription has been told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.told: dict[str, Told] = {}

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        if message["type"] in ("batch", "gap"):
            self.told.setdefault(message["id"], Told()).hear(message)
        return message

    async def expect(self, kind: str) -> dict[str, Any]:
        message = await self.receive()
        assert message["type"] == kind, message
        return message

    async def subscribe(self, identifier: str = "s", **more: Any) -> dict[str, Any]:
        await self.send(type="subscribe", id=identifier, **more)
        subscribed = await self.expect("subscribed")
        self.told[identifier] = Told(subscribed["next_seq"])
        return subscribed

    async def goodbye(self) -> int | None:
        """Listen until the server ends the connection; its code."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await self.receive()


@asynccontextmanager
async def client_of(server: LiveServer, **options: Any) -> AsyncIterator[Client]:
    async with connect(server.address.live, **options) as connection:
        client = Client(connection)
        await client.expect("hello")
        yield client


def tell(server: LiveServer, journal: Journal, *messages: str, **columns: Any) -> None:
    server.broadcaster.publish(journal.commit(events_of(*messages, **columns)))


async def test_server_says_hello_with_its_epoch(server: LiveServer) -> None:
    async with connect(server.address.live) as connection:
        hello = json.loads(await connection.recv())
    assert (hello["type"], hello["protocol"], hello["epoch"], hello["version"]) == (
        "hello",
        1,
        "journal-1",
        "1.2.3",
    )


async def test_committed_events_reach_the_client(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        await client.subscribe()
        tell(server, journal, "one", "two")
        batch = await client.expect("batch")
    assert (batch["first_seq"], batch["last_seq"]) == (1, 2)
    assert batch["rows"][0]["event.id"] == "0000000000000001-0"
    assert batch["rows"][0]["@timestamp"] == "2024-05-01T12:00:00.000000Z"
    assert [row["message"] for row in batch["rows"]] == ["one", "two"]


async def test_filter_sends_matching_rows_only(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        await client.subscribe(query='severity>=7 "failed"')
        tell(server, journal, "failed", "calm", event_severity=1)
        tell(server, journal, "login failed", "calm", event_severity=8)
        await client.until(lambda: bool(client.told["s"].rows))
        assert client.told["s"].messages == ["login failed"]


async def test_many_streams_share_one_connection(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        for stream in ("events", "findings", "status", "metrics"):
            await client.subscribe(stream, stream=stream)
        server.broadcaster.publish(journal.commit(events_of("x"), [finding_of("f")]))
        server.broadcaster.publish_status([{"part": "disk", "state": "degraded"}])
        server.broadcaster.publish_metrics({"rate": 3})
        await client.until(lambda: all(told.rows for told in client.told.values()))
        assert client.told["findings"].rows[0]["title"] == "Finding f"


async def test_hostile_text_stays_text(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        await client.subscribe()
        tell(server, journal, *HOSTILE, fields='{"broken": ')
        batch = await client.expect("batch")
    assert [row["event.original"] for row in batch["rows"]] == list(HOSTILE)
    assert batch["rows"][0]["fields"] == {"unreadable": '{"broken": '}


async def test_query_error_names_position_and_keeps_the_connection(server: LiveServer) -> None:
    async with client_of(server) as client:
        await client.send(type="subscribe", id="s", query="severty>=7")
        error = await client.expect("error")
        assert (error["id"], error["field"], error["position"]) == ("s", "query", 0)
        assert "severity" in error["suggestion"]
        await client.subscribe()


@pytest.mark.parametrize(
    ("text", "field", "identifier"),
    [
        ("not json", None, None),
        ("[]", None, None),
        ('{"type":"dance","id":"s"}', "type", "s"),
        ('{"type":"subscribe"}', "id", None),
        ('{"type":"subscribe","id":"s","stream":"secrets"}', "stream", "s"),
        ('{"type":"subscribe","id":"s","backlog":-1}', "backlog", "s"),
        ('{"type":"subscribe","id":"s","resume":{"epoch":"e","seq":1e99}}', "resume.seq", "s"),
        ('{"type":"subscribe","id":"s","extra":1}', "extra", "s"),
        ('{"type":"pause","id":"nobody"}', "id", "nobody"),
        ("[" * 60_000, None, None),
    ],
)
async def test_wrong_message_is_refused_and_the_connection_stays(
    server: LiveServer, text: str, field: str | None, identifier: str | None
) -> None:
    async with client_of(server) as client:
        await client.connection.send(text)
        error = await client.expect("error")
        assert (error.get("field"), error.get("id")) == (field, identifier)
        assert error["title"].endswith(".")
        await client.send(type="ping", nonce="n")
        assert (await client.expect("pong"))["nonce"] == "n"


async def test_binary_message_is_refused(server: LiveServer) -> None:
    async with client_of(server) as client:
        await client.connection.send(b"\x00\x01")
        await client.expect("error")


async def test_pause_holds_rows_back_and_counts_them(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        await client.subscribe()
        await client.send(type="pause", id="s")
        assert (await client.expect("status"))["state"] == "paused"
        tell(server, journal, "a", "b", "c")
        status = await client.expect("status")
        assert status["waiting"] == 3
        await client.send(type="resume", id="s")
        assert (await client.expect("status"))["state"] == "live"
        assert [row["message"] for row in (await client.expect("batch"))["rows"]] == ["a", "b", "c"]


async def test_unsubscribed_stream_is_silent(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        await client.subscribe()
        await client.send(type="unsubscribe", id="s")
        await client.expect("unsubscribed")
        tell(server, journal, "a")
        await client.send(type="ping")
        await client.expect("pong")


async def test_fifty_cuts_leave_no_unmarked_gap_and_nothing_twice(server: LiveServer, journal: Journal) -> None:
    stop = asyncio.Event()

    async def write() -> int:
        written = 0
        while not stop.is_set():
            tell(server, journal, *(str(written + index) for index in range(7)))
            written += 7
            await asyncio.sleep(0.003)
        return written

    writer = asyncio.create_task(write())
    told = Told(1)
    for cut in range(50):
        async with client_of(server) as client:
            assert told.next_seq is not None
            await client.subscribe(resume={"epoch": "journal-1", "seq": told.next_seq - 1})
            client.told["s"] = told
            await client.until(partial(_has_rows, told, len(told.rows) + 1))
            if cut % 2:
                client.connection.transport.abort()
    stop.set()
    written = await writer
    async with client_of(server) as client:
        assert told.next_seq is not None
        await client.subscribe(resume={"epoch": "journal-1", "seq": told.next_seq - 1})
        client.told["s"] = told
        await client.until(lambda: told.next_seq == written + 1)
    assert told.gaps == []
    assert told.messages == [str(number) for number in range(written)]


async def test_resume_survives_a_restart_of_the_server(journal: Journal) -> None:
    told = Told(1)
    async with live_server(journal, journal.broadcaster()) as first:
        port = first.address.port
        async with client_of(first) as client:
            await client.subscribe()
            client.told["s"] = told
            tell(first, journal, "a", "b")
            await client.until(lambda: told.next_seq == 3)
    journal.commit(events_of("c", "d"))
    async with live_server(journal, journal.broadcaster(), port=port) as second, client_of(second) as client:
        await client.subscribe(resume={"epoch": "journal-1", "seq": 2})
        client.told["s"] = told
        tell(second, journal, "e")
        await client.until(lambda: told.next_seq == 6)
    assert told.messages == list("abcde")
    assert told.gaps == []


async def test_resume_with_an_old_epoch_is_told_and_goes_on(server: LiveServer, journal: Journal) -> None:
    tell(server, journal, "a", "b")
    async with client_of(server) as client:
        await client.subscribe(resume={"epoch": "before", "seq": 1})
        assert (await client.expect("gap"))["reason"] == "epoch-changed"
        tell(server, journal, "c")
        assert [row["message"] for row in (await client.expect("batch"))["rows"]] == ["c"]


async def test_client_that_stops_reading_gets_a_gap_and_delays_nobody(journal: Journal) -> None:
    rounds, rows = 80, 200
    async with (
        live_server(journal, journal.broadcaster(limits=LiveLimits(lag_rows=3_000))) as server,
        client_of(server, max_queue=1) as slow,
        client_of(server) as quick,
    ):
        await slow.subscribe()
        await quick.subscribe()
        for number in range(1, rounds + 1):
            tell(server, journal, *["x" * 1000] * rows)
            await quick.until(partial(_has_rows, quick.told["s"], number * rows))
        assert quick.told["s"].gaps == []
        late = slow.told["s"]
        await slow.until(lambda: late.next_seq == rounds * rows + 1)
        assert [gap["reason"] for gap in late.gaps] == ["too-slow"]
        assert len(late.rows) + late.gaps[0]["missed"] == rounds * rows
        assert late.numbers[-1] == rounds * rows


async def test_half_open_connection_is_dropped(journal: Journal) -> None:
    options = {"ws_ping_interval": 0.2, "ws_ping_timeout": 0.2}
    async with live_server(journal, journal.broadcaster(), options=options) as server:
        loop = asyncio.get_running_loop()
        silent = await loop.run_in_executor(None, _shake_hands, server.address.port)
        await _eventually(lambda: server.sockets.figures().clients == 1)
        await _eventually(lambda: server.sockets.figures().clients == 0)
        silent.close()


async def test_client_that_talks_too_much_is_sent_away(journal: Journal) -> None:
    limits = LiveLimits(message_burst=5, messages_per_second=0.001)
    async with live_server(journal, journal.broadcaster(limits=limits)) as server, client_of(server) as client:
        for _ in range(6):
            await client.send(type="ping")
        assert await client.goodbye() == 1008


async def test_message_longer_than_64_kib_ends_the_connection(server: LiveServer) -> None:
    async with client_of(server) as client:
        await client.send(type="subscribe", id="s", query="x" * 70_000)
        assert await client.goodbye() == 1009


async def test_more_clients_than_allowed_are_refused_and_told_why(journal: Journal) -> None:
    broadcaster = journal.broadcaster(limits=LiveLimits(max_clients=1))
    async with live_server(journal, broadcaster) as server, client_of(server):
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.address.live).__aenter__()
        assert refused.value.response.status_code == 503
        assert b"1 live connections are open" in (refused.value.response.body or b"")
        assert server.sockets.figures().clients_refused == 1
        assert server.sockets.health().state is HealthState.DEGRADED


async def test_subscriptions_of_a_connection_are_bounded(server: LiveServer) -> None:
    async with client_of(server) as client:
        for number in range(16):
            await client.subscribe(str(number))
        await client.send(type="subscribe", id="one too many")
        assert "16 subscriptions" in (await client.expect("error"))["title"]
        await client.subscribe("3")


async def test_stopping_server_says_that_it_will_be_back(server: LiveServer, journal: Journal) -> None:
    async with client_of(server) as client:
        await client.subscribe()
        tell(server, journal, "first")
        tell(server, journal, "last")
        await server.sockets.close()
        assert await client.goodbye() == 1012
        assert client.told["s"].messages == ["first", "last"]
        assert server.sockets.figures().clients == 0
        with pytest.raises(InvalidStatus):
            await connect(server.address.live).__aenter__()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[broken"])
async def test_page_of_another_origin_cannot_connect(server: LiveServer, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(server.address.live, additional_headers={"Origin": origin}).__aenter__()
    assert refused.value.response.status_code == 403
    assert server.sockets.figures().clients == 0


async def test_own_page_can_connect(server: LiveServer) -> None:
    async with client_of(server, additional_headers={"Origin": server.address.http}) as client:
        await client.subscribe()


async def test_foreign_host_name_cannot_connect(server: LiveServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://rebound.example:{server.address.port}/api/v1/live", host="127.0.0.1").__aenter__()
    assert refused.value.response.status_code == 421


async def test_hundred_clients_come_and_go_and_nothing_is_left(journal: Journal) -> None:
    limits = replace(LiveLimits(), max_clients=200)
    async with live_server(journal, journal.broadcaster(limits=limits)) as server:

        async def visit(number: int) -> list[str]:
            async with client_of(server) as client:
                await client.subscribe(query="message:x" if number % 2 else "")
                await client.until(lambda: bool(client.told["s"].rows))
                return client.told["s"].messages

        visits = [asyncio.create_task(visit(number)) for number in range(100)]
        await _eventually(lambda: server.sockets.figures().subscriptions == 100)
        tell(server, journal, "x")
        assert await asyncio.gather(*visits) == [["x"]] * 100
        await _eventually(lambda: server.sockets.figures().clients == 0)


def _has_rows(told: Told, count: int) -> bool:
    return len(told.rows) >= count


async def _eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def _shake_hands(port: int) -> socket.socket:
    """A WebSocket that will never answer a ping."""
    peer = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(
        f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b"101" in peer.recv(4096)
    return peer
