"""Where rules stand: those that ship, the operator's own, imported packs, and folders of the settings."""

from __future__ import annotations

import io
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import vedette
from vedette.model.errors import SettingsError, StoreFull
from vedette.store.duckdb.files import sync_folder

RULES_FOLDER: Final = "rules"
"""Folder of rules inside the data folder: `own`, and one for each imported pack."""
OWN: Final = "own"
SHIPPED: Final = "shipped"
_SHIPPED_FOLDER: Final = Path(vedette.__file__).parent / "content" / "rules"

MOST_FILES: Final = 50_000
MOST_BYTES: Final = 256 * 2**20
"""Of one pack, uncompressed."""
_LARGEST_FILE: Final = 2 * 2**20
_ENDINGS: Final = (".yml", ".yaml")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

PackKind = Literal["shipped", "own", "imported", "folder"]
Signature = tuple[tuple[str, int, int], ...]
"""Path, time of change and size of every file."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Rules that belong together, under one folder."""

    name: str
    kind: PackKind
    path: Path

    def signature(self) -> Signature:
        """Differs when a file was written, added or removed. Blocks."""
        return tuple(sorted(_facts(self.path)))


class RuleFolders:
    """The packs of a data folder. Blocks. Own rules come first: what has their ids elsewhere is put aside."""

    def __init__(self, data_dir: Path | None, extra: Sequence[Path] = (), *, with_shipped: bool = True) -> None:
        self._root = data_dir / RULES_FOLDER if data_dir else None
        self._extra = tuple(extra)
        self._with_shipped = with_shipped

    def packs(self) -> list[Pack]:
        """The folders that are there: own, those of the settings, imported, shipped."""
        found = [Pack(OWN, "own", self._root / OWN)] if self._root else []
        found += [Pack(name, "folder", path) for name, path in _named(self._extra)]
        if self._root:
            with suppress(OSError):
                found += [
                    Pack(path.name, "imported", path)
                    for path in sorted(self._root.iterdir())
                    if path.is_dir() and path.name != OWN and not path.name.startswith(".")
                ]
        if self._with_shipped:
            found.append(Pack(SHIPPED, "shipped", _SHIPPED_FOLDER))
        return [pack for pack in found if pack.path.exists()]

    def missing(self) -> list[Path]:
        """Folders of the settings that are not there."""
        return [path for path in self._extra if not path.exists()]

    def own_file(self, rule_id: str) -> Path:
        """Where an own rule of this id is written."""
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", rule_id).lstrip(".") or "rule"
        return self._own() / f"{safe[:120]}.yml"

    def write_own(self, path: Path, text: str) -> None:
        """The file is there as a whole, or as it was. Raises StoreFull."""
        with _saying_what_failed(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            sync_folder(path.parent)

    def remove_own(self, path: Path) -> None:
        """Raises StoreFull; safe to repeat."""
        with _saying_what_failed(path):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def name_for(self, source: Path, name: str | None) -> str:
        """The name an imported pack gets. Raises SettingsError when it cannot have it."""
        wished = name if name is not None else pack_name(source)
        taken = {OWN, SHIPPED, *(found for found, _ in _named(self._extra))}
        if not _NAME.fullmatch(wished) or wished in taken:
            reason = "is taken" if wished in taken else "is no name of a pack"
            raise SettingsError(
                f"name: {wished!r} {reason}; choose another of a-z, 0-9, dash, dot and underscore", field="name"
            )
        return wished

    @contextmanager
    def draft(self, source: Path) -> Iterator[Path]:
        """The rule files of a folder or zip, copied into a folder beside the packs; removed when the block ends unless
        it was kept. Raises SettingsError when there are none, or too many."""
        root = self._required_root()
        for left in (*root.glob(".import-*"), *root.glob(".removed-*")):  # of one who was killed
            shutil.rmtree(left, ignore_errors=True)
        target = root / f".import-{secrets.token_hex(4)}"
        with _saying_what_failed(target):
            target.mkdir(mode=0o700, parents=True)
        try:
            with _saying_what_failed(target):
                copied = _unpack(source, target) if source.is_file() else _copy(source, target)
            if not copied:
                raise SettingsError(f"{source} holds no rule files (*.yml); name a folder or zip of Sigma rules")
            yield target
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def keep(self, draft: Path, name: str) -> Path:
        """Make a draft the pack of this name, in place of the one before."""
        place, old = self._required_root() / name, draft.with_name(f"{draft.name}-old")
        with _saying_what_failed(place):
            if place.exists():
                place.rename(old)
            draft.rename(place)
            sync_folder(place.parent)
            shutil.rmtree(old, ignore_errors=True)
        return place

    def remove(self, pack: Pack) -> None:
        """Remove an imported pack."""
        with _saying_what_failed(pack.path):
            old = pack.path.with_name(f".removed-{secrets.token_hex(4)}")
            pack.path.rename(old)
            shutil.rmtree(old, ignore_errors=True)

    def _own(self) -> Path:
        return self._required_root() / OWN

    def _required_root(self) -> Path:
        if self._root is None:
            raise SettingsError("there is no data folder to keep rules in; name one with --data-dir")
        return self._root


def shipped_rules() -> Path:
    """The folder of the rules that ship."""
    return _SHIPPED_FOLDER


def pack_name(source: Path) -> str:
    """What a folder or zip is called as a pack."""
    stem = source.name if source.is_dir() else source.stem
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")


def zipped(folder: Path) -> bytes:
    """The rule files of a folder as a zip. Blocks."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, _, _ in sorted(_facts(folder)):
            archive.write(name, Path(name).relative_to(folder))
    return packed.getvalue()


def is_rule_file(name: str) -> bool:
    """Rules, not their samples and not what is hidden."""
    return name.endswith(_ENDINGS) and not name.endswith((".test.yml", ".test.yaml")) and not name.startswith(".")


def _named(folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """A name for each folder: its own, with a number where another has it."""
    names: dict[str, Path] = {}
    for path in folders:
        stem = re.sub(r"[^a-z0-9._-]+", "-", path.name.lower()).strip("-._") or "rules"
        name, number = stem, 2
        while name in names or name in (OWN, SHIPPED):
            name, number = f"{stem}-{number}", number + 1
        names[name] = path
    return list(names.items())


def _facts(path: Path) -> Iterator[tuple[str, int, int]]:
    if path.is_file():
        with suppress(OSError):
            facts = path.stat()
            yield str(path), facts.st_mtime_ns, facts.st_size
        return
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if is_rule_file(name):
                with suppress(OSError):
                    facts = (Path(folder) / name).stat()
                    yield str(Path(folder) / name), facts.st_mtime_ns, facts.st_size


def _copy(source: Path, target: Path) -> int:
    """Copy the rule files of a folder with their samples. Links are not followed."""
    if not source.is_dir():
        raise SettingsError(f"path: {source} is neither a folder nor a zip that can be read", field="path")
    copied = size = 0
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if not name.endswith(_ENDINGS) or name.startswith(".") or path.is_symlink():
                continue
            copied, size = copied + 1, size + path.stat().st_size
            _check_size(source, copied, size)
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    return copied


def _unpack(source: Path, target: Path) -> int:
    """Unpack the rule files of a zip, each inside the target. Raises SettingsError for what is no zip, or a bomb."""
    copied = size = 0
    try:
        with zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                parts = _safe_parts(member)
                if not parts:
                    continue
                place = target.joinpath(*parts)
                with archive.open(member) as packed:
                    text = packed.read(_LARGEST_FILE + 1)
                copied, size = copied + 1, size + len(text)
                _check_size(source, copied, size)
                if len(text) > _LARGEST_FILE:
                    raise SettingsError(f"{source}: {member.filename} is larger than 2 MiB; that is no rule")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(text)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise SettingsError(f"{source} is no zip that can be read ({error}); name a folder or zip of rules") from error
    return copied


def _safe_parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    """The place of a member inside the target; empty for what is left out: folders, links, other files, and names that
    lead elsewhere."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if member.is_dir() or is_link or path.is_absolute() or not path.name.endswith(_ENDINGS):
        return ()
    if any(part.startswith(".") or ":" in part or "\0" in part for part in path.parts):
        return ()
    return path.parts


def _check_size(source: Path, files: int, size: int) -> None:
    if files > MOST_FILES or size > MOST_BYTES:
        raise SettingsError(
            f"{source} holds more than {MOST_FILES:,} files or {MOST_BYTES // 2**20} MiB of rules; import parts of it"
        )


@contextmanager
def _saying_what_failed(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFull(
            f"{error.filename or path} cannot be read or written ({error.strerror}); free space or mend its permissions"
        ) from error
