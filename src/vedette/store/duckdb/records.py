"""Findings and positions as the JSON text the database keeps of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from vedette.model.findings import Evidence, Finding
from vedette.model.positions import Position
from vedette.model.severity import SeverityFactor


def finding_text(finding: Finding) -> str:
    """The finding, whole."""
    return json.dumps(asdict(finding), default=datetime.isoformat)


def finding_of(text: str) -> Finding:
    """The finding that `finding_text` wrote."""
    values: dict[str, Any] = json.loads(text)
    for name in ("first_seen", "last_seen", "found_at"):
        values[name] = datetime.fromisoformat(values[name])
    for name in ("event_ids", "actions", "tags", "sources"):
        values[name] = tuple(values[name])
    values["factors"] = tuple(SeverityFactor(**factor) for factor in values["factors"])
    values["evidence"] = tuple(Evidence(**evidence) for evidence in values["evidence"])
    return Finding(**values)


def position_text(position: Position) -> str:
    """The position, whole."""
    return json.dumps(asdict(position), default=datetime.isoformat)


def position_of(text: str) -> Position:
    """The position that `position_text` wrote."""
    values: dict[str, Any] = json.loads(text)
    return Position(**values | {"updated_at": datetime.fromisoformat(values["updated_at"])})
