"""What a path holds, and which logs a machine has."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from vedette.sources import LogSourceConfig, discover, preview_file, preview_source
from vedette.sources.files.patterns import expand, wants


def tree(folder: Path) -> Path:
    for name in ("app.log", "app.log.1", "app.log.2.gz", "nginx/access.log", "deep/er/x.log", "wtmp", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"first line of {name}\nsecond\n")
    return folder


def found(*paths: Path, recursive: bool = False, include: str = "*") -> list[str]:
    config = LogSourceConfig(paths=tuple(map(str, paths)), recursive=recursive, include=(include,))
    expansion = expand(config.paths, recursive=recursive, include=config.include, exclude=config.exclude)
    for file in expansion.files:
        assert wants(file, config.paths, recursive=recursive, include=config.include, exclude=config.exclude)
    return [Path(file).name for file in expansion.files]


def test_folders_give_their_text_files_and_those_below_when_asked(tmp_path: Path) -> None:
    tree(tmp_path)
    assert found(tmp_path) == ["app.log", "app.log.1", "notes.txt"]
    assert sorted(found(tmp_path, recursive=True)) == ["access.log", "app.log", "app.log.1", "notes.txt", "x.log"]
    assert found(tmp_path, recursive=True, include="*.log") == ["app.log", "x.log", "access.log"]
    assert found(tmp_path / "*.log", tmp_path / "*" / "*.log") == ["app.log", "access.log"]
    assert found(tmp_path / "app.log.2.gz") == ["app.log.2.gz"]


def test_links_lead_to_files_but_not_around_in_circles(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "linked.log").symlink_to(tmp_path / "app.log")
    names = found(tmp_path, recursive=True)
    assert names.count("x.log") == 1
    assert "linked.log" in names


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing", None, "does not exist"),
        ("program", b"\x7fELF\2\1\1", "a program, not text"),
        ("packed", gzip.compress(b"x", mtime=0), "gzip data, not text"),
        ("noise", bytes(range(32)) * 40, "binary data, not text"),
    ],
)
def test_a_file_that_cannot_be_followed_says_why(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert words in preview_file(str(tmp_path / name)).problem


def test_a_preview_shows_the_first_lines_in_any_encoding(tmp_path: Path) -> None:
    (tmp_path / "wide.log").write_bytes("eins\r\nzwei\r\n".encode("utf-16"))
    preview = preview_file(str(tmp_path / "wide.log"))
    assert (preview.lines, preview.encoding, preview.problem) == (("eins", "zwei"), "utf-16-le", "")
    (tmp_path / "packed.log.gz").write_bytes(gzip.compress(b"one\ntwo\n", mtime=0))
    assert preview_file(str(tmp_path / "packed.log.gz")).lines == ("one", "two")


def test_a_preview_of_a_source_counts_what_matches(tmp_path: Path) -> None:
    preview = preview_source(LogSourceConfig(paths=(str(tree(tmp_path)),)), most_files=1)
    assert (preview.matches, len(preview.files), preview.problems, preview.is_usable) == (3, 1, (), True)
    nothing = preview_source(LogSourceConfig(paths=(str(tmp_path / "*.lgo"),)))
    assert not nothing.is_usable
    assert "matches no file" in nothing.problems[0]


def test_discovery_finds_live_text_logs_and_says_what_it_left_out(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "core").write_bytes(b"\x7fELF\2\1\1")
    discovery = discover([str(tmp_path), str(tmp_path / "not there")])
    assert sorted(source.name for source in discovery.sources) == [
        "app.log",
        "deep/er/x.log",
        "nginx/access.log",
        "notes.txt",
    ]
    assert "rotated file" in discovery.skipped[str(tmp_path / "app.log.1")]
    assert "a program" in discovery.skipped[str(tmp_path / "core")]
