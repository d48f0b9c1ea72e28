"""What the fault tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        yield world


@pytest.fixture
def thoroughness() -> int:
    """How many times over the randomised faults are repeated: `VEDETTE_FAULT_ROUNDS`, 1 by default."""
    return int(os.environ.get("VEDETTE_FAULT_ROUNDS", "1"))
