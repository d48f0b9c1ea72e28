"""Settings: file, environment, flags, and one sentence for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette.model.errors import SettingsError
from vedette.settings import Settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VEDETTE_PORT", "VEDETTE_DATA_DIR", "VEDETTE_STORE__THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_defaults(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path)
    assert (settings.host, settings.port) == ("127.0.0.1", 8700)


def test_the_file_is_read_from_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "vedette.toml").write_text("port = 9001\n[store]\nthreads = 3\n[monitoring]\npoll_interval = 2\n")
    settings = Settings.load(data_dir=tmp_path)
    assert (settings.port, settings.store.threads, settings.monitoring) == (9001, 3, {"poll_interval": 2})


def test_variables_win_over_the_file_and_flags_over_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vedette.toml").write_text("port = 9001\n[store]\nthreads = 3\n")
    monkeypatch.setenv("VEDETTE_PORT", "9002")
    monkeypatch.setenv("VEDETTE_STORE__THREADS", "4")
    assert Settings.load(data_dir=tmp_path).port == 9002
    assert Settings.load(data_dir=tmp_path).store.threads == 4
    assert Settings.load(data_dir=tmp_path, port=9003).port == 9003


def test_the_data_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDETTE_DATA_DIR", str(tmp_path))
    (tmp_path / "vedette.toml").write_text("port = 9001\n")
    settings = Settings.load()
    assert (settings.data_dir, settings.port) == (tmp_path, 9001)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("port = 'http'", ["port", "'http'"]),
        ("port = 70000", ["port", "70000", "65535"]),
        ("prt = 9000", ["prt", "no setting"]),
        ("host = '0.0.0.0'", ["host", "0.0.0.0", "loopback"]),
        ("port = ", ["vedette.toml", "TOML"]),
        ("[store]\nthreads = 0", ["store.threads", "0"]),
        ("data_dir = '/elsewhere'", ["data_dir", "--data-dir"]),
    ],
)
def test_a_mistake_is_one_sentence_with_name_and_value(tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "vedette.toml").write_text(content)
    with pytest.raises(SettingsError) as caught:
        Settings.load(data_dir=tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text
