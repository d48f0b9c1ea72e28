"""The manual stays true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_pages_made_from_the_code_are_current(repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def pages(root: Path) -> list[Path]:
    return [*root.glob("*.md"), *(root / "docs").rglob("*.md")]


def test_every_relative_link_leads_somewhere(repo_root: Path) -> None:
    dead = [
        f"{page.relative_to(repo_root)}: {target}"
        for page in pages(repo_root)
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not dead


def test_modules_and_tests_named_by_the_coverage_page_exist(repo_root: Path) -> None:
    text = (repo_root / "docs/reference/coverage.md").read_text("utf-8")
    named = re.findall(r"`([\w./*-]+)`", text)
    roots = (repo_root, repo_root / "src/vedette")
    paths = [name for name in named if "/" in name and "*" not in name]
    missing = [name for name in paths if not any((root / name).exists() for root in roots)]
    assert paths
    assert not missing


@pytest.mark.parametrize(
    "page",
    ["README.md", "docs/tutorial/first-ten-minutes.md", "docs/how-to/watch-files.md", "docs/how-to/learn-a-format.md"],
)
def test_commands_in_the_manual_exist(repo_root: Path, page: str) -> None:
    from typer.main import get_command

    from vedette.cli.main import app

    known = set(getattr(get_command(app), "commands", {}))
    text = (repo_root / page).read_text("utf-8")
    used = set(re.findall(r"^(?:\.venv/bin/)?vedette ([a-z]+)", text, re.MULTILINE))
    assert used <= known
