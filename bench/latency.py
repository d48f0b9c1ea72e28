"""From a line appended to a file to the WebSocket message that carries it, at a steady rate over ten files."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from pathlib import Path

from bench.machine import Figure, percentile, running_server
from websockets.asyncio.client import connect

FILES = 10
LINES_PER_SECOND = 5_000
SECONDS = 30
TICK_SECONDS = 0.01


def run(folder: Path, scale: float) -> list[Figure]:
    seconds = max(5.0, SECONDS * scale)
    steady = measure(folder / "steady", LINES_PER_SECOND, seconds)
    quiet = measure(folder / "quiet", 20, min(seconds, 10.0))
    return [
        figure(
            f"append to WebSocket at {LINES_PER_SECOND:,} lines/s over {FILES} files",
            steady,
            LINES_PER_SECOND * seconds,
        ),
        figure(f"append to WebSocket at 20 lines/s over {FILES} files", quiet, 20 * min(seconds, 10.0)),
    ]


def figure(name: str, latencies: list[float], expected: float) -> Figure:
    return Figure(
        name,
        percentile(latencies, 0.50) * 1000,
        "ms p50",
        must=150,
        goal=50,
        more_is_better=False,
        details={
            "p90_ms": round(percentile(latencies, 0.90) * 1000, 1),
            "p99_ms": round(percentile(latencies, 0.99) * 1000, 1),
            "max_ms": round(max(latencies) * 1000, 1),
            "p99_must_ms": 400,
            "p99_goal_ms": 100,
            "received": len(latencies),
            "written": round(expected),
        },
    )


def measure(folder: Path, rate: int, seconds: float) -> list[float]:
    """Seconds from append to message for every line."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    files = [logs / f"service-{number}.log" for number in range(FILES)]
    for file in files:
        file.touch()
    with running_server(folder / "data", *map(str, files)) as (address, _):
        return asyncio.run(watch(address, files, rate, seconds))


async def watch(address: str, files: list[Path], rate: int, seconds: float) -> list[float]:
    latencies: list[float] = []
    expected = write_plan(rate, seconds)
    async with connect(f"ws://{address}/api/v1/live", origin=f"http://{address}", max_size=None) as socket:  # type: ignore[arg-type]
        await socket.send(json.dumps({"type": "subscribe", "id": "bench", "stream": "events", "query": ""}))
        while json.loads(await socket.recv())["type"] != "subscribed":
            pass
        writer = multiprocessing.get_context("spawn").Process(target=append, args=(files, rate, seconds))
        writer.start()
        deadline = time.monotonic() + seconds + 30
        while len(latencies) < expected and time.monotonic() < deadline:
            message = json.loads(await asyncio.wait_for(socket.recv(), 30))
            arrived = time.time_ns()
            if message["type"] == "batch":
                latencies += [(arrived - stamp_of(row["message"])) / 1e9 for row in message["rows"]]
        writer.join(30)
    return latencies


def stamp_of(message: str) -> int:
    return int(message.partition(" for stamp")[2].partition(" ")[0])


def write_plan(rate: int, seconds: float) -> int:
    """Lines the writer will have written."""
    per_tick = max(1, round(rate * TICK_SECONDS))
    return round(seconds * rate / per_tick) * per_tick


def append(files: list[Path], rate: int, seconds: float) -> None:
    """Append lines that carry the nanosecond at which they were written, evenly over the files."""
    per_tick = max(1, round(rate * TICK_SECONDS))
    ticks = round(seconds * rate / per_tick)
    interval = per_tick / rate
    handles = [file.open("ab", buffering=0) for file in files]
    number = 0
    started = time.monotonic()
    for tick in range(ticks):
        time.sleep(max(0.0, started + tick * interval - time.monotonic()))
        lines: dict[int, list[bytes]] = {}
        clock = time.strftime("%b %e %H:%M:%S")
        for _ in range(per_tick):
            number += 1
            who = f"from 203.0.113.{number % 40} port {1024 + number % 60000}"
            user = f"stamp{time.time_ns()}"
            text = f"{clock} web-1 sshd[{1000 + number % 500}]: Accepted publickey for {user} {who} ssh2: ED25519 SHA256:x\n"
            lines.setdefault(number % len(handles), []).append(text.encode())
        for index, texts in lines.items():
            handles[index].write(b"".join(texts))
    for handle in handles:
        handle.close()
