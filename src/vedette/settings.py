"""Deployment settings: `vedette.toml` in the data folder, `VEDETTE_*` variables, flags; later ones win."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from vedette.model.errors import SettingsError

FILE_NAME: Final = "vedette.toml"
MIB: Final = 2**20


class StoreSettings(BaseModel):
    """How the event database behaves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_limit_bytes: int = Field(192 * MIB, ge=64 * MIB, description="Memory the database may take")
    threads: int = Field(2, ge=1, le=64, description="Threads of the database")
    retention_age: timedelta | None = Field(
        timedelta(days=90), description="Events older than this are deleted; null keeps all"
    )
    retention_bytes: int | None = Field(
        None,
        ge=64 * MIB,
        description="Oldest events are deleted when the store takes more; null sets no limit",
    )


class QueueSettings(BaseModel):
    """How much may wait, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(32 * MIB, ge=MIB, description="Bytes that may wait before readers stop reading")
    batch_bytes: int = Field(16 * MIB, ge=64 * 1024, description="Largest batch the pipeline takes")
    max_age_seconds: float = Field(0.005, ge=0.001, le=5.0, description="Longest wait for a batch to fill")


class RuleSettings(BaseModel):
    """Where rules come from, besides those that ship and those in the data folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folders: tuple[Path, ...] = Field((), description="Further folders of Sigma rules; followed while the server runs")
    import_from: tuple[Path, ...] = Field(
        (), description="Folders from which rule packs may be imported over the API; the command line needs none"
    )


class ModelSettings(BaseModel):
    """A language model that is asked for advice. Off unless it is switched on; only this file, the environment and flags
    say where it is, never the API."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(False, description="Ask a language model for advice beside findings and incidents")
    provider: Literal["openai", "anthropic"] = Field(
        "openai", description="What it speaks: the OpenAI API (Ollama, vLLM, llama.cpp, Groq, OpenAI) or Anthropic's"
    )
    base_url: str = Field("http://127.0.0.1:11434/v1", description="Where it is; redirects are not followed")
    model: str = Field("", max_length=200, description="Name of the model, as its server calls it")
    api_key: SecretStr | None = Field(None, description="Its key; better in `VEDETTE_AI__API_KEY` or in a file")
    api_key_file: Path | None = Field(None, description="File that holds the key, readable only by its owner")
    redact: Literal["everything", "secrets"] = Field(
        "everything",
        description="What is replaced before anything is sent: secrets, or also addresses, users, hosts and mail addresses",
    )
    min_severity: int = Field(7, ge=1, le=10, description="Least severity of what it is asked about unbidden")
    settle_seconds: float = Field(10, ge=0, le=3_600, description="Wait for a finding to grow before asking about it")
    timeout_seconds: float = Field(60, gt=0, le=600, description="Longest time for an answer, from begin to end")
    max_waiting: int = Field(100, ge=1, le=1_000, description="Questions that may wait; the least severe are dropped")
    max_answer_tokens: int = Field(1_500, ge=100, le=16_000, description="Longest answer that is asked for")
    requests_per_hour: int = Field(30, ge=1, le=3_600, description="Budget: requests in any hour")
    tokens_per_day: int = Field(200_000, ge=1_000, description="Budget: tokens sent and received in any 24 hours")

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must begin with http:// or https:// and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user, password or query; the key belongs in ai.api_key_file")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and not self.model:
            raise ValueError("is switched on without ai.model; name the model, or set ai.enabled to false")
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("has both ai.api_key and ai.api_key_file; keep one of them")
        has_key = self.api_key is not None or self.api_key_file is not None
        if (
            has_key
            and urlsplit(self.base_url).scheme == "http"
            and not _is_near(urlsplit(self.base_url).hostname or "")
        ):
            raise ValueError("would send its key over plain HTTP; use https:// in ai.base_url, or a private address")
        return self


class Settings(BaseSettings):
    """Everything an operator may set. `monitoring` is read by the sources, which know its fields."""

    model_config = SettingsConfigDict(
        env_prefix="VEDETTE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(description="Folder that holds everything Vedette keeps")
    host: str = Field("127.0.0.1", description="Address to listen on; loopback until access control exists")
    port: int = Field(8700, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level of our own log")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Our own log: console on a terminal, json elsewhere"
    )
    queue: QueueSettings = QueueSettings()
    store: StoreSettings = StoreSettings()
    rules: RuleSettings = RuleSettings()
    ai: ModelSettings = ModelSettings()
    monitoring: dict[str, Any] = Field(default_factory=dict, description="Defaults of the sources, and sources")

    @field_validator("host")
    @classmethod
    def _only_loopback(cls, value: str) -> str:
        if value != "localhost" and not _is_loopback(value):
            raise ValueError(
                f"{value!r} is not a loopback address; there is no access control yet, so use 127.0.0.1 or ::1"
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, _FileSource(settings_cls, init_settings, env_settings))

    @classmethod
    def load(cls, **flags: Any) -> Self:
        """Settings from all places; a flag that is None does not count. Raises SettingsError."""
        given = {name: value for name, value in flags.items() if value is not None}
        given.setdefault("data_dir", Path(os.environ.get("VEDETTE_DATA_DIR") or default_data_dir()))
        try:
            return cls(**given)
        except ValidationError as error:
            raise _sentence(error) from error


class _FileSource(PydanticBaseSettingsSource):
    """`vedette.toml` of the data folder that flags or environment name."""

    def __init__(self, settings_cls: type[BaseSettings], *higher: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._higher = higher

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        data_dir = next((found["data_dir"] for source in self._higher if (found := source()).get("data_dir")), None)
        path = Path(data_dir or default_data_dir()) / FILE_NAME
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read ({error}); mend or remove it") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path} is not valid TOML ({error}); mend that line") from error
        if "data_dir" in content:
            raise SettingsError(
                f"{path}: data_dir cannot be set inside the data folder; use --data-dir", field="data_dir"
            )
        return content


def default_data_dir() -> Path:
    """Where data goes when nothing is said: /var/lib/vedette for root, else the user's own data folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Vedette"
    if os.geteuid() == 0:
        return Path("/var/lib/vedette")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "vedette"


def _is_loopback(value: str) -> bool:
    try:
        return ip_address(value).is_loopback
    except ValueError:
        return False


def _is_near(host: str) -> bool:
    """Whether it is this machine or a private address."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost"


_NEVER_SHOWN: Final = frozenset({"ai", "ai.api_key", "ai.base_url"})
"""Settings that may hold a secret."""


def _sentence(error: ValidationError) -> SettingsError:
    first: Mapping[str, Any] = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return SettingsError(f"{name} is no setting; remove it or mend its spelling", field=name)
    reason = str(first["msg"]).removeprefix("Value error, ")
    is_hidden = name in _NEVER_SHOWN or repr(first["input"]) in reason
    shown = "" if is_hidden else f" {first['input']!r}:"
    return SettingsError(f"{name}{shown} {reason[:1].lower()}{reason[1:]}", field=name)
