"""Polars on the caller's own thread.

Polars hands most operations to its thread pool and waits for them: some 50 µs each, however little there is to do. A
batch of a hundred lines takes hundreds of operations. What runs inside a query's own Python step stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import polars as pl

_ANYTHING: Final = pl.LazyFrame({"nothing": [None]})

P = ParamSpec("P")
T = TypeVar("T")


def inline(work: Callable[P, T]) -> Callable[P, T]:
    """The same function; its Polars operations run on the thread that calls it, one after the other."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        results: list[T] = []
        errors: list[BaseException] = []

        def step(frame: pl.DataFrame) -> pl.DataFrame:
            try:
                results.append(work(*args, **kwargs))
            except BaseException as error:
                errors.append(error)
            return frame

        _ANYTHING.map_batches(step).collect()
        if errors:
            try:
                raise errors[0]
            finally:
                errors.clear()
        return results[0]

    return run
