"""The REST API over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import polars as pl
import pytest

from support.deciding import Deciding
from support.journal import NOON, events_of, finding_of
from support.serving import LiveServer, NoSources, broadcaster_of, live_server
from vedette.api import create_app, schemas
from vedette.api.problems import Problem
from vedette.model.batches import CommitBatch
from vedette.model.entries import LedgerNote
from vedette.model.errors import StoreBroken, StoreFull
from vedette.store import MemoryStore


def stored() -> MemoryStore:
    """Six events, two findings, a ledger."""
    store = MemoryStore()
    events = events_of(*(f"line {number}" for number in range(6))).with_columns(
        (pl.col("@timestamp") + pl.duration(minutes=pl.int_range(pl.len()))).alias("@timestamp"),
        pl.Series("event.severity", [1, 2, 3, 5, 7, 9], dtype=pl.UInt8),
        pl.Series("user.name", ["root", "root", "alice", None, "root", "bob"], dtype=pl.String),
    )
    note = LedgerNote("auth", "truncated", "shorter than before", NOON, "/var/log/auth.log", 12)
    findings = (finding_of("mild", severity=4), finding_of("grave", severity=10))
    store.commit(CommitBatch(events, findings, ledger={"auth": {"lines": 6}}, notes=(note,)))
    return store


@pytest.fixture
def store() -> MemoryStore:
    return stored()


@pytest.fixture
async def server(store: MemoryStore, tmp_path: Path) -> AsyncIterator[LiveServer]:
    with Deciding(tmp_path, store) as deciding:
        async with live_server(store, broadcaster_of(store), findings=deciding.findings) as running:
            yield running


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.address.http) as connected:
        yield connected


async def problem(answer: httpx.Response, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = Problem.model_validate(answer.json())
    assert told.status == status
    assert told.detail
    return told


async def test_search_returns_newest_first_and_pages_by_cursor(client: httpx.AsyncClient) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = (await client.get("/api/v1/events", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        schemas.EventPage.model_validate(page)
        seen += [row["message"] for row in page["rows"]]
        cursor = page["cursor"]
    assert seen == [f"line {number}" for number in (5, 4, 3, 2, 1, 0)]
    assert cursor is None


async def test_search_filters_and_orders(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/events", params={"query": "user.name:root severity<=2", "order": "oldest"})
    assert [row["message"] for row in answer.json()["rows"]] == ["line 0", "line 1"]


async def test_one_event_and_its_neighbours(client: httpx.AsyncClient) -> None:
    identifier = "0000000000000001-3"
    row = (await client.get(f"/api/v1/events/{identifier}")).json()
    assert (row["event.id"], row["message"]) == (identifier, "line 3")
    around = (await client.get(f"/api/v1/events/{identifier}/context", params={"before": 1, "after": 2})).json()
    assert [each["message"] for each in around["rows"]] == ["line 2", "line 3", "line 4", "line 5"]


async def test_histogram_and_top_values(client: httpx.AsyncClient) -> None:
    histogram = (await client.get("/api/v1/events/histogram", params={"interval": "2m"})).json()
    schemas.Histogram.model_validate(histogram)
    assert sum(bucket["count"] for bucket in histogram["buckets"]) == 6
    top = (await client.get("/api/v1/events/top", params={"column": "user", "query": "severity>=1"})).json()
    assert top == {
        "column": "user.name",
        "values": [{"value": "root", "count": 3}, {"value": "alice", "count": 1}, {"value": "bob", "count": 1}],
    }


async def test_export_streams_every_event(store: MemoryStore, client: httpx.AsyncClient) -> None:
    store.commit(CommitBatch(events_of(*(str(number) for number in range(12_000)))))
    async with client.stream("GET", "/api/v1/events/export", params={"order": "oldest"}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) async for line in answer.aiter_lines()]
    assert len(lines) == 12_006
    assert len({line["vedette.seq"] for line in lines}) == 12_006


async def test_export_that_fails_half_way_breaks_off(store: MemoryStore) -> None:
    class Failing(MemoryStore):
        def search(self, *args: Any, **options: Any) -> Any:
            if options["cursor"] is not None:
                raise StoreBroken("the database is being reopened")
            return super().search(*args, **options)

    failing = Failing()
    failing.commit(CommitBatch(events_of(*(str(number) for number in range(6_000)))))
    async with (
        live_server(failing, broadcaster_of(failing)) as server,
        httpx.AsyncClient(base_url=server.address.http) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/api/v1/events/export")


async def test_findings_are_listed_and_fetched(client: httpx.AsyncClient) -> None:
    page = (await client.get("/api/v1/findings", params={"min_severity": 7})).json()
    schemas.FindingPage.model_validate(page)
    assert [(row["id"], row["severity_name"]) for row in page["rows"]] == [("grave", "critical")]
    assert (await client.get("/api/v1/findings/mild")).json()["severity"] == 4


async def test_stats_and_health_describe_the_server(client: httpx.AsyncClient) -> None:
    stats = schemas.StatsBody.model_validate((await client.get("/api/v1/stats")).json())
    assert (stats.store.events, stats.store.findings) == (6, 2)
    assert stats.process.rss_bytes > 0
    health = schemas.HealthBody.model_validate((await client.get("/api/v1/health")).json())
    assert health.version == "1.2.3"
    assert "disk" in [part.part for part in health.parts]
    assert (await client.get("/health/live")).json() == {"state": "alive"}
    assert (await client.get("/health/ready")).status_code == 200


async def test_server_with_a_part_down_is_not_ready(server: LiveServer, client: httpx.AsyncClient) -> None:
    def failing() -> Any:
        raise OSError("gone")

    server.services.health.register("store", failing)
    told = await problem(await client.get("/health/ready"), 503)
    assert "store" in told.detail
    assert (await client.get("/api/v1/health")).json()["state"] == "down"


async def test_source_lives_from_post_to_delete(client: httpx.AsyncClient) -> None:
    created = await client.post("/api/v1/sources", json={"id": "auth", "paths": ["/var/log/auth.log"]})
    assert (created.status_code, created.headers["location"]) == (201, "/api/v1/sources/auth")
    assert created.json()["ledger"] == {"lines": 6}
    listed = schemas.SourceList.model_validate((await client.get("/api/v1/sources")).json())
    assert [source.id for source in listed.sources] == ["auth"]
    changed = await client.patch("/api/v1/sources/auth", json={"enabled": False, "priority": 9})
    assert (changed.json()["enabled"], changed.json()["config"]["priority"]) == (False, 9)
    one = (await client.get("/api/v1/sources/auth")).json()
    assert (one["notes"][0]["kind"], one["notes"][0]["bytes_lost"]) == ("truncated", 12)
    assert (await client.delete("/api/v1/sources/auth")).status_code == 204
    await problem(await client.get("/api/v1/sources/auth"), 404)


async def test_preview_keeps_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/sources/preview", json={"paths": ["/tmp/x.log"]})
    assert answer.json()["files"] == ["/tmp/x.log"]
    assert (await client.get("/api/v1/sources")).json() == {"sources": []}


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/v1/events?limit=0", 422, "limit"),
        ("/api/v1/events?limit=5000", 422, "limit"),
        ("/api/v1/events?limit=many", 422, "limit"),
        ("/api/v1/events?order=random", 422, "order"),
        ("/api/v1/events?cursor=nonsense", 400, "cursor"),
        (f"/api/v1/events?query={'x' * 5000}", 422, "query"),
        ("/api/v1/events/histogram?interval=soon", 422, "interval"),
        ("/api/v1/events/histogram?interval=0s", 422, "interval"),
        ("/api/v1/events/top", 422, "column"),
        ("/api/v1/events/top?column=surce.ip", 422, "column"),
        ("/api/v1/events/top?column=fields", 422, "column"),
        ("/api/v1/events/0000000000000001-ffff", 404, "event_id"),
        ("/api/v1/events/0000000000000001-ffff/context", 404, "event_id"),
        ("/api/v1/events/nothing-like-an-event", 404, "event_id"),
        ("/api/v1/events/0000000000000001-3/context?before=-1", 422, "before"),
        ("/api/v1/findings?min_severity=11", 422, "min_severity"),
        ("/api/v1/findings/unknown", 404, "finding_id"),
        ("/api/v1/sources/unknown", 404, "source_id"),
        ("/api/v1/nothing", 404, None),
        ("/api/", 404, None),
        ("/assets/none.js", 404, None),
    ],
)
async def test_wrong_request_gets_a_problem_that_names_the_field(
    client: httpx.AsyncClient, path: str, status: int, field: str | None
) -> None:
    told = await problem(await client.get(path), status)
    assert told.field == field
    assert told.instance == path.partition("?")[0]


async def test_query_problem_has_position_and_suggestion(client: httpx.AsyncClient) -> None:
    told = await problem(await client.get("/api/v1/events", params={"query": "host:a severty>=7"}), 400)
    assert (told.field, told.position, told.value) == ("query", 7, "host:a severty>=7")
    assert told.suggestion is not None
    assert "severity" in told.suggestion


async def test_column_problem_suggests_what_was_meant(client: httpx.AsyncClient) -> None:
    told = await problem(await client.get("/api/v1/events/top", params={"column": "surce.ip"}), 422)
    assert told.suggestion == "source.ip"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_method_that_is_not_there_gets_a_problem(client: httpx.AsyncClient, method: str) -> None:
    told = await problem(await client.request(method, "/api/v1/events"), 405)
    assert method in told.detail


@pytest.mark.parametrize(
    ("body", "field"),
    [(b"{", "body"), (b"[]", "body"), (b'"x"', "body"), (b"", "body"), (b'{"paths":[]}', "paths")],
)
async def test_wrong_body_gets_a_problem(client: httpx.AsyncClient, body: bytes, field: str) -> None:
    answer = await client.post("/api/v1/sources", content=body, headers={"Content-Type": "application/json"})
    assert (await problem(answer, 422)).field == field


async def test_body_that_is_not_utf8_gets_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/sources", content=b"\xff", headers={"Content-Type": "application/json"})
    assert "UTF-8" in (await problem(answer, 400)).detail


async def test_who_is_not_on_this_machine_is_refused_but_for_probes(server: LiveServer) -> None:
    stranger = httpx.ASGITransport(create_app(server.services), client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=stranger, base_url="http://localhost") as client:
        for path in ("/api/v1/events", "/api/v1/sources", "/api/v1/health", "/api/v1/events/export"):
            assert "SSH tunnel" in (await problem(await client.get(path), 403)).detail
        assert (await client.get("/health/live")).status_code == 200


async def test_who_is_not_on_this_machine_cannot_watch(server: LiveServer) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/api/v1/live",
        "raw_path": b"/api/v1/live",
        "query_string": b"",
        "root_path": "",
        "scheme": "ws",
        "headers": [(b"host", b"localhost")],
        "client": ("192.0.2.7", 4711),
        "server": ("localhost", 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    await create_app(server.services)(scope, receive, send)
    assert [(message["type"], message.get("status")) for message in sent] == [
        ("websocket.http.response.start", 403),
        ("websocket.http.response.body", None),
    ]


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(64):
        yield b" " * 2**16


@pytest.mark.parametrize("is_announced", [True, False])
async def test_body_over_the_limit_is_refused(client: httpx.AsyncClient, is_announced: bool) -> None:
    content = b" " * 2**21 if is_announced else _endless()
    answer = await client.post("/api/v1/sources", content=content)
    assert "1 MiB" in (await problem(answer, 413)).detail


@pytest.mark.parametrize(("error", "status"), [(StoreBroken("is being reopened."), 503), (StoreFull("is full."), 507)])
async def test_store_that_refuses_is_told_with_when_to_retry(error: Exception, status: int) -> None:
    class Refusing(MemoryStore):
        def search(self, *args: Any, **options: Any) -> Any:
            raise error

    store = Refusing()
    async with (
        live_server(store, broadcaster_of(store)) as server,
        httpx.AsyncClient(base_url=server.address.http) as client,
    ):
        answer = await client.get("/api/v1/events")
        assert (await problem(answer, status)).detail == str(error)
        assert answer.headers["retry-after"] == "5"


async def test_unexpected_error_is_a_problem_without_details() -> None:
    class Surprising(MemoryStore):
        def search(self, *args: Any, **options: Any) -> Any:
            raise KeyError("secret")

    store = Surprising()
    async with (
        live_server(store, broadcaster_of(store)) as server,
        httpx.AsyncClient(base_url=server.address.http) as client,
    ):
        answer = await client.get("/api/v1/events")
        await problem(answer, 500)
        assert "secret" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_too_many_waiting_requests_are_refused_at_once() -> None:
    release = Event()

    class Slow(MemoryStore):
        def search(self, *args: Any, **options: Any) -> Any:
            release.wait(20)
            return super().search(*args, **options)

    store = Slow()
    limits = httpx.Limits(max_connections=100)
    async with (
        live_server(store, broadcaster_of(store)) as server,
        httpx.AsyncClient(base_url=server.address.http, limits=limits, timeout=20) as client,
    ):
        asked = [asyncio.create_task(client.get("/api/v1/events")) for _ in range(80)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status_code for task in done} == {503}
        assert (await client.get("/health/live")).status_code == 200
        release.set()
        statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert statuses.count(200) == 68


async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v1/events", "/api/v1/nothing", "/health/live", "/api/openapi.json"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "server" not in headers


async def test_api_answers_are_not_cached(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/events")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8700", "127.0.0.1.evil.example", "", "[broken"])
async def test_foreign_host_name_is_refused(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/api/v1/events", headers={"Host": host})
    if answer.status_code != 400:
        assert (await problem(answer, 421)).field == "Host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:8700", "[::1]:8700"])
async def test_own_host_names_are_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/api/v1/events", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_foreign_page_cannot_change_anything(
    server: LiveServer, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post("/api/v1/sources", json={"paths": ["/etc"]}, headers=headers)
    assert (await problem(answer, 403)).field == "Origin"
    sources = server.services.sources
    assert isinstance(sources, NoSources)
    assert sources.views == {}


async def test_own_page_can_change_things(server: LiveServer, client: httpx.AsyncClient) -> None:
    headers = {"Origin": server.address.http, "Sec-Fetch-Site": "same-origin"}
    answer = await client.post("/api/v1/sources", json={"id": "a", "paths": ["/x"]}, headers=headers)
    assert answer.status_code == 201


async def test_configured_origin_can_change_things(store: MemoryStore) -> None:
    async with (
        live_server(store, broadcaster_of(store), origins=("http://localhost:5173",)) as server,
        httpx.AsyncClient(base_url=server.address.http) as client,
    ):
        headers = {"Origin": "http://localhost:5173"}
        answer = await client.post("/api/v1/sources", json={"id": "a", "paths": ["/x"]}, headers=headers)
        assert answer.status_code == 201


@pytest.fixture
def web_root(tmp_path: Path) -> Path:
    """A console as the build leaves it, and a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "web"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text(
        '<!doctype html><meta name="csp-nonce" content="__CSP_NONCE__"><script src="/assets/main-abc.js"></script>'
    )
    (root / "assets" / "main-abc.js").write_text("console.log(1)")
    (root / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    return root


@pytest.fixture
async def console(store: MemoryStore, web_root: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        live_server(store, broadcaster_of(store), web_root=web_root) as server,
        httpx.AsyncClient(base_url=server.address.http) as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/", "/live", "/findings/abc", "/index.html", "/search?query=a.b"])
async def test_every_view_is_the_page_with_a_nonce_of_its_own(console: httpx.AsyncClient, path: str) -> None:
    first, second = await console.get(path), await console.get(path)
    assert first.status_code == 200
    assert first.headers["content-type"].startswith("text/html")
    assert first.headers["cache-control"] == "no-cache"
    nonce = first.text.partition('content="')[2].partition('"')[0]
    assert len(nonce) >= 20
    assert f"style-src 'self' 'nonce-{nonce}'" in first.headers["content-security-policy"]
    assert nonce not in second.text


async def test_hashed_files_are_kept_for_ever_and_others_asked_for_again(console: httpx.AsyncClient) -> None:
    script = await console.get("/assets/main-abc.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    icon = await console.get("/favicon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    again = await console.get("/favicon.svg", headers={"If-None-Match": icon.headers["etag"]})
    assert again.status_code in (200, 304)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/out.txt",
        "/a%00.txt",
        "//etc/passwd.txt",
    ],
)
async def test_console_serves_nothing_outside_its_folder(console: httpx.AsyncClient, path: str) -> None:
    answer = await console.get(path)
    assert "secret" not in answer.text.replace("secret.txt", "")
    assert answer.status_code in (400, 404)


async def test_server_without_a_built_console_says_how_to_build_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "npm --prefix ui" in answer.text
    nonce = answer.text.partition('nonce="')[2].partition('"')[0]
    assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]


async def test_stored_rows_conform_to_the_published_schema(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    row = document["components"]["schemas"]["EventRow"]
    kinds = {"string": str, "integer": int, "object": dict}
    for event in (await client.get("/api/v1/events")).json()["rows"]:
        assert set(row["required"]) <= set(event)
        for name, value in event.items():
            assert isinstance(value, kinds[row["properties"][name]["type"]])


def test_minutes_of_the_fixture_lie_in_distinct_buckets() -> None:
    assert stored().stats().newest == NOON + timedelta(minutes=5)
