"""Work on frames that stays on the thread that does it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from vedette.model.inline import inline


@inline
def total(numbers: list[int], *, of: str) -> int:
    return int(pl.DataFrame({of: numbers}).filter(pl.col(of) > 1).join(pl.DataFrame({of: numbers}), on=of)[of].sum())


@inline
def failing() -> None:
    raise KeyError("what was asked")


@inline
def thread() -> int:
    return threading.get_ident()


def test_what_is_returned_comes_back() -> None:
    assert total([1, 2, 3], of="a") == 5
    assert inline(lambda: total([2], of="b") + 1)() == 3


def test_an_error_is_the_one_that_was_raised() -> None:
    with pytest.raises(KeyError, match="what was asked"):
        failing()


def test_work_stays_on_the_thread_that_calls() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(thread).result() == pool.submit(threading.get_ident).result()
    assert thread() == threading.get_ident()


def test_several_threads_work_beside_each_other() -> None:
    both = threading.Barrier(2, timeout=20)

    @inline
    def meet() -> int:
        return both.wait()

    with ThreadPoolExecutor(2) as pool:
        assert {one.result() for one in [pool.submit(meet), pool.submit(meet)]} == {0, 1}
