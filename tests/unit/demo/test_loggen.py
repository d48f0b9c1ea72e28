"""The generator of the benchmarks: exact, repeatable, of the kind asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.loggen import Kind, generate


def test_a_seed_always_gives_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, 3_000, seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


@pytest.mark.parametrize("lines", [0, 1, 49, 50, 51, 10_001])
def test_the_number_of_lines_and_bytes_is_exact(tmp_path: Path, lines: int) -> None:
    size = generate(tmp_path / "log", lines, 1)
    content = (tmp_path / "log").read_bytes()
    assert content.count(b"\n") == lines
    assert len(content) == size


@pytest.mark.parametrize(
    ("kind", "sign"),
    [("auth", "bastion"), ("web", "HTTP/1.1"), ("json", '"trace_id"'), ("kernel", "UFW BLOCK")],
)
def test_a_kind_holds_only_its_own_lines(tmp_path: Path, kind: Kind, sign: str) -> None:
    generate(tmp_path / "log", 500, 1, kind)
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(sign in line for line in lines)
    assert len(set(lines)) > 300
    if kind == "json":
        assert all(json.loads(line) for line in lines)
