"""Rules as an operator uses them: scanning with a folder, importing a pack, backtesting, changing files by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.process import Server, run, wait_until

SHADOWS = "11111111-1111-4111-8111-111111111111"
CONNECTS = "22222222-2222-4222-8222-222222222222"
USER_MADE = "33333333-3333-4333-8333-333333333333"
LOG_CLEARED = "44444444-4444-4444-8444-444444444444"
GUESSED = "55555555-5555-4555-8555-555555555555"
MANY = "66666666-6666-4666-8666-666666666666"


def rule(identifier: str, logsource: str, detection: str, *, level: str = "high") -> str:
    return (
        f"title: Rule {identifier[:1]}\nid: {identifier}\nstatus: test\nlevel: {level}\n"
        f"logsource:\n{logsource}\ndetection:\n  selection:\n{detection}\n  condition: selection\n"
    )


RULES = {
    "shadows.yml": rule(
        SHADOWS,
        "  product: windows\n  category: process_creation",
        "    Image|endswith: '\\vssadmin.exe'\n    CommandLine|contains|all: [delete, shadows]",
    ),
    "connects.yml": rule(
        CONNECTS,
        "  product: windows\n  category: network_connection",
        "    Image|endswith: '\\rundll32.exe'\n    Initiated: 'true'\n    DestinationPort: 4444",
    ),
    "user-made.yml": rule(USER_MADE, "  product: windows\n  service: security", "    EventID: 4720", level="medium"),
    "cleared.yml": rule(LOG_CLEARED, "  product: windows\n  service: system", "    EventID: 104"),
    "guessed.yml": rule(
        GUESSED, "  product: windows\n  service: security", "    EventID: 4625\n    LogonType: 3", level="low"
    )
    + "---\n"
    + f"title: Many\nid: {MANY}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [{GUESSED}]\n"
    "  group-by: [IpAddress]\n  timespan: 5m\n  condition: {gte: 5}\n",
}
SYSMON, SECURITY, SYSTEM = "Microsoft-Windows-Sysmon/Operational", "Security", "System"


def happened() -> list[tuple[str, int, dict[str, Any]]]:
    """Channel, event id, data; the first of each pair is what a rule describes, the second is not."""
    vssadmin, rundll = r"C:\Windows\System32\vssadmin.exe", r"C:\Windows\System32\rundll32.exe"
    guesses = [
        (SECURITY, 4625, {"LogonType": 3, "IpAddress": "203.0.113.9", "TargetUserName": f"u{n}"}) for n in range(6)
    ]
    return [
        (SYSMON, 1, {"Image": vssadmin, "CommandLine": "VSSADMIN Delete Shadows /all", "User": r"EX\anna"}),
        (SYSMON, 1, {"Image": vssadmin, "CommandLine": "vssadmin list shadows", "User": r"EX\anna"}),
        (
            SECURITY,
            4688,
            {"NewProcessName": vssadmin, "CommandLine": "vssadmin delete shadows", "SubjectUserName": "bob"},
        ),
        (SYSMON, 3, {"Image": rundll, "Initiated": True, "DestinationPort": 4444, "DestinationIp": "198.51.100.1"}),
        (SYSMON, 3, {"Image": rundll, "Initiated": True, "DestinationPort": 443, "DestinationIp": "198.51.100.1"}),
        (SECURITY, 4720, {"TargetUserName": "eve"}),
        (SYSTEM, 4720, {"TargetUserName": "eve"}),
        (SYSTEM, 104, {"SubjectUserName": "eve"}),
        (SECURITY, 104, {"SubjectUserName": "eve"}),
        *guesses,
        (SECURITY, 4625, {"LogonType": 3, "IpAddress": "203.0.113.10", "TargetUserName": "u1"}),
    ]


EXPECTED = {SHADOWS: 2, CONNECTS: 1, USER_MADE: 1, LOG_CLEARED: 1, MANY: 6}


def flat(place: int, channel: str, number: int, data: dict[str, Any]) -> dict[str, Any]:
    head = {"TimeCreated": f"2026-11-24T09:00:{place:02d}.000Z", "Channel": channel, "EventID": number}
    provider = "Microsoft-Windows-Sysmon" if channel == SYSMON else "Microsoft-Windows-Security-Auditing"
    return head | {"Computer": "ws1.example.com", "Provider_Name": provider, "EventRecordID": place} | data


def nested(place: int, channel: str, number: int, data: dict[str, Any]) -> dict[str, Any]:
    """As the Rust parser of EVTX prints it."""
    provider = "Microsoft-Windows-Sysmon" if channel == SYSMON else "Microsoft-Windows-Security-Auditing"
    system = {
        "Provider": {"#attributes": {"Name": provider, "Guid": "5770385F-C22A-43E0-BF4C-06F5698FFBD9"}},
        "EventID": number,
        "Version": 5,
        "Level": 4,
        "TimeCreated": {"#attributes": {"SystemTime": f"2026-11-24T09:00:{place:02d}.000000Z"}},
        "EventRecordID": place,
        "Channel": channel,
        "Computer": "ws1.example.com",
    }
    schema = {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}
    return {"Event": {"#attributes": schema, "System": system, "EventData": data}}


def written(path: Path, layout: Any) -> Path:
    rows = [json.dumps(layout(place, *event)) for place, event in enumerate(happened())]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def rules_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my-rules"
    folder.mkdir()
    for name, text in RULES.items():
        (folder / name).write_text(text)
    return folder


def scanned(*arguments: str | Path) -> list[dict[str, Any]]:
    done = run("scan", *arguments, "--output", "ndjson")
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [row for row in rows if row["kind"] == "finding"]


@pytest.mark.parametrize("layout", [flat, nested], ids=["flat", "nested"])
def test_scan_finds_in_windows_events_what_the_rules_describe(tmp_path: Path, rules_folder: Path, layout: Any) -> None:
    events = written(tmp_path / "events.jsonl", layout)
    data = ("--data-dir", tmp_path / "data")
    found = scanned(events, "--rules", rules_folder, "--no-default-rules", *data)
    counts: dict[str, int] = {}
    for row in found:
        counts[row["rule.id"]] = counts.get(row["rule.id"], 0) + row["event.count"]
    assert counts == EXPECTED
    shadows = next(row for row in found if row["rule.id"] == SHADOWS)
    assert any("VSSADMIN" in each["text"] for each in shadows["evidence"])
    assert not (tmp_path / "data").exists()


NOT_FOLLOWED = (
    f"title: Guessed and left alone\nid: {MANY.replace('6', '8')}\nlevel: high\ncorrelation:\n  type: temporal\n"
    f"  rules: [{GUESSED}, {USER_MADE}]\n  group-by: [Computer]\n  timespan: 5m\n"
    f"  condition: {GUESSED} and not {USER_MADE}\n"
)


def test_what_must_not_follow_is_judged_at_the_end_of_a_file_and_of_a_sample(
    tmp_path: Path, rules_folder: Path
) -> None:
    rows = [json.dumps(flat(at, *one)) for at, one in enumerate(happened()) if one[1] in (4625, 4720)]
    guesses = [row for row in rows if "4625" in row]
    rule_file = rules_folder / "guessed.yml"
    rule_file.write_text(rule_file.read_text() + "---\n" + NOT_FOLLOWED)
    (rules_folder / "guessed.test.yml").write_text(json.dumps({"hits": [guesses[0]], "misses": []}))
    data = ("--rules", rules_folder, "--no-default-rules", "--data-dir", tmp_path / "data")
    told = []
    for name, lines in (("alone", guesses), ("followed", rows)):
        events = tmp_path / f"{name}.jsonl.gz"
        events.write_bytes(gzip.compress("\n".join(lines).encode()))
        told.append("Guessed and left alone" in [row["rule.name"] for row in scanned(events, *data)])
    assert told == [True, False]
    tried = run("rules", "test", rules_folder, "--data-dir", tmp_path / "data")
    assert (tried.returncode, tried.stdout[:24]) == (0, "1 of 1 rule file hold, 1")


def test_scan_without_rules_of_ones_own_says_nothing_of_them(tmp_path: Path, rules_folder: Path) -> None:
    events = written(tmp_path / "events.jsonl", flat)
    data = ("--data-dir", tmp_path / "data")
    assert scanned(events, "--no-default-rules", *data) == []
    missing = run("scan", events, "--rules", tmp_path / "nowhere", *data)
    assert (missing.returncode, "nowhere" in missing.stderr) == (2, True)
    (rules_folder / "broken.yml").write_text("title: [\n")
    broken = run("scan", events, "--rules", rules_folder, *data)
    assert (broken.returncode, "broken.yml:" in broken.stderr) == (1, True)


def test_check_names_file_line_reason_and_remedy(tmp_path: Path, rules_folder: Path) -> None:
    good = run("rules", "check", rules_folder)
    assert (good.returncode, "6 rules loaded" in good.stdout, "0 failed" in good.stdout) == (0, True, True)
    broken = RULES["shadows.yml"].replace(SHADOWS, MANY.replace("6", "7")).replace("|contains|all", "|containing")
    (rules_folder / "wrong.yml").write_text(broken)
    wrong = run("rules", "check", rules_folder)
    assert wrong.returncode == 1
    assert "6 rules loaded" in wrong.stdout
    line = next(line for line in wrong.stdout.splitlines() if "wrong.yml" in line)
    assert f"wrong.yml:{broken[: broken.index('CommandLine')].count(chr(10)) + 1}: " in line
    assert "containing" in line
    told = json.loads(run("rules", "check", rules_folder, "--output", "json").stdout)
    assert (told["rules"], told["correlations"], len(told["failed"])) == (6, 1, 1)
    assert run("rules", "check", tmp_path / "nowhere").returncode == 2
    assert run("rules", "check", tmp_path).returncode == 1  # the same folder, with the same failure
    (tmp_path / "empty").mkdir()
    assert run("rules", "check", tmp_path / "empty").returncode == 1


def test_samples_beside_rules_are_tried(tmp_path: Path, rules_folder: Path) -> None:
    hit, miss = (json.dumps(flat(at, *happened()[at])) for at in (0, 1))
    samples = rules_folder / "shadows.test.yml"
    samples.write_text(json.dumps({"hits": [hit], "misses": [miss]}))
    data = ("--data-dir", tmp_path / "data")
    done = run("rules", "test", rules_folder, *data)
    assert (done.returncode, done.stdout) == (0, "1 of 1 rule file hold, 2 samples tried\n")
    samples.write_text(json.dumps({"hits": [miss], "misses": [hit]}))
    done = run("rules", "test", rules_folder / "shadows.yml", *data)
    assert done.returncode == 1
    assert "nothing was found in" in done.stdout
    assert "something was found in" in done.stdout
    samples.write_text("hits: 7\n")
    assert run("rules", "test", rules_folder, *data).returncode == 2


def test_pack_is_imported_listed_tried_on_history_and_measured_without_a_server(
    tmp_path: Path, rules_folder: Path
) -> None:
    events = written(tmp_path / "events.jsonl", nested)
    data = ("--data-dir", tmp_path / "data")
    assert run("import", events, *data).returncode == 0
    imported = run("rules", "import", rules_folder, "--name", "mine", *data)
    assert (imported.returncode, imported.stdout) == (0, "6 rules are used as the pack mine\n")
    listed = json.loads(run("rules", "list", "--pack", "mine", "--output", "json", *data).stdout)
    assert {row["id"] for row in listed["rows"]} == {SHADOWS, CONNECTS, USER_MADE, LOG_CLEARED, GUESSED, MANY}
    ready = json.loads(run("rules", "readiness", "--output", "json", *data).stdout)
    assert ready["events"] == len(happened())
    assert ready["ready"] >= 6

    asked = ("rules", "backtest", "--pack", "mine", "--since", "2026-11-01", "--until", "2026-12-01")
    tested = json.loads(run(*asked, "--output", "json", *data).stdout)
    matches = {one["rule_id"]: one["matches"] for one in tested["rules"]}
    assert matches == {SHADOWS: 2, CONNECTS: 1, USER_MADE: 1, LOG_CLEARED: 1, GUESSED: 7, MANY: 0}
    told = run(*asked[:2], SHADOWS, *asked[4:], "--exception", "user.name:bob", *data)
    assert "would have hidden 1 of 2 events" in told.stdout

    assert "is off" in run("rules", "disable", SHADOWS, "--reason", "known", *data).stdout
    off = json.loads(run("rules", "list", "--disabled", "--output", "json", *data).stdout)
    assert SHADOWS in {row["id"] for row in off["rows"]}
    assert SHADOWS not in {row["rule.id"] for row in scanned(events, *data)}
    measured = json.loads(run("rules", "bench", events, "--events", "2000", "--output", "json", *data).stdout)
    assert (measured["events"] >= 2000, measured["events_per_second"] > 0) == (True, True)


def test_running_server_follows_files_uses_packs_and_keeps_decisions(tmp_path: Path, rules_folder: Path) -> None:
    data = tmp_path / "data"
    log = tmp_path / "events.jsonl"
    log.touch()
    own = data / "rules" / "own"
    with Server([log], data) as server:

        def ids(**wanted: Any) -> set[str]:
            return {row["id"] for row in server.get("/rules", limit=500, **wanted)["rows"]}

        assert SHADOWS not in ids()
        own.mkdir(parents=True)
        (own / "shadows.yml").write_text(RULES["shadows.yml"])
        wait_until(lambda: SHADOWS in ids(), what="the file is followed")
        (own / "broken.yml").write_text("title: [\n")
        wait_until(lambda: server.get("/rules/problems")["problems"], what="the broken file is named")
        wait_until(lambda: "broken.yml" in server.part("rules")["reason"], what="the health names it")
        assert SHADOWS in ids()
        (own / "broken.yml").unlink()
        imported = run("rules", "import", rules_folder, "--name", "mine", "--data-dir", data)
        assert (imported.returncode, imported.stdout) == (0, "6 rules are used as the pack mine\n"), imported.stderr
        assert CONNECTS in ids(pack="mine")
        disabled = run("rules", "disable", USER_MADE, "--data-dir", data)
        assert disabled.returncode == 0, disabled.stderr
        exception = {"rule_id": LOG_CLEARED, "condition": "user.name:eve OR fields.SubjectUserName:eve"}
        answer = httpx.post(f"{server.address}/api/v1/exceptions", json=exception, timeout=30)
        assert answer.status_code == 201, answer.text
        server.kill()
        server.start_again()
        written(log, nested)
        wait_until(
            lambda: {SHADOWS, CONNECTS, MANY} <= {row["rule_id"] for row in server.get("/findings", limit=500)["rows"]},
            what="the rules find what they describe",
        )
        found = {row["rule_id"] for row in server.get("/findings", limit=500)["rows"]}
        assert not {USER_MADE, LOG_CLEARED} & found
        backtest = run(
            "rules", "backtest", SHADOWS, "--since", "2026-11-01", "--until", "2026-12-01", "--data-dir", data
        )
        assert "would have matched 2 events" in backtest.stdout, backtest.stderr
        server.stop()
