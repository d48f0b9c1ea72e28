"""What the fault tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def thoroughness() -> int:
    """How many times over the randomised faults are repeated: `VEDETTE_FAULT_ROUNDS`, 1 by default."""
    return int(os.environ.get("VEDETTE_FAULT_ROUNDS", "1"))
