"""Which names belong to one log, and which is older."""

from __future__ import annotations

import pytest

from vedette.sources.files.rotation import age_key, rotated_name


@pytest.mark.parametrize(
    ("name", "root", "mark"),
    [
        ("app.log", "app.log", ""),
        ("app.log.1", "app.log", "1"),
        ("app.log.12.gz", "app.log", "12"),
        ("app.log-20260104", "app.log", "20260104"),
        ("app.log-20260104-1200.zst", "app.log", "20260104-1200"),
        ("app-2026-01-04.log", "app.log", "2026-01-04"),
        ("app.1.log", "app.log", "1"),
        ("app.log.old", "app.log", "old"),
        ("syslog", "syslog", ""),
        ("syslog.3.xz", "syslog", "3"),
        ("messages-1767484800", "messages", "1767484800"),
        ("kern.log", "kern.log", ""),
    ],
)
def test_rotation_marks_are_told_from_names(name: str, root: str, mark: str) -> None:
    taken = rotated_name(name)
    assert (taken.root, taken.mark) == (root, mark)
    assert taken.is_compressed == name.endswith((".gz", ".xz", ".zst"))


def test_higher_numbers_and_earlier_dates_are_older() -> None:
    names = ["a.log", "a.log.1", "a.log.2.gz", "a.log.10.gz"]
    assert sorted(names, key=lambda name: age_key(name, 0)) == [
        "a.log.10.gz",
        "a.log.2.gz",
        "a.log.1",
        "a.log",
    ]
    dated = ["a.log", "a.log-20260105", "a.log-20260104.gz"]
    assert sorted(dated, key=lambda name: age_key(name, 0)) == ["a.log-20260104.gz", "a.log-20260105", "a.log"]
