"""What a person decides about file sources, checked before anything runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vedette.model.errors import SettingsError
from vedette.sources.encodings import canonical_encoding

DEFAULT_EXCLUDES: Final = (
    "*.gz", "*.bz2", "*.xz", "*.zst", "*.zip", "*.Z",
    "*.journal", "*.journal~", "wtmp*", "btmp*", "lastlog*", "faillog", "tallylog",
    "*.swp", "*.swpx", "*~", "*.lock", "*.pid", "*.db", "*.sqlite*", "*.asl", "*.tracev3",
)  # fmt: skip
"""Left out of folders: compressed files (a followed file's own compressed successors are found all the same),
journals, binary records, leftovers of editors."""

HISTORY_EXCLUDES: Final = tuple(
    pattern for pattern in DEFAULT_EXCLUDES if pattern not in {"*.gz", "*.bz2", "*.xz", "*.zst"}
)
"""Left out of folders that are read as history."""

STDIN: Final = "-"
"""The path of standard input, for history only."""

PollInterval = Annotated[timedelta, Field(ge=timedelta(milliseconds=50), le=timedelta(hours=1))]
LineBytes = Annotated[int, Field(ge=256, le=64 * 1024 * 1024)]


class LogSourceConfig(BaseModel):
    """One source of log files. Frozen; a change is a new one with the same id.

    `paths` are files, folders or globs; `include` and `exclude` are name patterns for what folders hold. A path that
    matches nothing yet is no error: the file may come. `start` applies to files without a stored position, which
    always wins: `stored` means beginning. `use_polling` None decides by file system. None in `encoding`, `timezone`
    and `format_name` means: find out; in `poll_interval` and `max_line_bytes`: as MonitoringConfig says.
    `idle_flush` hands out a last line without line end once it has been still for so long.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default="", max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$|^$")
    name: str = Field(default="", max_length=200)
    paths: tuple[str, ...]
    recursive: bool = False
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = DEFAULT_EXCLUDES
    start: Literal["beginning", "end", "stored"] = "stored"
    poll_interval: PollInterval | None = None
    use_polling: bool | None = None
    encoding: str | None = None
    priority: int = Field(default=5, ge=1, le=10)
    timezone: str | None = None
    format_name: str | None = None
    max_line_bytes: LineBytes | None = None
    idle_flush: Annotated[timedelta, Field(ge=timedelta(milliseconds=100))] | None = None
    enabled: bool = True

    @field_validator("paths", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("paths")
    @classmethod
    def _usable_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if not paths:
            raise ValueError("paths: is empty, name at least one file, folder or pattern such as /var/log/*.log")
        return tuple(_usable_path(path, f"paths[{index}]") for index, path in enumerate(paths))

    @field_validator("include", "exclude")
    @classmethod
    def _usable_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not pattern.strip() or "\0" in pattern:
                raise ValueError(f"{pattern!r} is no name pattern, write for example *.log")
        return patterns

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        return None if encoding is None else canonical_encoding(encoding)

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, timezone: str | None) -> str | None:
        if timezone is None:
            return None
        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"'{timezone}' is no time zone, use an IANA name such as Europe/Berlin or UTC") from None
        return timezone

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: object) -> object:
        if not isinstance(data, dict) or not data.get("paths"):
            return data
        paths = data["paths"] if isinstance(data["paths"], list | tuple) else [data["paths"]]
        if not all(isinstance(path, str) and "\0" not in path for path in paths):
            return data
        absolute = [_absolute(path) for path in paths]
        name = str(data.get("name") or _name_of(absolute))
        return {**data, "name": name, "id": data.get("id") or source_id(name, absolute)}


class MonitoringConfig(BaseModel):
    """Defaults of every source, and the sources.

    `poll_interval` is how often files are looked at when nothing announces their changes, and the safety net when
    something does. `rotation_grace` is how long a rotated file must be still before its end is believed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    poll_interval: PollInterval = timedelta(seconds=1)
    max_line_bytes: LineBytes = 1024 * 1024
    read_block_bytes: int = Field(default=4 * 1024 * 1024, ge=4096, le=64 * 1024 * 1024)
    rotation_grace: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=1))] = timedelta(seconds=60)
    restart_backoff_min: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(seconds=1)
    restart_backoff_max: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=1))] = timedelta(minutes=1)
    sources: tuple[LogSourceConfig, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> MonitoringConfig:
        if self.restart_backoff_max < self.restart_backoff_min:
            raise ValueError("restart_backoff_max: is less than restart_backoff_min, raise it")
        seen: set[str] = set()
        for index, source in enumerate(self.sources):
            if source.id in seen:
                raise ValueError(f"sources[{index}].id: '{source.id}' is used twice, give one of them another id")
            seen.add(source.id)
        return self


def source_config(data: Mapping[str, Any]) -> LogSourceConfig:
    """A source from what a person wrote; SettingsError names the first wrong value and the remedy."""
    try:
        return LogSourceConfig.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] != "value_error":
            message = f"{message} (got {first['input']!r})"
        text = message if not where or message.startswith(where) else f"{where}: {message}"
        raise SettingsError(text, field=where or None) from None


def source_id(name: str, paths: list[str]) -> str:
    """A stable id from name and paths: the same file named the same way is the same source, so that what was
    imported is not read again when it is served."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    digest = hashlib.blake2b("\0".join(paths).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{slug}-{digest}" if slug else digest


def _usable_path(path: str, where: str) -> str:
    if not path.strip():
        raise ValueError(f"{where}: is empty, name a file, a folder or a pattern")
    if "\0" in path:
        raise ValueError(f"{where}: {path!r} holds a NUL character, remove it")
    return _absolute(path)


def _absolute(path: str) -> str:
    if path == STDIN:
        return path
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        raise ValueError(f"'{path}' names an unknown home folder, write the whole path") from None


def _name_of(paths: list[str]) -> str:
    first = Path(paths[0]).name or paths[0]
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
