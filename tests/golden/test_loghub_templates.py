"""Templates of real logs of eight systems, compared with those people found in them.

Grouping accuracy (Zhu et al., ICSE-SEIP 2019): the share of messages whose group has exactly the members it should.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from golden.test_loghub_columns import COLUMNS, read_lines, read_structured
from support.entries import batch_of
from vedette.formats import FormatEngine, load_library

pytestmark = pytest.mark.shared

REFERENCE = datetime(2026, 11, 24, tzinfo=UTC)


def grouping_accuracy(found: Sequence[str | None], right: Sequence[str]) -> float:
    groups: defaultdict[str | None, set[int]] = defaultdict(set)
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for row, (group, name) in enumerate(zip(found, right, strict=True)):
        groups[group].add(row)
        wanted[name].add(row)
    return sum(len(rows) for rows in wanted.values() if groups[found[min(rows)]] == rows) / len(right)


def accuracy(shared_data: Path, system: str, *, lines_per_batch: int) -> float:
    """Of the templates the events have once all lines were read."""
    folder = shared_data / "loghub" / system
    lines = read_lines(folder / f"{system}_2k.log")
    engine = FormatEngine(load_library())
    ids: list[str] = []
    for start in range(0, len(lines), lines_per_batch):
        batch = batch_of(lines[start : start + lines_per_batch], source=system, reference_time=REFERENCE)
        ids += engine.decode([batch])["template.id"].to_list()
    found = [template.id if (template := engine.templates.template(one)) else None for one in ids]
    return grouping_accuracy(
        found, [row["EventId"] for row in read_structured(folder / f"{system}_2k.log_structured.csv")]
    )


@pytest.mark.parametrize("lines_per_batch", [2_000, 500])
def test_grouping_accuracy_is_high_for_every_system(shared_data: Path, lines_per_batch: int) -> None:
    accuracies = {system: accuracy(shared_data, system, lines_per_batch=lines_per_batch) for system in COLUMNS}
    assert min(accuracies.values()) >= 0.9, accuracies
    assert sum(accuracies.values()) / len(accuracies) >= 0.98, accuracies
