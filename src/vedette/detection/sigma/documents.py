"""The YAML documents of rule files, folders and zip files, bounded before they are built."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from vedette.detection.sigma.rules import RuleProblem

_ENDINGS: Final = (".yml", ".yaml")
_TEST_ENDINGS: Final = (".test.yml", ".test.yaml")
_MAX_FILE_BYTES: Final = 1_048_576
_MAX_ZIP_BYTES: Final = 268_435_456
_MAX_FILES: Final = 50_000
_MAX_DEPTH: Final = 40
_MAX_ALIASES: Final = 100
_MAX_NODES: Final = 100_000
_SEPARATOR: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_SUSPICIOUS: Final = re.compile(r"(?:[-?:] ){8}|^ {80}|(?:^|[\s\[,:-])&[^\s&]|\[\s*\[\s*\[|\{\s*\{\s*\{", re.MULTILINE)
_MANY_BRACKETS: Final = 200


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """One YAML document. `name` is its file's path below the folder or zip file it was found in."""

    path: str
    name: str
    line: int
    text: str
    content: dict[str, Any]

    def line_of(self, needle: str) -> int:
        """The line in the file where the text stands first, else where the document begins."""
        place = self.text.find(needle) if needle else -1
        return self.line + self.text.count("\n", 0, place) if place >= 0 else self.line


def documents_in(paths: Sequence[Path]) -> Iterator[RuleDocument | RuleProblem]:
    """In the order of the paths, and of the names below each."""
    for path in paths:
        for place, name, text in _files_of(path):
            if isinstance(text, str):
                yield from _documents_of(place, name, text)
            else:
                yield text


def _files_of(path: Path) -> Iterator[tuple[str, str, str | RuleProblem]]:
    place = str(path)
    try:
        if path.is_dir():
            yield from _files_of_folder(path)
        elif path.suffix.lower() == ".zip":
            yield from _files_of_zip(path)
        elif path.exists():
            yield place, path.name, _text_of(place, path.stat().st_size, path.read_bytes)
        else:
            yield place, "", RuleProblem(place, 0, "there is no such file or folder", "correct the path")
    except OSError as error:
        yield place, "", RuleProblem(place, 0, f"it cannot be read: {error.strerror}", "allow Vedette to read it")


def _files_of_folder(folder: Path) -> Iterator[tuple[str, str, str | RuleProblem]]:
    found = sorted(one for one in folder.rglob("*") if _is_rule_file(one.name) and one.is_file())
    if len(found) > _MAX_FILES:
        reason = f"the folder has {len(found)} rule files; only the first {_MAX_FILES} are read"
        yield str(folder), "", RuleProblem(str(folder), 0, reason, "split it into several packs")
    for path in found[:_MAX_FILES]:
        place = str(path)
        try:
            text = _text_of(place, path.stat().st_size, path.read_bytes)
        except OSError as error:
            text = RuleProblem(place, 0, f"it cannot be read: {error.strerror}", "allow Vedette to read it")
        yield place, path.relative_to(folder).as_posix(), text


def _files_of_zip(path: Path) -> Iterator[tuple[str, str, str | RuleProblem]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted((one for one in archive.infolist() if _is_rule_file(one.filename)), key=_name_of)
            size = sum(one.file_size for one in members)
            if size > _MAX_ZIP_BYTES or len(members) > _MAX_FILES:
                reason = f"it would unpack to {len(members)} files of {size} bytes"
                yield str(path), "", RuleProblem(str(path), 0, reason, "split it, or unpack it into a folder")
                return
            for member in members:
                place = f"{path}/{member.filename}"
                yield place, member.filename, _text_of(place, member.file_size, lambda one=member: archive.read(one))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        yield str(path), "", RuleProblem(str(path), 0, f"it is no readable zip file: {error}", "pack it again")


def _name_of(member: zipfile.ZipInfo) -> str:
    return member.filename


def _is_rule_file(name: str) -> bool:
    lower = PurePosixPath(name).name.lower()
    return lower.endswith(_ENDINGS) and not lower.endswith(_TEST_ENDINGS) and not lower.startswith(".")


def _text_of(place: str, size: int, read: Any) -> str | RuleProblem:
    """`read` returns the bytes; typed loosely, since a zip member's and a file's differ in nothing but their names."""
    if size > _MAX_FILE_BYTES:
        reason = f"the file has {size} bytes, more than {_MAX_FILE_BYTES}"
        return RuleProblem(place, 0, reason, "split it into several files")
    raw: bytes = read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return RuleProblem(place, line, f"byte {error.start} is not UTF-8", "save the file as UTF-8")


def _documents_of(path: str, name: str, text: str) -> Iterator[RuleDocument | RuleProblem]:
    shared: dict[str, Any] = {}
    starts = [0, *(found.start() for found in _SEPARATOR.finditer(text))]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        body = part.removeprefix("---")
        line = text.count("\n", 0, start) + 1
        if not body.strip() or all(not row.strip() or row.lstrip().startswith("#") for row in body.splitlines()):
            continue
        line += len(body) - len(body.lstrip("\n")) if body is not part else 0
        read = _content(path, line, body.lstrip("\n") if body is not part else body)
        if isinstance(read, RuleProblem):
            yield read
        elif read.get("action") == "global":
            shared = {key: value for key, value in read.items() if key != "action"}
        else:
            content = _joined(shared, read) if shared else read
            yield RuleDocument(path, name, line, body.lstrip("\n") if body is not part else body, content)


def _joined(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = dict(shared)
    for key, value in own.items():
        old = both.get(key)
        both[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def _content(path: str, line: int, text: str) -> dict[str, Any] | RuleProblem:
    try:
        if (fault := _bomb(text)) is not None:
            return RuleProblem(path, line, fault, "write the values out, flat")
        content = yaml.load(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = f"the YAML is broken: {error.problem or error.context or 'it cannot be parsed'}"
        return RuleProblem(path, line + mark.line if mark else line, reason, "correct the indentation or quotes there")
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        reason = f"the YAML is broken: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        return RuleProblem(path, line, reason, "correct the value it speaks of")
    if not isinstance(content, dict):
        return RuleProblem(path, line, "the document is no mapping", "begin it with `title:`, as Sigma rules do")
    return {str(key): value for key, value in content.items()}


def _bomb(text: str) -> str | None:
    """Why the document would grow out of bounds when built; None when it would not."""
    if text.count("[") + text.count("{") <= _MANY_BRACKETS and _SUSPICIOUS.search(text) is None:
        return None
    depth = aliases = 0
    for nodes, event in enumerate(yaml.parse(text, yaml.CSafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > _MAX_DEPTH:
            return f"the YAML is nested more than {_MAX_DEPTH} deep"
        if aliases > _MAX_ALIASES:
            return f"the YAML refers to its own parts more than {_MAX_ALIASES} times"
        if nodes > _MAX_NODES:
            return f"the YAML has more than {_MAX_NODES} parts"
    # An alias of an alias of an alias: few references, but every one multiplies.
    return _alias_growth(text) if aliases else None


def _alias_growth(text: str) -> str | None:
    sizes: dict[str, int] = {}
    open_sizes: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_sizes.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_sizes.pop()
        elif isinstance(event, yaml.AliasEvent):
            anchor, size = None, sizes.get(event.anchor or "", _MAX_NODES)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        outer, total = open_sizes[-1]
        if total + size > _MAX_NODES:
            return f"the YAML would expand to more than {_MAX_NODES} parts"
        open_sizes[-1] = outer, total + size
    return None
