"""Packs are read, followed and joined; a broken file disables only itself."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.events import START, SettableClock
from vedette.app import rule_folders as folders_module
from vedette.app.rule_folders import RuleFolders
from vedette.app.rule_library import RuleLibrary, in_use
from vedette.configdb import RuleState
from vedette.model.errors import SettingsError

FAILED = "11111111-1111-4111-8111-111111111111"
MANY = "22222222-2222-4222-8222-222222222222"
ROOT = "33333333-3333-4333-8333-333333333333"


def rule(identifier: str, title: str = "A rule", *, user: str = "root", status: str = "stable") -> str:
    return (
        f"title: {title}\nid: {identifier}\nstatus: {status}\nlevel: high\nlogsource:\n  service: sshd\n"
        f"detection:\n  login:\n    user.name: {user}\n  condition: login\n"
    )


def correlation(identifier: str, *parts: str, kind: str = "event_count") -> str:
    condition = "  condition:\n    gte: 3\n" if kind == "event_count" else ""
    names = "".join(f"    - {part}\n" for part in parts)
    return (
        f"title: Many\nid: {identifier}\nlevel: high\ncorrelation:\n  type: {kind}\n  rules:\n{names}"
        f"  group-by:\n    - source.ip\n  timespan: 5m\n{condition}"
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def library(folder: Path, *extra: Path) -> RuleLibrary:
    made = RuleLibrary(RuleFolders(folder, extra, with_shipped=False), SettableClock())
    made.load()
    return made


def off(*ids: str) -> Mapping[str, RuleState]:
    return {name: RuleState(name, False, "", START, "anna") for name in ids}


def test_own_rules_packs_and_folders_of_the_settings_are_used_together(tmp_path: Path) -> None:
    data, extra = tmp_path / "data", tmp_path / "more"
    write(data / "rules/own/a.yml", rule(FAILED))
    write(data / "rules/pack/deep/b.yml", rule(ROOT))
    write(extra / "c.yml", rule(MANY))
    made = library(data, extra)
    assert {(one.id, one.pack) for one in made.rules.rules} == {(FAILED, "own"), (ROOT, "pack"), (MANY, "more")}
    assert made.rules.problems == ()


def test_files_are_followed_and_only_changed_packs_are_read_again(tmp_path: Path) -> None:
    write(tmp_path / "rules/own/a.yml", rule(FAILED))
    write(tmp_path / "rules/pack/b.yml", rule(ROOT))
    made = library(tmp_path)
    untouched = made.packs[1]
    assert not made.load()
    write(tmp_path / "rules/own/a.yml", rule(FAILED, "Another title"))
    assert made.load()
    changed = made.get(FAILED)
    assert changed is not None
    assert changed.title == "Another title"
    assert made.packs[1] is untouched
    (tmp_path / "rules/own/a.yml").unlink()
    assert made.load()
    assert [one.id for one in made.rules.rules] == [ROOT]


def test_broken_file_keeps_the_other_rules_and_is_listed_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "rules/own/a.yml", rule(FAILED))
    write(tmp_path / "rules/own/b.yml", "title: x\nlogsource:\n  service: sshd\ndetection:\n  a: [\n")
    made = library(tmp_path)
    assert [one.id for one in made.rules.rules] == [FAILED]
    (problem,) = made.rules.problems
    assert problem.path.endswith("b.yml")
    assert problem.line > 0
    assert problem.remedy


def test_own_rule_takes_the_place_of_one_with_its_id_without_complaint(tmp_path: Path) -> None:
    write(tmp_path / "rules/own/a.yml", rule(FAILED, "Mine", user="backup"))
    write(tmp_path / "rules/pack/b.yml", rule(FAILED, "Theirs"))
    made = library(tmp_path)
    assert [(one.title, one.pack) for one in made.rules.rules] == [("Mine", "own")]
    assert made.rules.problems == ()


def test_id_used_in_two_packs_is_a_problem_of_one(tmp_path: Path) -> None:
    write(tmp_path / "rules/a/a.yml", rule(FAILED, "First"))
    write(tmp_path / "rules/b/b.yml", rule(FAILED, "Second"))
    made = library(tmp_path)
    assert [one.title for one in made.rules.rules] == ["First"]
    (problem,) = made.rules.problems
    assert problem.path.endswith("b.yml")


def test_own_correlation_joins_rules_of_a_pack(tmp_path: Path) -> None:
    write(tmp_path / "rules/pack/a.yml", rule(FAILED))
    write(tmp_path / "rules/own/b.yml", correlation(MANY, FAILED))
    made = library(tmp_path)
    assert [one.rules for one in made.rules.correlations] == [(FAILED,)]


def test_folder_of_the_settings_that_is_not_there_is_told(tmp_path: Path) -> None:
    made = library(tmp_path, tmp_path / "nowhere")
    (problem,) = made.rules.problems
    assert problem.path == str(tmp_path / "nowhere")


def test_switched_off_correlation_lets_its_parts_rest(tmp_path: Path) -> None:
    write(tmp_path / "rules/own/a.yml", rule(FAILED))
    write(tmp_path / "rules/own/b.yml", correlation(MANY, FAILED))
    rules = library(tmp_path).rules
    assert {one.id for one in in_use(rules, {}).rules} == {FAILED, MANY}
    assert in_use(rules, off(MANY)).rules == ()
    asked = {**off(MANY), FAILED: RuleState(FAILED, True, "", START, "anna")}
    assert [one.id for one in in_use(rules, asked).rules] == [FAILED]


def test_correlation_goes_on_with_the_parts_that_are_left_and_a_sequence_only_with_all(tmp_path: Path) -> None:
    write(tmp_path / "rules/own/a.yml", rule(FAILED))
    write(tmp_path / "rules/own/b.yml", rule(ROOT))
    write(tmp_path / "rules/own/c.yml", correlation(MANY, FAILED, ROOT))
    sequence = MANY.replace("2", "4")
    write(tmp_path / "rules/own/d.yml", correlation(sequence, FAILED, ROOT, kind="temporal"))
    used = in_use(library(tmp_path).rules, off(ROOT))
    assert [(one.id, one.rules) for one in used.correlations] == [(MANY, (FAILED,))]
    assert [one.id for one in used.detections] == [FAILED]


def test_deprecated_rule_is_used_only_when_somebody_switched_it_on(tmp_path: Path) -> None:
    write(tmp_path / "rules/own/a.yml", rule(FAILED, status="deprecated"))
    rules = library(tmp_path).rules
    assert in_use(rules, {}).rules == ()
    assert len(in_use(rules, {FAILED: RuleState(FAILED, True, "", START, "anna")}).rules) == 1


def zip_of(path: Path, files: Mapping[str, str], *, link: str | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        if link is not None:
            member = zipfile.ZipInfo(link)
            member.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, "/etc/passwd")
    return path


def test_zip_is_unpacked_inside_its_folder_whatever_its_names_say(tmp_path: Path) -> None:
    hostile = {
        "rules/a.yml": rule(FAILED), "../evil.yml": "x", "/abs.yml": "x", "a/../../evil2.yml": "x", "readme.md": "x",
        ".github/workflow.yml": "x", "c:\\windows\\evil.yml": "x",
    }  # fmt: skip
    packed = zip_of(tmp_path / "pack.zip", hostile, link="rules/link.yml")
    folders = RuleFolders(tmp_path / "data", with_shipped=False)
    with folders.draft(packed) as draft:
        found = sorted(str(path.relative_to(draft)) for path in draft.rglob("*") if path.is_file())
    assert found == ["rules/a.yml"]
    assert sorted(path.name for path in tmp_path.rglob("*.yml")) == []


def test_zip_bomb_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = RuleFolders(tmp_path / "data", with_shipped=False)
    large = zip_of(tmp_path / "large.zip", {"a.yml": "x" * 3_000_000})
    monkeypatch.setattr(folders_module, "MOST_FILES", 3)
    many = zip_of(tmp_path / "many.zip", {f"{number}.yml": "x" for number in range(4)})
    for packed in (large, many):
        with pytest.raises(SettingsError), folders.draft(packed):
            pass
    assert list((tmp_path / "data" / "rules").iterdir()) == []


@pytest.mark.parametrize("name", ["own", "shipped", "../x", "", "A B", ".hidden"])
def test_pack_cannot_take_a_name_that_means_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError):
        RuleFolders(tmp_path, with_shipped=False).name_for(tmp_path / "x.zip", name)
