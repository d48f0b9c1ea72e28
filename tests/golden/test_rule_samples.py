"""Every shipped rule carries logs in which it must find something, and logs in which it must not."""

from __future__ import annotations

import functools
import re
from collections import Counter
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from vedette.app.rule_samples import read_samples, try_samples
from vedette.detection.sigma.loading import load_rules
from vedette.formats import FormatLibrary, load_library

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FOLDER = Path(str(resources.files("vedette") / "content" / "rules"))
FILES = sorted(path for path in FOLDER.rglob("*.yml") if not path.name.endswith(".test.yml"))
LEVELS = ("informational", "low", "medium", "high", "critical")
TACTICS = (
    "reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation",
    "defense-evasion", "credential-access", "discovery", "lateral-movement", "collection", "command-and-control",
    "exfiltration", "impact",
)  # fmt: skip
TAG = re.compile(r"attack\.(?:t\d{4}(?:\.\d{3})?|[gs]\d{4}|" + "|".join(TACTICS) + r")|cve\.\d{4}[.-]\d{4,}")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def samples_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.test.yml")


def documents_of(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def counted_rules(documents: list[dict[str, Any]]) -> set[str]:
    """Names and ids of rules that make findings only through the correlations of their file."""
    silent = {document["id"] for document in documents if document.get("vedette", {}).get("silent")}
    return silent | {
        name
        for document in documents
        if "correlation" in document and not document["correlation"].get("generate")
        for name in document["correlation"]["rules"]
    }


@functools.cache
def formats() -> FormatLibrary:
    return load_library()


@pytest.mark.parametrize("path", [pytest.param(path, id=name_of(path)) for path in FILES])
def test_rule_finds_its_hits_and_nothing_in_its_misses(path: Path) -> None:
    (tried,) = try_samples([(path, samples_path(path))], formats(), NOW)
    assert [str(problem) for problem in tried.problems] == []
    assert list(tried.unfound) == [], "nothing was found in a log that must hit"
    assert list(tried.mistaken) == [], "something was found in a log that must not hit"


@pytest.mark.parametrize("path", [pytest.param(path, id=name_of(path)) for path in FILES])
def test_rule_says_all_that_a_reader_needs(path: Path) -> None:
    documents = documents_of(path)
    counted = counted_rules(documents)
    for document in documents:
        assert {"title", "id", "status", "description", "author", "date", "level"} <= document.keys()
        assert UUID4.fullmatch(document["id"]), f"{document['id']} is no uuid4"
        assert document["level"] in LEVELS
        assert len(document["title"]) <= 110
        assert ("logsource" in document and "detection" in document) or "correlation" in document
        if counted & {document.get("name"), document["id"]}:
            continue
        assert document["tags"]
        for tag in document["tags"]:
            assert TAG.fullmatch(tag), f"{tag} is no tag of ATT&CK"
        assert all(isinstance(text, str) and text for text in document["falsepositives"])
        assert 2 <= len(document["actions"]) <= 4
        assert all(isinstance(text, str) and text for text in document["actions"])
    samples = read_samples(samples_path(path))
    assert len(set(samples.hits)) >= 2
    assert len(set(samples.misses)) >= 2


def test_ids_and_names_are_used_once() -> None:
    documents = [document for path in FILES for document in documents_of(path)]
    for key in ("id", "name"):
        values = Counter(document[key] for document in documents if key in document)
        assert [value for value, count in values.items() if count > 1] == []


def test_every_samples_file_belongs_to_a_rule() -> None:
    assert {samples_path(path) for path in FILES} == set(FOLDER.rglob("*.test.yml"))


def test_the_whole_pack_loads() -> None:
    rules = load_rules([FOLDER], pack="vedette")
    assert [str(problem) for problem in rules.problems] == []
    assert len(FILES) >= 150
