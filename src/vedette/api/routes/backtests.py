"""Backtests: rules tried on stored events before they are switched on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vedette.api.context import COMMON, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.rule_bodies import BacktestAsk, BacktestList, BacktestRow

router = APIRouter(prefix="/api/v1/backtests", tags=["backtests"], responses=COMMON | problems(422, 503))

BacktestId = Annotated[str, Path(min_length=1, max_length=32, examples=["3f2a9c41d07e"])]


@router.get("", dependencies=[Depends(requires("rules:read"))])
async def list_backtests(services: Has, threads: Threads) -> BacktestList:
    """The backtests of late, newest first."""
    return await threads.run(services.backtests.list)


@router.post(
    "", status_code=202, dependencies=[Depends(requires("rules:test"))], responses=problems(400, 404, 409, 413)
)
async def start_backtest(services: Has, threads: Threads, body: BacktestAsk) -> BacktestRow:
    """Try rules on the stored events of a time range, beside everything else; ask for the result by its id."""
    return await threads.run(services.backtests.start, body)


@router.get("/{backtest_id}", dependencies=[Depends(requires("rules:read"))], responses=problems(404))
async def get_backtest(services: Has, threads: Threads, backtest_id: BacktestId) -> BacktestRow:
    """How far a backtest is, and what it found."""
    return await threads.run(services.backtests.get, backtest_id)


@router.delete("/{backtest_id}", dependencies=[Depends(requires("rules:test"))], responses=problems(404))
async def cancel_backtest(services: Has, threads: Threads, backtest_id: BacktestId) -> BacktestRow:
    """Stop a backtest; what it found so far stays."""
    return await threads.run(services.backtests.cancel, backtest_id)
