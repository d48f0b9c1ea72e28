"""Rules, exceptions, backtests and triage over real HTTP."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from support.deciding import Deciding
from support.events import START, SettableClock, event_frame
from support.serving import broadcaster_of, live_server
from vedette.api import rule_bodies as bodies
from vedette.api.problems import Problem
from vedette.api.schemas import FindingPage, FindingRow
from vedette.model.batches import CommitBatch
from vedette.model.findings import Finding
from vedette.model.severity import SeverityFactor
from vedette.store import MemoryStore

ROOT = "11111111-1111-4111-8111-111111111111"
MANY = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"


def rule(identifier: str, title: str = "Root logged in", *, user: str = "root", level: str = "high") -> str:
    return (
        f"title: {title}\nid: {identifier}\nstatus: stable\nlevel: {level}\ntags: [attack.t1078]\n"
        f"logsource:\n  service: sshd\ndetection:\n  login:\n    user.name: {user}\n  condition: login\n"
    )


def logins(count: int, **more: Any) -> pl.DataFrame:
    """Logins of root, one a day, half of them from inside."""
    rows = [
        {
            "@timestamp": START - timedelta(days=number),
            "log.format": "syslog-rfc3164/sshd",
            "process.name": "sshd",
            "user.name": "root",
            "source.ip": "10.0.0.7" if number % 2 else "203.0.113.9",
            "event.original": f"Accepted password for root, login {number}",
            **more,
        }
        for number in range(count)
    ]
    return event_frame(rows)


def found(name: str, *, rule_id: str = ROOT, severity: int = 7, address: str = "203.0.113.9") -> Finding:
    return Finding(
        id=name, rule_id=rule_id, rule_name="Root logged in", rule_level="high", title=f"{name} happened",
        summary="root logged in", factors=(SeverityFactor("rule level high", severity),), first_seen=START,
        last_seen=START, found_at=START, entity={"source.ip": address, "user.name": "root"}, evidence=(),
        event_ids=(), event_count=1, sources=("auth",),
    )  # fmt: skip


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.commit(CommitBatch(logins(10), findings=tuple(found(f"f{number}") for number in range(3))))
    return made


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(START + timedelta(hours=1))


@pytest.fixture
def deciding(tmp_path: Path, store: MemoryStore, clock: SettableClock) -> Iterator[Deciding]:
    own = tmp_path / "rules" / "own"
    own.mkdir(parents=True)
    (own / "root.yml").write_text(rule(ROOT))
    with Deciding(tmp_path, store, clock=clock, import_from=[tmp_path / "allowed"]) as made:
        yield made


@pytest.fixture
async def client(deciding: Deciding, store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        live_server(
            store,
            broadcaster_of(store),
            rules=deciding.rules,
            findings=deciding.findings,
            exceptions=deciding.exceptions,
            backtests=deciding.backtests,
        ) as server,
        httpx.AsyncClient(base_url=f"{server.address.http}/api/v1", timeout=30) as connected,
    ):
        yield connected


def problem(answer: httpx.Response, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return Problem.model_validate(answer.json())


async def rules(client: httpx.AsyncClient, **wanted: Any) -> bodies.RulePage:
    return bodies.RulePage.model_validate((await client.get("/rules", params=wanted)).json())


def judged(deciding: Deciding, events: pl.DataFrame, now: datetime = START) -> list[str]:
    """The rules that speak of the events."""
    return [finding.rule_id for finding in deciding.detector.inspect(events, now)]


async def ended(client: httpx.AsyncClient, told: dict[str, Any]) -> bodies.BacktestRow:
    while told["state"] in ("waiting", "running"):
        told = (await client.get(f"/backtests/{told['id']}")).json()
    return bodies.BacktestRow.model_validate(told)


async def test_rules_are_listed_with_what_is_known_of_them(client: httpx.AsyncClient, deciding: Deciding) -> None:
    told = await rules(client)
    (row,) = told.rows
    assert (row.id, row.pack, row.enabled, row.readiness, row.findings) == (ROOT, "own", True, "unknown", 3)
    assert row.logsource == "service: sshd"
    deciding.rules.survey()
    told = await rules(client)
    assert (told.rows[0].readiness, told.counts.ready, told.counts.waiting) == ("ready", 1, 0)
    assert told.readiness_at is not None


async def test_rules_are_filtered_and_paged(client: httpx.AsyncClient) -> None:
    for number, level in enumerate(("low", "critical", "medium")):
        identifier = f"{number}" * 8 + "-0000-4000-8000-000000000000"
        text = rule(identifier, f"Rule {level}", level=level)
        assert (await client.put(f"/rules/{identifier}", json={"text": text})).status_code == 200
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await rules(client, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [row.level for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ["critical", "high", "medium", "low"]
    assert [row.level for row in (await rules(client, level="low")).rows] == ["low"]
    assert [row.title for row in (await rules(client, text="rule T1078 crit")).rows] == ["Rule critical"]
    assert (await rules(client, pack="nothing")).total == 0
    assert problem(await client.get("/rules", params={"cursor": "x"}), 400).field == "cursor"


async def test_one_rule_is_told_with_its_text(client: httpx.AsyncClient) -> None:
    told = bodies.RuleDetail.model_validate((await client.get(f"/rules/{ROOT}")).json())
    assert told.text == rule(ROOT)
    assert told.fields == ["user.name"]
    assert problem(await client.get("/rules/nothing"), 404).field == "rule_id"


async def test_switched_off_rule_is_silent_at_once_and_its_reason_is_kept(
    client: httpx.AsyncClient, deciding: Deciding
) -> None:
    assert judged(deciding, logins(1)) == [ROOT]
    answer = await client.patch(f"/rules/{ROOT}", json={"enabled": False, "reason": "too loud"})
    told = bodies.RuleDetail.model_validate(answer.json())
    assert told.state is not None
    assert (told.enabled, told.state.reason) == (False, "too loud")
    assert judged(deciding, logins(1, **{"vedette.generation": 2})) == []
    assert (await rules(client, enabled=False)).total == 1
    await client.patch(f"/rules/{ROOT}", json={"enabled": True})
    assert judged(deciding, logins(1, **{"vedette.generation": 3})) == [ROOT]


async def test_own_rule_is_written_used_replaced_and_removed(
    client: httpx.AsyncClient, deciding: Deciding, tmp_path: Path
) -> None:
    text = rule(OTHER, "Backup logged in", user="backup")
    assert (await client.put(f"/rules/{OTHER}", json={"text": text})).status_code == 200
    assert (tmp_path / "rules" / "own" / f"{OTHER}.yml").read_text() == text
    backup = logins(1, **{"user.name": "backup"})
    assert judged(deciding, backup) == [OTHER]
    await client.put(f"/rules/{OTHER}", json={"text": text.replace("user.name: backup", "user.name: nobody")})
    assert judged(deciding, backup.with_columns(pl.lit(9).alias("vedette.generation").cast(pl.Int64))) == []
    assert (await client.delete(f"/rules/{OTHER}")).status_code == 204
    problem(await client.delete(f"/rules/{OTHER}"), 404)
    assert [row.id for row in (await rules(client)).rows] == [ROOT]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: [", ["text:"]),
        (rule(ROOT), [OTHER]),
        (rule(OTHER).replace("user.name: root", "user.name|nonsense: root"), ["nonsense"]),
        (rule(OTHER).replace("user.name: root", "user.name|re: '(?=x)'"), ["linear"]),
        (rule(OTHER).replace("condition: login", "condition: logout"), ["logout"]),
        ("", ["no rule"]),
    ],
)
async def test_rule_that_cannot_be_used_is_refused_and_not_kept(
    client: httpx.AsyncClient, tmp_path: Path, text: str, words: list[str]
) -> None:
    told = problem(await client.put(f"/rules/{OTHER}", json={"text": text}), 422)
    assert told.field == "text"
    assert [word for word in words if word not in told.detail] == []
    assert [path.name for path in (tmp_path / "rules" / "own").iterdir()] == ["root.yml"]


async def test_text_is_checked_without_being_kept(client: httpx.AsyncClient, deciding: Deciding) -> None:
    deciding.rules.survey()
    waiting = rule(OTHER).replace("service: sshd", "product: windows")
    answer = await client.post("/rules/check", json={"text": f"{rule(ROOT, 'New')}---\n{waiting}---\ntitle: x\n"})
    told = bodies.RuleCheck.model_validate(answer.json())
    assert [(one.title, one.readiness) for one in told.rules] == [("New", "ready"), ("Root logged in", "waiting")]
    (wrong,) = told.problems
    assert (wrong.path, wrong.line > 20) == ("text", True)
    assert (await rules(client)).total == 1


async def test_broken_file_is_a_problem_and_the_others_go_on(
    client: httpx.AsyncClient, deciding: Deciding, tmp_path: Path
) -> None:
    (tmp_path / "rules" / "own" / "broken.yml").write_text("title: [\n")
    assert deciding.rules.reload()
    (told,) = bodies.RuleProblems.model_validate((await client.get("/rules/problems")).json()).problems
    assert (told.pack, told.path.endswith("broken.yml")) == ("own", True)
    assert judged(deciding, logins(1)) == [ROOT]
    assert deciding.rules.health().state.value == "degraded"


def packed(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.yml", text)
    return content.getvalue()


async def test_uploaded_zip_becomes_a_pack_and_is_replaced_and_removed(
    client: httpx.AsyncClient, deciding: Deciding
) -> None:
    answer = await client.put("/rules/packs/mine", content=packed(a=rule(OTHER, user="backup"), b="title: ["))
    told = bodies.PackImported.model_validate(answer.json())
    assert (told.name, told.rules, told.problems_total) == ("mine", 1, 1)
    assert judged(deciding, logins(1, **{"user.name": "backup"})) == [OTHER]
    await client.put("/rules/packs/mine", content=packed(a=rule(MANY, user="nobody")))
    assert {row.id for row in (await rules(client)).rows} == {ROOT, MANY}
    packs = bodies.PackList.model_validate((await client.get("/rules/packs")).json()).packs
    assert {(pack.name, pack.kind, pack.rules) for pack in packs} == {("own", "own", 1), ("mine", "imported", 1)}
    problem(await client.delete("/rules/packs/own"), 409)
    assert (await client.delete("/rules/packs/mine")).status_code == 204
    problem(await client.delete("/rules/packs/mine"), 404)
    assert [row.id for row in (await rules(client)).rows] == [ROOT]


async def test_upload_that_is_no_pack_leaves_the_one_before(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.put("/rules/packs/mine", content=packed(a=rule(OTHER)))
    for content in (b"no zip", packed(a="nothing: here"), packed()):
        problem(await client.put("/rules/packs/mine", content=content), 422)
    assert (await rules(client, pack="mine")).total == 1
    larger_than_other_bodies = packed(a=rule(OTHER), b="#" + random.Random(1).randbytes(600_000).hex())
    assert len(larger_than_other_bodies) > 2**20
    assert (await client.put("/rules/packs/large", content=larger_than_other_bodies)).status_code == 200
    monkeypatch.setattr("vedette.api.limits.MAX_PACK_BYTES", 1_000)
    problem(await client.put("/rules/packs/mine", content=b"x" * 5_000), 413)


async def test_pack_is_imported_from_allowed_folders_only(client: httpx.AsyncClient, tmp_path: Path) -> None:
    for place in ("allowed", "forbidden"):
        folder = tmp_path / place / "pack"
        folder.mkdir(parents=True)
        (folder / "a.yml").write_text(rule(OTHER))
    (tmp_path / "allowed" / "way-out").symlink_to(tmp_path / "forbidden" / "pack")
    for path in ("forbidden/pack", "allowed/../forbidden/pack", "allowed/way-out", "allowed/\0"):
        told = problem(await client.post("/rules/packs", json={"path": f"{tmp_path}/{path}"}), 422)
        assert told.field == "path"
    answer = await client.post("/rules/packs", json={"path": f"{tmp_path}/allowed/pack", "name": "sigma"})
    assert bodies.PackImported.model_validate(answer.json()).rules == 1
    assert (await rules(client, pack="sigma")).total == 1


async def test_exception_shows_its_effect_hides_ends_and_leaves_a_trail(
    client: httpx.AsyncClient, deciding: Deciding, clock: SettableClock
) -> None:
    asked = {"rule_id": ROOT, "condition": "source.ip:10.0.0.0/8", "reason": "the jump host"}
    effect = bodies.ExceptionEffect.model_validate((await client.post("/exceptions/preview", json=asked)).json())
    tested = effect.backtest
    assert (tested.state, tested.matches, tested.hidden) == ("finished", 10, 5)
    assert tested.summary == "would have hidden 5 of 10 events in 30 days"
    assert {sample.hidden for sample in tested.rules[0].samples} == {True, False}
    assert bodies.ExceptionPage.model_validate((await client.get("/exceptions")).json()).rows == []

    answer = await client.post("/exceptions", json=asked)
    assert answer.status_code == 201
    made = bodies.ExceptionRow.model_validate(answer.json())
    assert (made.active, made.expires_at) == (True, clock.time + timedelta(days=30))
    inside = logins(1, **{"source.ip": "10.0.0.7"})
    assert judged(deciding, inside) == []
    assert judged(deciding, logins(1, **{"source.ip": "203.0.113.9"})) == [ROOT]
    assert (await client.get(f"/rules/{ROOT}")).json()["exceptions"] == [made.id]

    assert (await client.delete(f"/exceptions/{made.id}")).json()["active"] is False
    assert judged(deciding, inside) == [ROOT]
    trail = bodies.AuditPage.model_validate((await client.get("/audit", params={"subject": made.id})).json())
    assert [entry.action for entry in trail.rows] == ["exception-ended", "exception-created"]
    problem(await client.delete("/exceptions/nothing"), 404)


async def test_exception_ends_by_time(client: httpx.AsyncClient, deciding: Deciding, clock: SettableClock) -> None:
    end = clock.time + timedelta(hours=1)
    await client.post(
        "/exceptions", json={"condition": "user.name:root", "expires_at": end.isoformat(), "rule_id": None}
    )
    assert judged(deciding, logins(1), clock.time) == []
    assert judged(deciding, logins(1), end) == [ROOT]


async def test_exception_is_made_from_a_finding(client: httpx.AsyncClient) -> None:
    made = bodies.ExceptionRow.model_validate((await client.post("/exceptions", json={"finding_id": "f1"})).json())
    assert (made.rule_id, made.finding_id) == (ROOT, "f1")
    assert made.condition == 'source.ip:"203.0.113.9" user.name:"root"'


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"condition": "user.name:root", "rule_id": "nothing"}, 404, "rule_id"),
        ({"finding_id": "nothing"}, 404, "finding_id"),
        ({"rule_id": ROOT}, 422, "condition"),
        ({"rule_id": ROOT, "condition": "*"}, 422, "condition"),
        ({"rule_id": ROOT, "condition": "(user"}, 400, "query"),
        ({"rule_id": ROOT, "condition": "user:x", "expires_at": "2020-01-01T00:00:00Z"}, 422, "expires_at"),
        ({"rule_id": ROOT, "condition": "user:x", "expires_at": "2040-01-01T00:00:00Z"}, 422, "expires_at"),
    ],
)
async def test_exception_that_cannot_be_is_refused(
    client: httpx.AsyncClient, asked: dict[str, Any], status: int, field: str
) -> None:
    assert problem(await client.post("/exceptions", json=asked), status).field == field
    assert (await client.get("/exceptions")).json()["rows"] == []


async def test_muted_findings_are_made_and_left_out_of_the_list(
    client: httpx.AsyncClient, store: MemoryStore, clock: SettableClock
) -> None:
    store.commit(CommitBatch(logins(1), findings=(found("g", address="198.51.100.1"),)))
    asked = {"rule_id": ROOT, "entity_column": "source.ip", "entity_value": "203.0.113.9"}
    muted = bodies.MuteRow.model_validate((await client.post("/mutes", json=asked)).json())

    async def listed(**wanted: str) -> list[str]:
        page = FindingPage.model_validate((await client.get("/findings", params=wanted)).json())
        return [row.id for row in page.rows]

    assert await listed() == ["g"]
    assert await listed(muted="only") == ["f2", "f1", "f0"]
    assert await listed(muted="include") == ["g", "f2", "f1", "f0"]
    assert FindingRow.model_validate((await client.get("/findings/f1")).json()).muted
    assert len((await client.get("/mutes")).json()["mutes"]) == 1
    clock.time += timedelta(days=31)
    assert await listed() == ["g", "f2", "f1", "f0"]
    clock.time -= timedelta(days=31)
    assert (await client.delete(f"/mutes/{muted.id}")).status_code == 204
    assert (await client.get("/mutes")).json() == {"mutes": []}
    problem(await client.delete("/mutes/nothing"), 404)
    problem(await client.post("/mutes", json={"rule_id": ROOT, "entity_column": "source.ip"}), 422)


async def test_findings_are_filtered_by_rule_status_and_entity(client: httpx.AsyncClient, store: MemoryStore) -> None:
    other = found("o", rule_id=OTHER, severity=4, address="198.51.100.1")
    store.commit(CommitBatch(logins(1), findings=(other,)))
    answer = await client.patch("/findings/f1", json={"status": "acknowledged", "note": "looking"})
    told = FindingRow.model_validate(answer.json())
    assert (told.status, told.note, told.status_by) == ("acknowledged", "looking", "local")

    async def listed(**wanted: str | int) -> list[str]:
        return [row["id"] for row in (await client.get("/findings", params=wanted)).json()["rows"]]

    assert await listed(rule=OTHER) == ["o"]
    assert await listed(status="acknowledged") == ["f1"]
    assert await listed(status="new") == ["o", "f2", "f0"]
    assert await listed(entity="198.51.100.1") == ["o"]
    assert await listed(entity="source.ip:203.0.113.9", status="new") == ["f2", "f0"]
    assert await listed(entity="user.name:203.0.113.9") == []
    problem(await client.patch("/findings/f1", json={"status": "gone"}), 422)
    problem(await client.patch("/findings/nothing", json={"status": "new"}), 404)


async def test_incidents_are_listed_and_triaged(client: httpx.AsyncClient) -> None:
    page = bodies.IncidentPage.model_validate((await client.get("/incidents")).json())
    (incident,) = page.rows
    assert (sorted(incident.finding_ids), incident.status, page.findings) == (["f0", "f1", "f2"], "new", 3)
    answer = await client.patch(f"/incidents/{incident.id}", json={"status": "resolved", "note": "a drill"})
    assert answer.json()["triage"]["note"] == "a drill"
    assert (await client.get(f"/incidents/{incident.id}")).json()["status"] == "resolved"
    assert (await client.get("/incidents", params={"status": "new"})).json()["rows"] == []
    assert len((await client.get("/incidents", params={"status": "resolved"})).json()["rows"]) == 1
    problem(await client.get("/incidents/nothing"), 404)


async def test_backtest_counts_days_and_shows_samples(client: httpx.AsyncClient) -> None:
    since = (START - timedelta(days=4, minutes=1)).isoformat()
    started = await client.post("/backtests", json={"text": rule(OTHER), "since": since})
    assert started.status_code == 202
    told = await ended(client, started.json())
    assert (told.state, told.events, told.matches, told.progress) == ("finished", 5, 5, 1.0)
    (one,) = told.rules
    assert [day.count for day in one.days] == [1, 1, 1, 1, 1]
    assert one.findings >= 1
    assert "login 0" in {sample.text.rpartition(", ")[2] for sample in one.samples}
    assert (await client.get("/backtests")).json()["backtests"][0]["id"] == told.id


async def test_backtest_takes_ids_and_packs_and_what_a_correlation_joins(
    client: httpx.AsyncClient, deciding: Deciding, tmp_path: Path
) -> None:
    (tmp_path / "rules" / "own" / "many.yml").write_text(
        f"title: Many\nid: {MANY}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [{ROOT}]\n"
        "  group-by: [user.name]\n  timespan: 30d\n  condition: {gte: 3}\n"
    )
    deciding.rules.reload()
    told = await ended(client, (await client.post("/backtests", json={"rules": [MANY]})).json())
    assert {one.rule_id: (one.matches, one.findings) for one in told.rules} == {ROOT: (10, 0), MANY: (0, 1)}
    told = await ended(client, (await client.post("/backtests", json={"pack": "own"})).json())
    assert (told.title, told.matches) == ("pack own", 10)


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({}, 422, "rules"),
        ({"rules": [ROOT], "pack": "own"}, 422, "rules"),
        ({"rules": ["nothing"]}, 404, "rules"),
        ({"pack": "nothing"}, 404, "pack"),
        ({"text": "title: ["}, 422, "text"),
        ({"rules": [ROOT], "condition": "(x"}, 400, "query"),
        ({"rules": [ROOT], "since": "2030-01-01T00:00:00Z"}, 422, "since"),
    ],
)
async def test_backtest_that_cannot_be_is_refused(
    client: httpx.AsyncClient, asked: dict[str, Any], status: int, field: str
) -> None:
    assert problem(await client.post("/backtests", json=asked), status).field == field


async def test_every_decision_is_in_the_trail(client: httpx.AsyncClient) -> None:
    await client.patch(f"/rules/{ROOT}", json={"enabled": False, "reason": "too loud"})
    await client.put(f"/rules/{OTHER}", json={"text": rule(OTHER)})
    await client.delete(f"/rules/{OTHER}")
    await client.put("/rules/packs/mine", content=packed(a=rule(MANY)))
    await client.delete("/rules/packs/mine")
    await client.patch("/findings/f1", json={"status": "resolved"})
    page = bodies.AuditPage.model_validate((await client.get("/audit", params={"limit": 4})).json())
    rest = bodies.AuditPage.model_validate((await client.get("/audit", params={"cursor": page.cursor})).json())
    assert [entry.action for entry in (*page.rows, *rest.rows)] == [
        "finding-triaged", "pack-removed", "pack-imported", "rule-removed", "rule-written", "rule-disabled",
    ]  # fmt: skip
