"""Talks to the model, through pydantic-ai: one answer of a known shape, within a time, of bounded size, without redirects.

What a server says of its own is never passed on: error texts of servers repeat keys and questions.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from vedette.analysis.llm.answer import Answer
from vedette.analysis.llm.question import INSTRUCTIONS
from vedette.settings import ModelSettings

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai import Agent
    from pydantic_ai.models import Model

LARGEST_REPLY: Final = 256 * 1024
"""Bytes of an answer, as they come."""
_NO_KEY: Final = "none"
_LARGEST_KEY: Final = 4_096


class ModelFailure(Exception):
    """The model gave no answer that can be used: why, and what a person can do. `is_lasting` is what time does not mend,
    `is_about_answer` that the server works but what it said cannot be used."""

    def __init__(
        self, reason: str, remedy: str, *, is_lasting: bool = False, is_about_answer: bool = False, tokens: int = 0
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.is_lasting = is_lasting
        self.is_about_answer = is_about_answer
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the tokens that question and answer took (estimated where the server does not say)."""

    answer: Answer
    tokens: int


class Endpoint:
    """The model as the settings name it. Used by one task at a time; `open` before the first question, and `close`."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._agent: Agent[None, Answer] | None = None
        self._client: httpx2.AsyncClient | None = None
        self.secrets: tuple[str, ...] = ()
        """What must not be kept even if the server sends it back."""

    def open(self) -> None:
        """Load what is needed and read the key. Blocks for a second or so. Raises ModelFailure."""
        if self._agent is not None:
            return
        key = _key_of(self._settings)
        try:
            self._agent = self._built(key)
        except ImportError as error:
            raise ModelFailure(
                f"The model is switched on but {error.name or 'pydantic-ai'} is not installed.",
                "Install the extra: pip install 'vedette[ai]'; or set ai.enabled to false.",
                is_lasting=True,
            ) from None
        self.secrets = (key,) if key != _NO_KEY else ()

    async def ask(self, text: str) -> Reply:
        """Its answer to a question. Raises ModelFailure, after `timeout_seconds` at the latest."""
        from pydantic_ai import UsageLimits

        assert self._agent is not None, "open first"
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                result = await self._agent.run(text, usage_limits=UsageLimits(request_limit=1))
        except Exception as error:
            failure = _failure(error, self._settings, tokens=_estimate(text))
            raise failure from None
        usage = result.usage
        return Reply(result.output, usage.total_tokens or _estimate(text, result.output.model_dump_json()))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _built(self, key: str) -> Agent[None, Answer]:
        from pydantic_ai import Agent, PromptedOutput

        self._client = _bounded_client(self._settings.timeout_seconds)
        return Agent(
            self._model(key, self._client),
            output_type=PromptedOutput(Answer),
            instructions=INSTRUCTIONS,
            model_settings={"max_tokens": self._settings.max_answer_tokens},
            retries=0,
        )

    def _model(self, key: str, client: httpx2.AsyncClient) -> Model:
        settings = self._settings
        if settings.provider == "anthropic":
            from anthropic import AsyncAnthropic
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            base_url = settings.base_url.removesuffix("/v1")
            anthropic = AsyncAnthropic(api_key=key, base_url=base_url, http_client=client, max_retries=0)
            return AnthropicModel(settings.model, provider=AnthropicProvider(anthropic_client=anthropic))
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        openai = AsyncOpenAI(api_key=key, base_url=settings.base_url, http_client=client, max_retries=0)
        return OpenAIChatModel(settings.model, provider=OpenAIProvider(openai_client=openai))


def _key_of(settings: ModelSettings) -> str:
    """The key, or a word that stands for none: never one that happens to lie in the environment for other programs."""
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    path = settings.api_key_file
    if path is None:
        return _NO_KEY
    try:
        with path.open(encoding="utf-8") as file:
            is_open = os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            key = file.read(_LARGEST_KEY).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ModelFailure(
            f"The key of the model cannot be read from {path} ({why}).", "Mend ai.api_key_file.", is_lasting=True
        ) from None
    if is_open:
        raise ModelFailure(f"The key file {path} can be read by others.", f"chmod 600 {path}", is_lasting=True)
    if not key or not key.isascii() or not key.isprintable():
        raise ModelFailure(f"The key file {path} holds no key.", "Write the key into it, on one line.", is_lasting=True)
    return key


def _bounded_client(timeout_seconds: float) -> httpx2.AsyncClient:
    """One connection, no redirects, no proxy of the environment, replies uncompressed and bounded."""
    import httpx2

    class Bounded(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            request.headers["Accept-Encoding"] = "identity"
            response = await super().handle_async_request(request)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                await response.aclose()
                raise _TooLarge
            response.stream = _Counted(response.stream)
            return response

    class _Counted(httpx2.AsyncByteStream):
        def __init__(self, inside: Any) -> None:
            self._inside = inside

        async def __aiter__(self) -> Any:
            seen = 0
            async for chunk in self._inside:
                seen += len(chunk)
                if seen > LARGEST_REPLY:
                    raise _TooLarge
                yield chunk

        async def aclose(self) -> None:
            await self._inside.aclose()

    return httpx2.AsyncClient(
        transport=Bounded(retries=0, trust_env=False, limits=httpx2.Limits(max_connections=2)),
        timeout=timeout_seconds,
        follow_redirects=False,
        trust_env=False,
    )


class _TooLarge(Exception):
    """More bytes, or packed ones, although they were asked for plain."""


@runtime_checkable
class _Answered(Protocol):
    """An error of one of the libraries beneath that tells of an answer."""

    status_code: int


_BY_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("it does not accept the key", "Mend ai.api_key_file or VEDETTE_AI__API_KEY."),
    403: ("it does not allow this", "See what the key may do, and whether it may use ai.model."),
    404: ("it does not know the path or the model", "Mend ai.base_url (often it ends in /v1) or ai.model."),
    429: ("it is asked too often", "Lower ai.requests_per_hour, or see the limits of the account."),
}


def _failure(error: Exception, settings: ModelSettings, *, tokens: int) -> ModelFailure:
    """What went wrong in our own words."""
    from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded

    chain = list(_chain(error))
    where = f"The model at {settings.base_url}"
    if any(isinstance(each, _TooLarge) for each in chain):
        reason = f"{where} answered with more than {LARGEST_REPLY // 1024} KiB, or compressed."
        return ModelFailure(reason, "See whether ai.base_url leads to a model.", tokens=tokens)
    if (status := next((each.status_code for each in chain if isinstance(each, _Answered)), None)) is not None:
        what, remedy = _BY_STATUS.get(status, ("it failed", "See the log of the model's server."))
        is_redirect = 300 <= status < 400
        if is_redirect:
            what, remedy = "it redirects, which is not followed", "Name the last address in ai.base_url."
        is_lasting = is_redirect or status in (401, 403, 404)
        return ModelFailure(f"{where} answered {status}: {what}.", remedy, is_lasting=is_lasting, tokens=tokens)
    if isinstance(error, UnexpectedModelBehavior | UsageLimitExceeded | ValueError):
        reason = f"{where} gave an answer that cannot be used: it is not the JSON that was asked for."
        remedy = "Take a model that follows instructions, or raise ai.max_answer_tokens."
        return ModelFailure(reason, remedy, is_about_answer=True, tokens=tokens)
    if any("Timeout" in type(each).__name__ or isinstance(each, TimeoutError) for each in chain):
        reason = f"{where} did not answer within {settings.timeout_seconds:g} s."
        return ModelFailure(reason, "Raise ai.timeout_seconds, or take a smaller model.", tokens=tokens)
    if any("Connect" in type(each).__name__ for each in chain):
        return ModelFailure(f"{where} cannot be reached.", "Start it, or mend ai.base_url.")
    return ModelFailure(
        f"{where} failed ({type(error).__name__}).", "See the log of the model's server.", tokens=tokens
    )


def _chain(error: BaseException | None) -> Any:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _estimate(*texts: str) -> int:
    """Tokens, roughly; the instructions are among them."""
    return (len(INSTRUCTIONS) + sum(map(len, texts))) // 4
