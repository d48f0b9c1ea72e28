"""A model beside a running Vedette: its advice is seen, its key is not."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from support.modelserver import Exchange, model_server
from support.process import Server, run, wait_until

KEY = "sk-never-to-be-seen-4711"


def hang(asked: Exchange) -> None:
    asked.server.release.wait(60)


def guesses(count: int) -> str:
    return "".join(
        f"Dec 10 06:55:{second:02} gate sshd[{100 + second}]: Failed password for root from 203.0.113.9 port 38926 ssh2\n"
        for second in range(count)
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    path.write_text(guesses(30))
    return path


def test_advice_is_seen_beside_the_finding_and_the_key_nowhere(tmp_path: Path, log: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with model_server(lambda asked: asked.advise("Somebody guesses")) as model:
        (data / "vedette.toml").write_text(
            f'[ai]\nenabled = true\nmodel = "tiny"\nbase_url = "{model.base_url}"\nmin_severity = 4\nsettle_seconds = 0.5\n'
        )
        environment = {"VEDETTE_AI__API_KEY": KEY}
        with Server([log], data, "--log-level", "debug", environment=environment) as server:

            def advised() -> list[dict[str, object]]:
                return [row for row in server.get("/findings")["rows"] if row["model_advice"]]

            row = wait_until(advised, what="a finding has advice")[0]
            told = [server.get(path) for path in ("/health", "/stats", "/findings", "/incidents", "/audit")]
            advice = row["model_advice"]
            assert isinstance(advice, dict)
            assert (advice["model"], advice["explanation"][0]["text"]) == ("tiny", "Somebody guesses")
            assert server.get(f"/events/{advice['explanation'][0]['event_ids'][0]}")["event.original"]
            assert server.part("model")["state"] == "ok"
            asked = httpx.post(f"{server.address}/api/v1/findings/{row['id']}/advice")
            assert (asked.status_code, asked.json()) == (202, {"state": "waiting"})
            question = server.get(f"/findings/{row['id']}/advice/question")
            assert "203.0.113.9" not in question["text"]
            doctor = run("doctor", "--data-dir", data)
            server.stop()
            output = server.output
        assert any(headers["authorization"] == f"Bearer {KEY}" for headers in model.headers)
    assert KEY not in output + str(told) + doctor.stdout + doctor.stderr
    for path in data.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_server_runs_and_ends_well_while_its_model_hangs(tmp_path: Path, log: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with model_server(hang) as model:
        (data / "vedette.toml").write_text(
            f'[ai]\nenabled = true\nmodel = "tiny"\nbase_url = "{model.base_url}"\nmin_severity = 1\nsettle_seconds = 0\n'
        )
        with Server([log], data) as server:
            wait_until(lambda: model.asked, what="the model is asked")
            with log.open("a") as file:
                file.write(guesses(10))
            server.wait_for_events(40)
            assert server.get("/health")["state"] == "ok"
            server.stop()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("enabled = true", "ai.model"),
        (f'api_key = "{KEY}"\nbase_url = "http://model.example/v1"', "https://"),
        (f'api_key = "{KEY}"\nmodle = "x"', "ai.modle"),
        (f'api_key = ["{KEY}"]', "ai.api_key"),
        (f'base_url = "https://me:{KEY}@model.example/v1"', "ai.base_url"),
        (f'enabled = true\nmodel = "m"\napi_key = "{KEY}"\napi_key_file = "/x"', "keep one"),
    ],
    ids=["no-model", "plain-http", "misspelt", "wrong-type", "login-in-address", "two-keys"],
)
def test_wrong_setting_is_one_sentence_without_the_key(tmp_path: Path, log: Path, setting: str, words: str) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "vedette.toml").write_text(f"[ai]\n{setting}\n")
    done = run("serve", log, "--data-dir", data, "--port", "0")
    assert done.returncode == 2
    assert words in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
