"""Rules are read from folders, files and zip files; a rule that is not right disables only itself and says where and why."""

from __future__ import annotations

import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from subprocess import run
from textwrap import dedent

import pytest

from support.sigma_events import rules_in
from vedette.detection.sigma.loading import load_rules, merged
from vedette.detection.sigma.rules import CorrelationRule, CorrelationType, LogSource, RuleProblem

GOOD = """
title: Whoami
id: 0d3e1c57-4b5f-4a3f-8e0d-000000000001
name: whoami
status: test
description: Somebody asks who he is.
references: [https://example.org/whoami]
author: Anna
date: 2026-01-02
tags: [attack.discovery, attack.t1033]
logsource: {product: Windows, category: process_creation}
detection:
  sel:
    CommandLine|contains: whoami
  condition: sel
fields: [CommandLine, User]
falsepositives: [Administrators]
actions: [Ask the user.]
level: high
"""
CORRELATION = """
title: Many whoami
id: 0d3e1c57-4b5f-4a3f-8e0d-0000000000c1
correlation:
  type: event_count
  rules: [whoami]
  group-by: [User, src]
  timespan: 5m
  aliases:
    src: {whoami: SourceIp}
  condition: {gte: 10, lt: 100}
level: critical
"""


def document(detection: str, **others: str) -> str:
    head = "".join(f"{key}: {value}\n" for key, value in {"title": "Bad", **others}.items())
    body = dedent(detection).strip("\n").replace("\n", "\n  ")
    return f"{head}logsource: {{product: windows, category: process_creation}}\ndetection:\n  {body}\n"


def test_a_rule_says_all_of_itself(tmp_path: Path) -> None:
    read = rules_in(tmp_path, GOOD)
    (rule,) = read.detections
    assert not read.problems
    assert (rule.id, rule.title, rule.level, rule.status) == (
        "0d3e1c57-4b5f-4a3f-8e0d-000000000001",
        "Whoami",
        "high",
        "test",
    )
    assert (rule.author, rule.date, rule.name, rule.pack) == ("Anna", "2026-01-02", "whoami", "test")
    assert rule.tags == ("attack.discovery", "attack.t1033")
    assert (rule.false_positives, rule.actions, rule.shown_fields) == (
        ("Administrators",),
        ("Ask the user.",),
        ("CommandLine", "User"),
    )
    assert rule.logsource == LogSource("windows", "process_creation")
    assert (rule.path, rule.line) == (str(tmp_path / "rules.yml"), 1)
    assert rule.source_text.startswith("title: Whoami")


def test_correlations_refer_by_name_or_id(tmp_path: Path) -> None:
    over = (
        CORRELATION.replace("c1", "c2")
        .replace("[whoami]", "[0d3e1c57-4b5f-4a3f-8e0d-0000000000c1]")
        .replace("Many", "Very many")
    )
    read = rules_in(tmp_path, CORRELATION, GOOD, over)
    assert not read.problems
    first, second = read.correlations
    assert first.rules == ("0d3e1c57-4b5f-4a3f-8e0d-000000000001",)
    assert (first.type, first.timespan, first.group_by) == (
        CorrelationType.EVENT_COUNT,
        timedelta(minutes=5),
        ("User", "src"),
    )
    assert sorted(first.conditions) == [("gte", 10), ("lt", 100)]
    assert first.aliases == {"src": {"0d3e1c57-4b5f-4a3f-8e0d-000000000001": "SourceIp"}}
    assert second.rules == (first.id,)


def test_correlations_may_refer_to_another_pack(tmp_path: Path) -> None:
    base = rules_in(tmp_path, GOOD)
    (tmp_path / "mine.yml").write_text(CORRELATION, "utf-8")
    assert load_rules([tmp_path / "mine.yml"], pack="mine").problems
    assert load_rules([tmp_path / "mine.yml"], pack="mine", known=base.rules).correlations


BAD: dict[str, tuple[str, int, str]] = {
    "broken YAML": ("title: x\ndetection:\n  sel: [a, b\n  condition: sel\n", 4, "YAML is broken"),
    "unclosed quote": ('title: "x\nlogsource: y\n', 3, "YAML is broken"),
    "no mapping": ("- a\n- b\n", 1, "no mapping"),
    "unknown modifier": (document("sel:\n  CommandLine|contians: x\ncondition: sel"), 5, "'contians'"),
    "unknown selection": (document("sel:\n  A: x\ncondition: sel and filter"), 6, "'filter'"),
    "condition with an open parenthesis": (document("sel:\n  A: x\ncondition: (sel"), 6, "parenthesis"),
    "condition that ends too soon": (document("sel:\n  A: x\ncondition: sel and"), 6, "ends"),
    "condition of two names": (document("sel:\n  A: x\ncondition: sel sel"), 6, "not expected"),
    "pattern that fits nothing": (document("sel:\n  A: x\ncondition: 1 of other*"), 6, "fits no name"),
    "aggregation": (document("sel:\n  A: x\ncondition: sel | count() > 5"), 6, "pipe"),
    "deep condition": (document("sel:\n  A: x\ncondition: " + "(" * 90 + "sel" + ")" * 90), 6, "deep"),
    "no condition": (document("sel:\n  A: x"), 3, "no `condition`"),
    "no detection": ("title: x\nlogsource: {product: windows}\n", 1, "no `detection`"),
    "empty detection": ("title: x\nlogsource: {product: windows}\ndetection: {}\n", 3, "no `detection`"),
    "no logsource": ("title: x\ndetection:\n  sel: {A: x}\n  condition: sel\n", 1, "`logsource`"),
    "empty logsource": ("title: x\nlogsource: {definition: y}\ndetection:\n  sel: {A: x}\n  condition: sel\n", 2, "logsource"),
    "look-ahead": (document("sel:\n  A|re: 'a(?=b)'\ncondition: sel"), 5, "looks ahead"),
    "look-behind": (document("sel:\n  A|re: '(?<!b)a'\ncondition: sel"), 5, "looks ahead or behind"),
    "back reference": (document("sel:\n  A|re: '(a+)x\\1'\ncondition: sel"), 5, "refers back"),
    "invalid expression": (document("sel:\n  A|re: 'a('\ncondition: sel"), 5, "invalid"),
    "huge expression": (document("sel:\n  A|re: '((a{900}){900}){900}'\ncondition: sel"), 5, "regular expression"),
    "invalid network": (document("sel:\n  A|cidr: 10.0.0.0/99\ncondition: sel"), 5, "CIDR"),
    "number compared with a text": (document("sel:\n  A|lt: x\ncondition: sel"), 5, "cannot be used"),
    "nested values": (document("sel:\n  A: {b: c}\ncondition: sel"), 5, "nested"),
    "deep nesting": (document("sel: " + "[" * 60 + "]" * 60 + "\ncondition: sel"), 1, "deep"),
    "very deep nesting": ("title: x\ndetection: " + "[" * 100_000 + "\n", 1, "deep"),
    "deep in blocks": ("title: x\ndetection:\n  " + "- " * 5_000 + "x\n", 1, "deep"),
    "alias bomb": (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
        + document("sel:\n  A: *a8\ncondition: sel"),
        1,
        "expand",
    ),
    "many aliases": ("a: &a x\nb: [" + ", ".join(["*a"] * 500) + "]\n", 1, "refers to its own parts"),
    "windash of windash": (document("sel:\n  A|windash|windash|contains: '-a -b -c'\ncondition: sel"), 5, "more than once"),
    "too many dashes": (document("sel:\n  A|windash|contains: ' -a -b -c -d '\ncondition: sel"), 5, "three dash"),
    "too many values": (document("sel:\n  A: [" + "x, " * 25_000 + "x]\ncondition: sel"), 1, "values"),
    "long value": (document("sel:\n  A: " + "x" * 40_000 + "\ncondition: sel"), 5, "40000 characters"),
    "multiplied condition": (
        document("sel:\n  A: [" + ", ".join("x" * 3 for _ in range(900)) + "]\ncondition: " + " or ".join(["1 of sel*"] * 90)),
        6,
        "more than 20000",
    ),
    "unknown reference": (CORRELATION.replace("[whoami]", "[nobody]"), 5, "'nobody'"),
    "correlation of an unknown type": (CORRELATION.replace("event_count", "guess"), 4, "'guess'"),
    "correlation without a timespan": (CORRELATION.replace("timespan: 5m", "timespan: soon"), 7, "'soon'"),
    "correlation without a number": (CORRELATION.replace("{gte: 10, lt: 100}", "{}"), 10, "no number"),
    "correlation that counts values of no field": (CORRELATION.replace("event_count", "value_count"), 10, "field"),
    "not UTF-8": ("", 2, "UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_rule_disables_only_itself(tmp_path: Path, fault: str) -> None:
    text, line, reason = BAD[fault]
    (tmp_path / "a.yml").write_text(GOOD.strip("\n"), "utf-8")
    if fault == "not UTF-8":
        (tmp_path / "bad.yml").write_bytes(b"title: x\nauthor: \xff\xfe\n")
    else:
        (tmp_path / "bad.yml").write_text(text.lstrip("\n"), "utf-8")
    (tmp_path / "z.yml").write_text(GOOD.replace("000001", "000002").replace("name: whoami", "name: other"), "utf-8")
    began = time.monotonic()
    read = load_rules([tmp_path], pack="test")
    assert time.monotonic() - began < 10
    assert [rule.id[-6:] for rule in read.detections] == ["000001", "000002"]
    (problem,) = read.problems
    assert reason in problem.reason
    assert problem.remedy
    assert (Path(problem.path).name, problem.line) == ("bad.yml", line), str(problem)


def test_a_bad_document_spares_its_neighbours_in_the_file(tmp_path: Path) -> None:
    broken = "title: Bad\nlogsource: [\n"
    read = rules_in(tmp_path, GOOD, broken, GOOD.replace("000001", "000002"))
    assert len(read.detections) == 2
    (problem,) = read.problems
    assert problem.line > GOOD.count("\n")
    assert read.detections[1].line > problem.line


def test_of_two_rules_with_an_id_the_first_counts(tmp_path: Path) -> None:
    read = rules_in(tmp_path, GOOD, GOOD.replace("title: Whoami", "title: Again"))
    assert [rule.title for rule in read.detections] == ["Whoami"]
    (problem,) = read.problems
    assert "already used by 'Whoami'" in problem.reason
    assert problem.line == GOOD.count("\n") + 3


def test_a_cycle_disables_those_in_it_and_those_that_need_them(tmp_path: Path) -> None:
    def correlation(name: str, rules: str) -> str:
        return f"title: {name}\nid: {name}\ncorrelation: {{type: event_count, rules: [{rules}], timespan: 1m, condition: {{gte: 2}}}}"

    read = rules_in(
        tmp_path,
        GOOD,
        correlation("a", "b"),
        correlation("b", "a"),
        correlation("c", "a"),
        correlation("d", "whoami"),
        correlation("e", "e"),
    )
    assert [rule.id for rule in read.correlations] == ["d"]
    reasons = {problem.rule_id: problem.reason for problem in read.problems}
    assert "refers to itself: a → b → a" in reasons["a"]
    assert "refers to itself: b → a → b" in reasons["b"]
    assert "'a', which cannot be used" in reasons["c"]
    assert "refers to itself: e → e" in reasons["e"]
    assert all(problem.line and problem.remedy for problem in read.problems)


def test_a_correlation_over_a_bad_rule_falls_with_it(tmp_path: Path) -> None:
    read = rules_in(tmp_path, GOOD.replace("contains", "contians"), CORRELATION)
    assert not read.rules
    assert len(read.problems) == 2


def test_placeholders_keep_the_rule_and_are_named(tmp_path: Path) -> None:
    read = rules_in(tmp_path, document("sel:\n  User|expand: '%admins%'\nother:\n  A: x\ncondition: sel or other"))
    assert len(read.detections) == 1
    assert "%admins%" in read.problems[0].reason
    assert read.problems[0].rule_id == read.detections[0].id


def test_a_rule_without_an_id_has_a_stable_one(tmp_path: Path) -> None:
    text = document("sel:\n  A: x\ncondition: sel")
    first, again = rules_in(tmp_path, text), rules_in(tmp_path, text)
    other = load_rules([tmp_path / "rules.yml"], pack="other")
    assert first.detections[0].id == again.detections[0].id != other.detections[0].id
    assert not first.problems


def test_a_wrong_level_and_a_missing_title_are_named_but_harmless(tmp_path: Path) -> None:
    read = rules_in(tmp_path, GOOD.replace("level: high", "level: terrible").replace("title: Whoami", "x: y"))
    assert (read.detections[0].level, read.detections[0].title) == ("medium", "rules")
    assert {problem.reason.split()[1] for problem in read.problems} == {"level", "rule"}


def test_folders_and_zip_files_are_read_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    (folder / "b").mkdir(parents=True)
    names = ["b/two.yaml", "a.yml", "c.YML"]
    for number, name in enumerate(names):
        (folder / name).write_text(GOOD.replace("000001", f"00001{number}"), "utf-8")
    (folder / "a.test.yml").write_text("hits: []\n", "utf-8")
    (folder / "README.md").write_text("no rule", "utf-8")
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    from_folder, from_zip = (load_rules([tmp_path / name], pack="p") for name in ("pack", "pack.zip"))
    assert not (*from_folder.problems, *from_zip.problems)
    assert [rule.id[-6:] for rule in from_folder.detections] == ["000011", "000010", "000012"]
    assert [rule.id for rule in from_zip.detections] == [rule.id for rule in from_folder.detections]
    assert from_zip.detections[0].path == f"{tmp_path / 'pack.zip'}/a.yml"


@pytest.mark.parametrize("name", ["nothing.yml", "broken.zip"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 nothing more")
    (problem,) = load_rules([tmp_path / name], pack="test").problems
    assert problem.remedy


def test_filters_narrow_the_rules_they_name(tmp_path: Path) -> None:
    narrowing = """
    title: Not the administrators
    logsource: {product: windows}
    filter:
      rules: [whoami, nobody]
      admins: {User: root}
      condition: not admins
    """
    read = rules_in(tmp_path, GOOD, GOOD.replace("000001", "000002").replace("name: whoami", "name: other"), narrowing)
    plain = rules_in(tmp_path, GOOD).detections[0]
    assert read.detections[0].condition != plain.condition
    assert read.detections[1].condition == plain.condition
    assert "'nobody'" in read.problems[0].reason


def test_global_documents_are_part_of_those_that_follow(tmp_path: Path) -> None:
    shared = "action: global\ntitle: Shared\nlevel: low\ndetection:\n  condition: sel\n"
    parts = [
        f"logsource: {{product: windows, service: {name}}}\ndetection:\n  sel: {{EventID: 1}}\n"
        for name in ("system", "security")
    ]
    read = rules_in(tmp_path, shared, *parts)
    assert [rule.logsource.service for rule in read.detections] == ["system"]
    assert "already used" in read.problems[0].reason


def test_packs_are_merged_and_the_earlier_one_counts(tmp_path: Path) -> None:
    first = rules_in(tmp_path, GOOD)
    same = load_rules([tmp_path / "rules.yml"], pack="copy")
    other = rules_in(tmp_path, GOOD.replace("title: Whoami", "title: Mine"))
    both = merged([first, same, other])
    assert [rule.title for rule in both.detections] == ["Whoami"]
    (problem,) = both.problems
    assert "already used by 'Whoami' of the pack 'test'" in problem.reason
    assert isinstance(problem, RuleProblem)


def test_importing_vedette_does_not_import_pysigma() -> None:
    code = "import sys, vedette.cli, vedette.detection.sigma.loading; sys.exit('sigma.rule' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.shared
def test_all_rules_of_sigmahq_load(shared_data: Path) -> None:
    read = load_rules([shared_data / "sigma"], pack="sigmahq")
    assert len(read.detections) + sum(isinstance(one, CorrelationRule) for one in read.correlations) >= 3_754
    assert {problem.rule_id != "" and "placeholder" in problem.reason for problem in read.problems} <= {True}
