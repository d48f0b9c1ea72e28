"""Blocking calls, away from the event loop and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Final, ParamSpec, TypeVar

from vedette.api.problems import Refused

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 4
_MAX_WAITING: Final = 64


class StoreThreads:
    """Runs calls to the store. When too many wait, the next is refused at once: a late answer helps nobody."""

    def __init__(self, *, threads: int = _THREADS, max_waiting: int = _MAX_WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._limit = threads + max_waiting
        self._running = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result. Raises Refused (503) when the server is too busy."""
        if self._running >= self._limit:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._running} requests wait for the store; try again in a moment.",
                headers={"Retry-After": "1"},
            )
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))
        self._running += 1
        future.add_done_callback(self._finished)
        return await asyncio.shield(future)

    def close(self) -> None:
        """Let running calls end, take no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self, future: asyncio.Future[T]) -> None:
        self._running -= 1
        if not future.cancelled():
            future.exception()
