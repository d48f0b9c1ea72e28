"""What a person writes about a source is checked in one sentence."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from vedette.model.errors import SettingsError
from vedette.sources import LogSourceConfig, MonitoringConfig, source_config


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"paths": []}, ["paths", "empty", "name at least one"]),
        ({"paths": ["  "]}, ["paths[0]", "empty"]),
        ({"paths": ["/var/log/a", "/var/log/\0b"]}, ["paths[1]", "NUL"]),
        ({"paths": ["/a"], "timezone": "Europe/Berln"}, ["Europe/Berln", "IANA"]),
        ({"paths": ["/a"], "timezone": "../../etc/passwd"}, ["IANA"]),
        ({"paths": ["/a"], "encoding": "utf-9"}, ["utf-9", "latin-1"]),
        ({"paths": ["/a"], "encoding": "utf-7"}, ["utf-7", "line by line"]),
        ({"paths": ["/a"], "encoding": "cp037"}, ["cp037", "line by line"]),
        ({"paths": ["/a"], "priority": 11}, ["priority", "10", "11"]),
        ({"paths": ["/a"], "poll_interval": 0}, ["poll_interval"]),
        ({"paths": ["/a"], "start": "middle"}, ["start", "middle"]),
        ({"paths": ["/a"], "colour": "red"}, ["colour"]),
        ({"paths": ["/a"], "id": "Not A Slug"}, ["id", "Not A Slug"]),
    ],
)
def test_a_wrong_value_is_named_in_one_sentence(data: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        source_config(data)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_path_that_matches_nothing_is_no_error() -> None:
    assert source_config({"paths": ["/var/log/*.lgo"]}).paths == ("/var/log/*.lgo",)


def test_the_id_comes_from_name_and_paths_and_is_stable(tmp_path: Path) -> None:
    first = LogSourceConfig(paths=(str(tmp_path / "auth.log"),))
    assert first == LogSourceConfig(paths=(str(tmp_path / "auth.log"),))
    assert first.id.startswith("auth-log-")
    assert first.id != LogSourceConfig(paths=(str(tmp_path / "other" / "auth.log"),)).id


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert LogSourceConfig(paths=("app.log",)).paths == (str(tmp_path / "app.log"),)


def test_seconds_are_accepted_for_intervals() -> None:
    assert source_config({"paths": ["/a"], "poll_interval": 0.5}).poll_interval == timedelta(milliseconds=500)


def test_encodings_are_known_by_any_of_their_names() -> None:
    assert source_config({"paths": ["/a"], "encoding": "latin-1"}).encoding == "iso8859-1"
    assert source_config({"paths": ["/a"], "encoding": "UTF8"}).encoding == "utf-8"


def test_a_config_survives_its_own_json() -> None:
    config = LogSourceConfig(paths=("/a", "/b"), poll_interval=timedelta(seconds=2))
    assert LogSourceConfig.model_validate_json(config.model_dump_json()) == config


def test_two_sources_with_one_id_are_refused() -> None:
    source = LogSourceConfig(paths=("/a",))
    with pytest.raises(ValueError, match="used twice"):
        MonitoringConfig(sources=(source, source))
