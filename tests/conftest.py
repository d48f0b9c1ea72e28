"""Fixtures every kind of test shares."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout the tests run in."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data(repo_root: Path) -> Path:
    """The reference data beside the checkout; tests that ask for it are skipped where it is not."""
    folder = Path(os.environ.get("VEDETTE_SHARED_DATA", repo_root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"reference data is not at {folder}; set VEDETTE_SHARED_DATA to its folder")
    return folder


hypothesis.settings.register_profile("vedette", deadline=None)  # a slow machine fails no test
hypothesis.settings.load_profile("vedette")
