"""What tests of the books in the configuration database begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from support.events import SettableClock
from vedette.configdb import open_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(tmp_path / "config.sqlite")
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()
