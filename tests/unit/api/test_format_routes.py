"""Formats over real HTTP: looked at, tried, changed, and learned ones decided about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from support.entries import batch_of
from support.inventedlogs import invented, prefix_before_the_stamp
from support.serving import broadcaster_of, live_server
from vedette.api import format_bodies as bodies
from vedette.api.problems import Problem
from vedette.app.formats import FormatControl
from vedette.configdb import ProposalQueue, open_database
from vedette.formats import FormatEngine, load_library
from vedette.formats.learning import UnreadSampler
from vedette.model.clock import SystemClock
from vedette.store import MemoryStore

LINES = [told.line for told in invented(prefix_before_the_stamp, 80)]
GATES = r"""
name: gates
title: The gates
patterns: '^<(?P<host.name>\w+)> (?P<time>%{stamp}) \| (?P<user.name>\w+)$'
samples:
  - line: <gate7> 2026-11-24 09:00:00 | anna
    columns: {host.name: gate7}
  - line: something else
"""
GATE_LINE = "<gate7> 2026-11-24 09:00:00 | anna"


class World:
    """The engine with everything that learns beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "formats"
        self.sampler = UnreadSampler()
        self.engine = FormatEngine(load_library(self.folder), unread=self.sampler.add)
        self.database = open_database(folder / "config.sqlite")
        self.control = FormatControl(
            folder=self.folder,
            engine=self.engine,
            queue=ProposalQueue(self.database, SystemClock()),
            sampler=self.sampler,
            clock=SystemClock(),
        )

    def read(self, *lines: str, source: str = "shop") -> pl.DataFrame:
        return self.engine.decode([batch_of(lines, source=source)])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    made.database.dispose()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    store = MemoryStore()
    async with (
        live_server(store, broadcaster_of(store), library=world.control) as server,
        httpx.AsyncClient(base_url=f"{server.address.http}/api/v1", timeout=30) as connected,
    ):
        yield connected


@pytest.fixture
def proposal(world: World) -> str:
    world.read(*LINES)
    made = world.control.learn()
    assert made is not None
    return made.id


def problem(answer: httpx.Response, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return Problem.model_validate(answer.json())


async def test_list_tells_shipped_formats_and_ones_own(client: httpx.AsyncClient) -> None:
    await client.put("/formats/gates", json={"text": GATES})
    told = bodies.FormatList.model_validate((await client.get("/formats")).json())
    by_name = {row.name: row for row in told.formats}
    assert (by_name["sshd"].kind, by_name["sshd"].origin, by_name["sshd"].programs[0]) == (
        "message",
        "shipped",
        "sshd",
    )
    assert (by_name["gates"].kind, by_name["gates"].origin, by_name["gates"].samples) == ("line", "own", 2)
    assert told.problems == []


async def test_one_format_is_told_with_its_file(client: httpx.AsyncClient) -> None:
    told = bodies.FormatDetail.model_validate((await client.get("/formats/http-access")).json())
    assert "name: http-access" in told.text
    assert told.definition["name"] == "http-access"
    assert problem(await client.get("/formats/nothing"), 404).field == "name"


async def test_own_format_is_kept_used_at_once_and_removed(client: httpx.AsyncClient, world: World) -> None:
    assert world.read(GATE_LINE)["parse.status"].to_list() == ["unparsed"]
    assert (await client.put("/formats/gates", json={"text": GATES})).status_code == 200
    assert world.read(GATE_LINE)["user.name"].to_list() == ["anna"]
    assert (world.folder / "gates.yaml").read_text() == GATES
    assert (await client.delete("/formats/gates")).status_code == 204
    assert world.read(GATE_LINE)["parse.status"].to_list() == ["unparsed"]
    assert list(world.folder.iterdir()) == []
    problem(await client.delete("/formats/gates"), 404)
    problem(await client.delete("/formats/sshd"), 409)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", ["YAML"]),
        ("just text", ["no format"]),
        ("name: other\ntitle: x\npatterns: '^(?P<message>.*)$'", ["other", "name: gates"]),
        ("name: gates\ntitle: x\npatterns: '^(?=x)(?P<message>.*)$'", ["look-around"]),
        ("name: gates\ntitle: x\npatterns: '^(?P<user.name>a)\\1$'", ["back-references"]),
        ("name: gates\ntitle: x\npatterns: '^(?P<nonsense>.*)$'", ["nonsense", "fields.nonsense"]),
        ("name: gates\ntitle: x\ncodec: magic", ["codec"]),
        (GATES.replace("something else", "<gate1> 2026-11-24 09:00:00 | bob"), ["samples", "must not"]),
        (GATES.replace("line: <gate7>", "line: (gate7)"), ["samples", "does not fit"]),
    ],
)
async def test_broken_file_is_refused_with_the_reason(
    client: httpx.AsyncClient, world: World, text: str, words: list[str]
) -> None:
    told = problem(await client.put("/formats/gates", json={"text": text}), 422)
    assert told.field == "text"
    assert [word for word in words if word not in told.detail] == []
    assert not world.folder.exists() or list(world.folder.iterdir()) == []


async def test_lines_are_tried_on_a_format_without_keeping_it(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.post("/formats/test", json={"text": GATES, "lines": [GATE_LINE, "nothing of the kind"]})
    told = bodies.FormatTest.model_validate(answer.json())
    assert told.results[0].columns is not None
    assert told.results[0].columns["user.name"] == "anna"
    assert (told.results[1].columns, told.misfits, told.samples) == (None, [1], [])
    assert "gates" not in world.engine.library.definitions
    by_name = await client.post(
        "/formats/test", json={"name": "sshd", "lines": ["Connection closed by 203.0.113.9 port 1"]}
    )
    assert by_name.json()["results"][0]["columns"]["source.ip"] == "203.0.113.9"
    problem(await client.post("/formats/test", json={"lines": ["x"]}), 422)
    problem(await client.post("/formats/test", json={"name": "nothing", "lines": ["x"]}), 404)


async def test_lines_are_explained_as_they_would_be_read(client: httpx.AsyncClient) -> None:
    line = '203.0.113.9 - - [23/Nov/2026:22:04:17 +0000] "GET /x HTTP/1.1" 404 12 "-" "curl/8"'
    told = bodies.FormatExplanation.model_validate(
        (await client.post("/formats/explain", json={"lines": [line]})).json()
    )
    assert told.format == "http-access"
    assert told.fits[0].format == "http-access"
    assert told.rows[0]["http.response.status_code"] == 404
    problem(await client.post("/formats/explain", json={"lines": []}), 422)


async def test_choices_are_paged_by_file(client: httpx.AsyncClient, world: World) -> None:
    for name in ("a", "b", "c"):
        world.read("2026-11-24 09:00:00 INFO main: started", source=name)
    first = (await client.get("/formats/choices", params={"limit": 2})).json()
    rest = (await client.get("/formats/choices", params={"limit": 2, "cursor": first["cursor"]})).json()
    assert [row["source"] for row in (*first["rows"], *rest["rows"])] == ["a", "b", "c"]
    assert rest["cursor"] is None
    problem(await client.get("/formats/choices", params={"cursor": "nonsense"}), 400)


async def test_unread_lines_become_a_proposal_and_that_a_format(
    client: httpx.AsyncClient, world: World, proposal: str
) -> None:
    page = bodies.ProposalPage.model_validate((await client.get("/formats/review")).json())
    assert ([row.id for row in page.rows], page.waiting) == ([proposal], 1)
    told = bodies.ProposalDetail.model_validate((await client.get(f"/formats/review/{proposal}")).json())
    assert (told.state, told.source, told.lines_seen, told.path) == ("proposed", "shop", 80, "/var/log/shop")
    assert told.evaluation.parsed == 1
    assert told.preview[0].columns is not None
    accepted = (
        await client.post(f"/formats/review/{proposal}/accept", json={"name": "gates", "title": "The gates"})
    ).json()
    assert (accepted["state"], accepted["name"], accepted["decided_by"]) == ("accepted", "gates", "local")
    events = world.read(LINES[0])
    assert (events["log.format"].item(), events["parse.status"].item()) == ("gates", "parsed")
    assert load_library(world.folder).line_format("gates") is not None
    assert (await client.get("/formats/review", params={"state": "proposed"})).json()["rows"] == []


async def test_decision_is_taken_once(client: httpx.AsyncClient, proposal: str) -> None:
    assert (await client.post(f"/formats/review/{proposal}/accept")).status_code == 200
    assert "accepted already" in problem(await client.post(f"/formats/review/{proposal}/accept"), 409).detail
    problem(await client.post(f"/formats/review/{proposal}/reject"), 409)
    problem(await client.patch(f"/formats/review/{proposal}", json={"title": "x"}), 409)
    for method, path in (("GET", ""), ("POST", "/accept"), ("POST", "/reject"), ("PATCH", "")):
        body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        assert problem(await client.request(method, f"/formats/review/none{path}", **body), 404).field == "proposal_id"


async def test_name_that_is_taken_is_refused(client: httpx.AsyncClient, world: World, proposal: str) -> None:
    told = problem(await client.post(f"/formats/review/{proposal}/accept", json={"name": "sshd"}), 409)
    assert (told.field, told.value) == ("name", "sshd")
    problem(await client.post(f"/formats/review/{proposal}/accept", json={"name": "../evil"}), 422)
    assert not world.folder.exists()
    assert (await client.get(f"/formats/review/{proposal}")).json()["state"] == "proposed"


async def test_proposal_is_edited_before_it_is_accepted(client: httpx.AsyncClient, world: World, proposal: str) -> None:
    changes = {"name": "gates", "title": "Gates", "captures": {"fields.logger": "fields.part"}}
    told = (await client.patch(f"/formats/review/{proposal}", json=changes)).json()
    assert (told["name"], told["title"]) == ("gates", "Gates")
    assert "fields.part" in told["preview"][0]["columns"]
    assert "fields.part" in told["evaluation"]["columns"]
    problem(await client.patch(f"/formats/review/{proposal}", json={"captures": {"nothing": "user.name"}}), 422)
    problem(await client.patch(f"/formats/review/{proposal}", json={"captures": {"fields.part": "nonsense"}}), 422)
    problem(await client.patch(f"/formats/review/{proposal}", json={"text": "name: ["}), 422)
    await client.post(f"/formats/review/{proposal}/accept")
    assert '"part":' in world.read(LINES[0])["fields"].item()


async def test_like_of_a_rejected_proposal_is_not_proposed_again(
    client: httpx.AsyncClient, world: World, proposal: str
) -> None:
    assert (await client.post(f"/formats/review/{proposal}/reject")).json()["state"] == "rejected"
    later = [told.line for told in invented(prefix_before_the_stamp, 300, seed=2)]
    world.read(*later)
    world.read(*later, source="other")
    assert world.control.learn() is None
    assert world.control.learn() is None
    assert len((await client.get("/formats/review")).json()["rows"]) == 1


async def test_waiting_proposal_counts_further_lines_and_is_not_made_twice(
    client: httpx.AsyncClient, world: World, proposal: str
) -> None:
    world.read(*[told.line for told in invented(prefix_before_the_stamp, 300, seed=2)])
    assert world.control.learn() is None
    rows = (await client.get("/formats/review")).json()["rows"]
    assert [(row["id"], row["lines_seen"]) for row in rows] == [(proposal, 380)]


async def test_file_changed_by_hand_is_followed(client: httpx.AsyncClient, world: World) -> None:
    assert world.control.reload_if_changed() is False
    world.folder.mkdir()
    (world.folder / "gates.yaml").write_text(GATES)
    (world.folder / "broken.yaml").write_text("name: [")
    assert world.control.reload_if_changed() is True
    assert world.read(GATE_LINE)["log.format"].to_list() == ["gates"]
    told = (await client.get("/formats")).json()["problems"]
    assert len(told) == 1
    assert "broken.yaml" in told[0]
    assert "broken.yaml" in world.control.health().reason
    (world.folder / "gates.yaml").unlink()
    (world.folder / "broken.yaml").unlink()
    assert world.control.reload_if_changed() is True
    assert world.read(GATE_LINE)["log.format"].to_list() == ["plain"]
    assert world.control.reload_if_changed() is False


async def test_lines_that_say_stamp_and_sentence_are_left_alone(world: World) -> None:
    """The generic format reads them; a learned one would tell nothing more."""
    world.read(*(f"2026-11-24 09:00:{number % 60:02d} INFO something happened to {number}" for number in range(100)))
    assert world.control.learn() is None
    assert world.control.learn() is None
