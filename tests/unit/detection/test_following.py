"""Rules that change while batches are on their way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from vedette.detection.exclusions import Exclusion
from vedette.detection.following import CompiledRules, FollowingDetector
from vedette.detection.sigma.loading import load_rules
from vedette.model.events import EVENT_SCHEMA
from vedette.model.query import parse_query

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def compiled(folder: Path, *words: str) -> CompiledRules:
    """A rule a word, in this order."""
    folder.mkdir()
    for place, word in enumerate(words):
        (folder / f"{place}-{word}.yml").write_text(
            f"title: {word} was said\nid: {word}\nlogsource: {{category: authentication}}\ndetection:\n"
            f"  keywords: ['{word}']\n  condition: keywords\nlevel: high\n"
        )
    rules = load_rules([folder], pack="test")
    assert [rule.id for rule in rules.detections] == list(words), rules.problems
    return CompiledRules.of(rules)


def events(text: str) -> pl.DataFrame:
    row = dict.fromkeys(EVENT_SCHEMA) | {
        "@timestamp": NOW, "event.original": text, "message": text, "vedette.source": "auth",
        "vedette.generation": 1, "log.offset": 0, "event.severity": 1, "event.category": "authentication",
    }  # fmt: skip
    return pl.DataFrame([row], schema=EVENT_SCHEMA)


def test_a_batch_is_judged_by_the_rules_it_was_matched_with(tmp_path: Path) -> None:
    detector = FollowingDetector(compiled(tmp_path / "old", "apple", "cherry"))
    before = detector.prepare(events("a cherry"))
    detector.offer(compiled(tmp_path / "new", "banana", "apple"))
    after = detector.prepare(events("an apple"))
    assert [finding.rule_id for finding in before(NOW)] == ["cherry"]
    assert [finding.rule_id for finding in after(NOW)] == ["apple"]
    assert detector.inspect(events("a cherry"), NOW) == []
    assert [finding.rule_id for finding in detector.inspect(events("banana"), NOW)] == ["banana"]


def test_what_people_excepted_makes_no_finding(tmp_path: Path) -> None:
    detector = FollowingDetector(compiled(tmp_path / "rules", "apple"))
    detector.exclusions.use([Exclusion("apple", parse_query("an apple", now=NOW), NOW + timedelta(days=1))])
    assert detector.inspect(events("an apple"), NOW) == []
    detector.exclusions.use([])
    assert [finding.rule_id for finding in detector.inspect(events("an apple"), NOW)] == ["apple"]
