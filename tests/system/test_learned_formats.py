"""A log that nobody knows is learned, reviewed and read, on a real server; and with the commands alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.inventedlogs import INVENTED, Told, invented
from support.process import Server, run, stored_events, wait_until
from vedette.model.rows import iso_utc

BEFORE, AFTER = 60, 40
PLACES = ("event.ingested", "event.original", "event.severity", "vedette.", "log.file.path", "log.format", "log.length",
          "log.offset", "event.id", "template.", "parse.status")  # fmt: skip


def append(path: Path, told: Sequence[Told]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{one.line}\n" for one in told))


def proposals(server: Server) -> list[dict[str, Any]]:
    return list(server.get("/formats/review", state="proposed")["rows"])


def columns_of(event: dict[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in event.items() if not name.startswith(PLACES)}
    return columns | {f"fields.{name}": value for name, value in columns.pop("fields", {}).items()}


def told_columns(told: Sequence[Told]) -> list[dict[str, Any]]:
    return [one.columns | {"@timestamp": iso_utc(one.columns["@timestamp"])} for one in told]


@pytest.mark.parametrize("make", INVENTED[:3], ids=lambda make: make.__name__)
def test_unknown_log_is_learned_accepted_and_read_without_a_restart_and_after_one(make: Any, tmp_path: Path) -> None:
    log, data = tmp_path / "shop.log", tmp_path / "data"
    told = invented(make, BEFORE + 2 * AFTER)
    append(log, told[:BEFORE])
    with Server([log], data) as server:
        server.wait_for_events(BEFORE)
        (proposal,) = wait_until(lambda: proposals(server), what="a format is proposed")
        assert (proposal["path"], proposal["confidence"] > 0.9) == (str(log), True)
        accept = f"{server.address}/api/v1/formats/review/{proposal['id']}/accept"
        accepted = httpx.post(accept, json={"name": "shop"}, timeout=30)
        assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
        append(log, told[BEFORE : BEFORE + AFTER])
        server.wait_for_events(BEFORE + AFTER)
        (choice,) = server.get("/formats/choices")["rows"]
        assert choice["format"] == "shop"
        server.stop()
        server.start_again()
        append(log, told[BEFORE + AFTER :])
        server.wait_for_events(len(told))
        assert proposals(server) == []
        server.stop()
    events = sorted(stored_events(data), key=lambda event: event["log.offset"])
    assert [event["event.original"] for event in events] == [one.line for one in told]
    assert {event["log.format"] for event in events[:BEFORE]} <= {"plain", "generic"}
    assert [columns_of(event) for event in events[BEFORE:]] == told_columns(told[BEFORE:])
    assert {event["log.format"] for event in events[BEFORE:]} == {"shop"}


def test_review_queue_survives_a_kill_and_lines_read_before_it_count(tmp_path: Path) -> None:
    log, data = tmp_path / "shop.log", tmp_path / "data"
    told = invented(INVENTED[2], 60)
    append(log, told[:20])
    with Server([log], data) as server:
        server.wait_for_events(20)
        assert proposals(server) == []
        server.kill()
        append(log, told[20:40])
        server.start_again()
        server.wait_for_events(40)
        (proposal,) = wait_until(lambda: proposals(server), what="a format is proposed from both runs' lines")
        server.kill()
        server.start_again()
        assert [one["id"] for one in proposals(server)] == [proposal["id"]]


def test_format_file_written_changed_and_removed_by_hand_is_followed(tmp_path: Path) -> None:
    log, data = tmp_path / "gate.log", tmp_path / "data"
    log.touch()
    pattern = r"'^<(?P<host.name>\w+)> (?P<time>%{stamp}) \| (?P<user.name>\w+)$'"
    file = data / "formats" / "gates.yaml"
    with Server([log], data) as server:
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"name: gates\ntitle: Gates\npatterns: {pattern}\n")

        def formats() -> set[str]:
            return {row["name"] for row in server.get("/formats")["formats"]}

        wait_until(lambda: "gates" in formats(), what="the file is used")
        with log.open("a") as lines:
            lines.write("<gate7> 2026-11-24 09:00:00 | anna\n")
        server.wait_for_events(1)
        file.write_text("name: gates\ntitle: [")
        wait_until(lambda: server.get("/formats")["problems"], what="the broken file is named")
        wait_until(lambda: "gates.yaml" in server.part("formats")["reason"], what="the health names it")
        assert "sshd" in formats()
        file.unlink()
        wait_until(lambda: not server.get("/formats")["problems"], what="the file is forgotten")
        server.stop()
    (event,) = stored_events(data)
    assert (event["log.format"], event["user.name"]) == ("gates", "anna")


def test_commands_learn_keep_show_and_use_a_format(tmp_path: Path) -> None:
    log, data = tmp_path / "shop.log", tmp_path / "data"
    append(log, invented(INVENTED[0], 100))
    folder = ("--data-dir", data)
    before = json.loads(run("formats", "explain", log, "--output", "json", *folder).stdout)
    assert (before["format"], before["lines"]) == ("plain", 100)
    learned = run("formats", "learn", log, "--accept", "shop", *folder)
    assert learned.returncode == 0, learned.stderr
    assert learned.stdout.startswith("name: shop\n")
    assert "held-back lines fit" in learned.stderr
    after = json.loads(run("formats", "explain", log, "--output", "json", *folder).stdout)
    assert (after["format"], after["unparsed"]) == ("shop", 0)
    assert run("formats", "show", "shop", *folder).stdout == learned.stdout
    listed = json.loads(run("formats", "list", "--output", "json", *folder).stdout)
    assert {"name": "shop", "origin": "own"}.items() <= {row["name"]: row for row in listed["formats"]}["shop"].items()
    tried = run("formats", "test", data / "formats" / "shop.yaml", log)
    assert (tried.returncode, "100 of 100 lines fit" in tried.stdout) == (0, True)
    scanned = run("scan", log, "--output", "ndjson", *folder)
    assert {json.loads(line)["log.format"] for line in scanned.stdout.splitlines()} == {"shop"}


def test_commands_review_with_and_without_a_running_server(tmp_path: Path) -> None:
    log, data = tmp_path / "shop.log", tmp_path / "data"
    folder = ("--data-dir", data)
    append(log, invented(INVENTED[1], 60))
    with Server([log], data) as server:
        wait_until(lambda: proposals(server), what="a format is proposed")
        (waiting,) = json.loads(run("formats", "review", "--output", "json", *folder).stdout)["rows"]
        server.stop()
    assert waiting["id"] in run("formats", "review", *folder).stdout
    assert run("formats", "review", waiting["id"], *folder).stdout.startswith(f"name: {waiting['name']}\n")
    accepted = run("formats", "accept", waiting["id"], "--name", "shop", *folder)
    assert (accepted.returncode, accepted.stdout.startswith("shop is a format now")) == (0, True)
    assert (data / "formats" / "shop.yaml").is_file()
    again = run("formats", "reject", waiting["id"], *folder)
    assert again.returncode == 2
    assert "accepted already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["formats", "show", "nothing"], ["nothing", "vedette formats list"]),
        (["formats", "explain", "/does/not/exist"], ["/does/not/exist"]),
        (["formats", "learn", "/does/not/exist"], ["/does/not/exist"]),
        (["formats", "learn", "{known}"], ["explained by a format", "--all"]),
        (["formats", "learn", "{unknown}", "--accept", "sshd"], ["sshd", "choose another"]),
        (["formats", "test", "{broken}"], ["broken.yaml", "YAML"]),
        (["formats", "test", "{backtracking}"], ["backtracking.yaml", "look-around"]),
        (["formats", "accept", "nothing"], ["nothing"]),
        (["formats", "reject", "nothing"], ["nothing"]),
        (["formats", "review", "nothing"], ["nothing"]),
        (["formats", "list", "--output", "xml"], ["xml"]),
    ],
)
def test_bad_input_is_one_sentence_with_the_value(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    files = {
        "known": "Nov 23 21:00:00 h sshd[1]: Connection closed by 203.0.113.7 port 1\n" * 5,
        "unknown": "".join(f"{one.line}\n" for one in invented(INVENTED[2], 40)),
        "broken.yaml": "name: [",
        "backtracking.yaml": "name: x\ntitle: X\npatterns: '^(?=a)(?P<message>.*)$'\n",
    }

    for name, text in files.items():
        (tmp_path / name).write_text(text)
    paths = {name.removesuffix(".yaml"): str(tmp_path / name) for name in files}
    data = [] if arguments[1] == "test" else ["--data-dir", str(tmp_path / "data")]
    done = run(*(argument.format(**paths) for argument in arguments), *data)
    assert done.returncode == 2
    assert done.stderr.startswith("vedette: ")
    assert (done.stderr.count("\n"), "Traceback" in done.stderr) == (1, False)
    assert [word for word in words if word not in done.stderr] == []


def test_format_whose_samples_do_not_hold_ends_with_status_one(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "name: x\ntitle: X\npatterns: '^a(?P<message>.*)$'\nsamples:\n  - line: b\n    columns: {message: b}\n"
    )
    done = run("formats", "test", file)
    assert done.returncode == 1
    assert "does not fit" in done.stderr
