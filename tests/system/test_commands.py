"""The commands as people run them: real processes, their output and exit status."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from support.process import Server, run, stored_events, wait_until

LINES = [
    f"Nov 23 21:00:{number:02d} bastion sshd[{4000 + number}]: "
    f"Failed password for root from 203.0.113.77 port {50000 + number} ssh2"
    for number in range(30)
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    path.write_text("\n".join(LINES) + "\n")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def is_one_sentence(stderr: str) -> bool:
    return stderr.startswith("vedette: ") and stderr.count("\n") == 1 and "Traceback" not in stderr


@pytest.mark.parametrize(
    "command", [[], ["serve"], ["import"], ["scan"], ["search"], ["sources"], ["formats"], ["doctor"]]
)
def test_every_command_has_help_with_examples(command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout


def test_import_stores_every_line_once_however_often_it_runs(log: Path, data: Path) -> None:
    assert run("import", log, "--data-dir", data).returncode == 0
    again = run("import", log, "--data-dir", data)
    assert "Nothing new" in again.stdout
    assert [event["event.original"] for event in stored_events(data)] == LINES


def test_import_goes_on_where_a_grown_file_ended(log: Path, data: Path) -> None:
    run("import", log, "--data-dir", data)
    with log.open("a") as file:
        file.write("Nov 23 21:01:00 bastion sshd[1]: Connection closed by 203.0.113.77 port 1\n")
    summary = json.loads(run("import", log, "--data-dir", data, "--output", "json").stdout)
    assert summary["events"] == 1
    assert len(stored_events(data)) == len(LINES) + 1


def test_import_reads_compressed_files(log: Path, data: Path) -> None:
    packed = log.with_suffix(".log.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    run("import", packed, "--data-dir", data)
    assert [event["event.original"] for event in stored_events(data)] == LINES


def test_what_was_imported_is_not_read_again_when_it_is_served(log: Path, data: Path) -> None:
    run("import", log, "--data-dir", data)
    with Server([log], data) as server:
        with log.open("a") as file:
            file.write("Nov 23 21:02:00 bastion sshd[1]: one more\n")
        server.wait_for_events(len(LINES) + 1)
        server.stop()
    assert len(stored_events(data)) == len(LINES) + 1


def test_search_gives_the_same_with_and_without_a_running_server(log: Path, data: Path) -> None:
    run("import", log, "--data-dir", data)
    query = ("search", "port:50003 OR source.port:50004", "--data-dir", data, "--output", "ndjson")
    without = run(*query).stdout
    assert len(without.splitlines()) == 1
    with Server([], data, "--demo"):
        assert run(*query).stdout == without
        everything = run("search", "process:sshd 203.0.113.77 host:bastion path:*auth.log", "--data-dir", data,
                         "--output", "ndjson", "--limit", "0")  # fmt: skip
        assert len(everything.stdout.splitlines()) >= len(LINES)


def test_search_prints_a_table_with_the_newest_first(log: Path, data: Path) -> None:
    run("import", log, "--data-dir", data)
    done = run("search", "severity>=3", "--data-dir", data, "--limit", "2")
    assert "50029" in done.stdout.splitlines()[1] + done.stdout.splitlines()[2]
    assert "2 events" in done.stderr


def test_search_keeps_control_characters_from_the_terminal(tmp_path: Path, data: Path) -> None:
    log = tmp_path / "evil.log"
    log.write_text("Nov 23 21:00:00 h app[1]: \x1b[2J\x1b]0;owned\x07 hello\n")
    run("import", log, "--data-dir", data)
    done = run("search", "", "--data-dir", data)
    assert "\x1b" not in done.stdout
    assert "hello" in done.stdout


def test_scan_says_with_its_status_that_it_found_danger(log: Path, tmp_path: Path) -> None:
    assert run("scan", log).returncode == 1
    calm = tmp_path / "calm.log"
    calm.write_text(LINES[0] + "\n")
    assert run("scan", calm).returncode == 0
    assert run("scan", log, "--no-default-rules").returncode == 0


def test_scan_prints_every_event_in_order_and_then_the_findings(log: Path) -> None:
    done = run("scan", log, "--output", "ndjson", "--reference-time", "2026-11-24T00:00:00Z")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    events = [row for row in rows if row["kind"] == "event"]
    findings = [row for row in rows if row["kind"] == "finding"]
    assert [event["event.original"] for event in events] == LINES
    assert events[0]["@timestamp"] == "2026-11-23T21:00:00.000000Z"
    assert rows[: len(events)] == events
    assert [finding["source.ip"] for finding in findings] == ["203.0.113.77"]
    assert findings[0]["rule.id"]
    assert findings[0]["evidence"]
    assert set(findings[0]["event.ids"]) <= {event["event.id"] for event in events}


def test_scan_reads_standard_input(log: Path) -> None:
    from support.process import vedette_argv

    done = subprocess.run(
        vedette_argv("scan", "-", "--output", "ndjson"), input=log.read_bytes(), capture_output=True, check=False
    )
    assert sum(b'"kind":"event"' in line for line in done.stdout.splitlines()) == len(LINES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--port", "abc"], ["abc", "--port"]),
        (["serve", "--prt", "1"], ["--prt", "--port"]),
        (["serve", "--host", "0.0.0.0"], ["0.0.0.0", "127.0.0.1"]),
        (["import", "/nowhere/x.log"], ["/nowhere/x.log", "does not exist"]),
        (["scan", "/nowhere/x.log"], ["/nowhere/x.log", "does not exist"]),
        (["scan", "/dev/null", "--format", "nope"], ["nope", "syslog-rfc3164"]),
        (["scan", "/dev/null", "--reference-time", "noon"], ["noon", "2026-"]),
        (["scan", "/dev/null", "--timezone", "Mars/Base"], ["Mars/Base", "IANA"]),
        (["search", ""], ["no events yet", "vedette serve"]),
        (["nope"], ["nope", "--help"]),
        (["sources", "disable", "zz"], ["zz", "vedette sources"]),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_and_status_2(
    arguments: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEDETTE_DATA_DIR", str(tmp_path / "data"))
    done = run(*arguments)
    assert done.returncode == 2
    assert is_one_sentence(done.stderr), done.stderr
    for word in words:
        assert word in done.stderr


def test_a_wrong_query_is_answered_with_its_place(log: Path, data: Path) -> None:
    run("import", log, "--data-dir", data)
    for serving in (False, True):
        if serving:
            with Server([], data, "--demo"):
                done = run("search", "sevrity:7", "--data-dir", data)
        else:
            done = run("search", "sevrity:7", "--data-dir", data)
        assert done.returncode == 2
        assert "severity" in done.stderr
        assert done.stderr.splitlines()[-1].strip() == "^"


def test_a_binary_file_is_refused_with_its_reason(tmp_path: Path, data: Path) -> None:
    binary = tmp_path / "x.log"
    binary.write_bytes(os.urandom(20_000))
    done = run("import", binary, "--data-dir", data)
    assert done.returncode == 2
    assert str(binary) in done.stderr
    assert "not text" in done.stderr


def test_an_empty_file_is_no_mistake(tmp_path: Path, data: Path) -> None:
    empty = tmp_path / "empty.log"
    empty.touch()
    done = run("import", empty, "--data-dir", data)
    assert done.returncode == 0
    assert "empty" in done.stdout


def test_a_folder_is_read_with_what_is_below_it(tmp_path: Path, data: Path) -> None:
    deep = tmp_path / "logs" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x.log").write_text(LINES[0] + "\n")
    (tmp_path / "logs" / "y.log").write_text(LINES[1] + "\n")
    run("import", tmp_path / "logs", "--data-dir", data)
    assert sorted(event["event.original"] for event in stored_events(data)) == LINES[:2]


def test_files_of_a_folder_that_are_no_text_are_left_out_in_one_sentence(tmp_path: Path, data: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.log").write_text(LINES[0] + "\n")
    for number in range(12):
        (logs / f"program-{number}").write_bytes(b"\x7fELF\2\1\1\0\0")
    done = run("import", logs, "--data-dir", data)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "12 files left out, not text" in done.stderr
    (logs / "a.log").unlink()
    assert run("import", logs, "--data-dir", data).returncode == 2


def test_a_source_that_does_not_exist_yet_is_added_and_said(tmp_path: Path, data: Path) -> None:
    done = run("sources", "add", tmp_path / "later.log", "--data-dir", data)
    assert done.returncode == 0
    assert "does not exist yet" in done.stderr


def test_sources_are_listed_added_disabled_and_removed_without_a_server(log: Path, data: Path) -> None:
    assert run("sources", "add", log, "--name", "doors", "--data-dir", data).returncode == 0
    assert "doors" in run("sources", "--data-dir", data).stdout
    run("sources", "disable", "doors", "--data-dir", data)
    assert "disabled" in run("sources", "--data-dir", data).stdout
    run("sources", "remove", "doors", "--data-dir", data)
    assert "No source is configured" in run("sources", "--data-dir", data).stdout


def test_a_source_added_while_the_server_runs_is_read_at_once_and_after_a_restart(
    log: Path, tmp_path: Path, data: Path
) -> None:
    other = tmp_path / "other.log"
    other.write_text("Nov 23 21:00:00 h app[1]: first\n")
    with Server([log], data) as server:
        server.wait_for_events(len(LINES))
        assert run("sources", "add", other, "--name", "other", "--data-dir", data).returncode == 0
        server.wait_for_events(len(LINES) + 1)
        assert run("sources", "disable", "other", "--data-dir", data).returncode == 0
        with other.open("a") as file:
            file.write("Nov 23 21:00:01 h app[1]: second\n")
        with log.open("a") as file:
            file.write("Nov 23 21:00:02 h app[1]: third\n")
        server.wait_for_events(len(LINES) + 2)
        assert run("sources", "enable", "other", "--data-dir", data).returncode == 0
        server.wait_for_events(len(LINES) + 3)
        server.stop()
        server.start_again()
        with other.open("a") as file:
            file.write("Nov 23 21:00:03 h app[1]: fourth\n")
        server.wait_for_events(len(LINES) + 4)
        server.stop()
    texts = [event["event.original"] for event in stored_events(data)]
    assert len(texts) == len(set(texts)) == len(LINES) + 4


def test_doctor_says_what_it_looked_at_and_finds_a_used_folder(log: Path, data: Path) -> None:
    done = run("doctor", "--data-dir", data)
    assert done.returncode == 0
    assert "data folder" in done.stdout
    with Server([log], data) as server:
        assert f"process {server.pid}" in run("doctor", "--data-dir", data).stdout


def test_doctor_fails_where_the_data_folder_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    done = run("doctor", "--data-dir", path)
    assert done.returncode == 1
    assert "no folder" in done.stdout


def test_a_second_process_on_the_same_data_folder_is_told_who_has_it(log: Path, data: Path) -> None:
    with Server([log], data) as server:
        done = run("import", log, "--data-dir", data)
        assert done.returncode == 2
        assert f"pid {server.pid}" in done.stderr
        assert server.address in done.stderr


def test_a_port_in_use_is_named(log: Path, data: Path, tmp_path: Path) -> None:
    with Server([log], data) as server:
        port = server.address.rpartition(":")[2]
        done = run("serve", log, "--port", port, "--data-dir", tmp_path / "other")
        assert done.returncode == 2
        assert port in done.stderr
        assert "--port" in done.stderr


def test_the_demonstration_shows_events_and_a_finding_by_itself(data: Path) -> None:
    with Server([], data, "--demo") as server:
        wait_until(lambda: server.events > 20, what="the demonstration writes events")
        wait_until(lambda: server.get("/findings")["rows"], what="a finding is made")
        finding = server.get("/findings")["rows"][0]
        assert finding["severity"] >= 7
        assert finding["entity"]["source.ip"] == "203.0.113.77"
        server.stop()
