"""Real Vedette processes, driven through the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import psutil

T = TypeVar("T")

SECONDS = float(os.environ.get("VEDETTE_TEST_PATIENCE", "60"))
"""How long a condition may take to come true before the test fails."""


def wait_until(condition: Callable[[], T], *, what: str, seconds: float = SECONDS) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def vedette_argv(*arguments: str | Path) -> list[str]:
    """The command line of `vedette` in this environment."""
    return [sys.executable, "-m", "vedette", *map(str, arguments)]


class Process:
    """A process with its output in a file; killed, with its children, when the block ends."""

    def __init__(
        self, argv: Sequence[str | Path], *, output: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._argv = [str(argument) for argument in argv]
        self._output = output
        self._environment = environment or {}
        self._popen = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._start_of_output = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as file:
            return subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        with self._output.open("rb") as file:
            file.seek(self._start_of_output)
            return file.read().decode(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to it and its children; returns when it is gone."""
        if self._popen.poll() is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit status, negative for a signal."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:g} s:\n{self.output[-3000:]}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


class Server(Process):
    """`vedette serve` on a free port. Ready when the block begins."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        data_dir: Path,
        *flags: str,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        arguments = ("serve", *paths, "--data-dir", data_dir, "--port", "0", *flags)
        super().__init__(
            [*prefix, *vedette_argv(*arguments)],
            output=data_dir.with_name(f"{data_dir.name}.out"),
            environment=environment,
        )
        self._address = ""

    def __enter__(self) -> Self:
        self.wait_until_ready()
        return self

    @property
    def address(self) -> str:
        """Base address of its API."""
        if not self._address and (found := re.search(r"http://[\w.:\[\]]+:\d+", self.output)):
            self._address = found[0]
        return self._address

    def wait_until_ready(self) -> None:
        try:
            wait_until(self._is_ready, what="the server answers")
        except BaseException:
            self.kill()
            raise

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise AssertionError(f"the server ended with status {self.wait()}:\n{self.output[-3000:]}")
        try:
            return bool(self.address) and self.get("/health") is not None
        except httpx.HTTPError:
            return False

    def get(self, path: str, **parameters: str | int) -> Any:
        """The JSON behind a path of the API, which may be an error's."""
        return httpx.get(f"{self.address}/api/v1{path}", params=parameters, timeout=30).json()

    @property
    def events(self) -> int:
        """Events stored."""
        return int(self.get("/stats")["store"]["events"])

    def wait_for_events(self, number: int, *, seconds: float = SECONDS) -> None:
        try:
            wait_until(lambda: self.events >= number, what=f"{number} events are stored", seconds=seconds)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; {self.events} are\n{json.dumps(self.get('/health'), indent=1)}\n{self.output[-2000:]}"
            ) from None

    def part(self, name: str) -> Mapping[str, Any]:
        """The health of the part whose name begins so; empty if there is none."""
        parts: list[dict[str, Any]] = self.get("/health").get("parts", [])
        return next((part for part in parts if str(part["part"]).startswith(name)), {})

    @property
    def peak_memory(self) -> int:
        """Resident bytes at most so far (Linux), else now."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return int(psutil.Process(self.pid).memory_info().rss)
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0

    def start_again(self) -> None:
        """The same command once more, after it has ended; returns when it is ready."""
        self._address = ""
        self._popen = self._spawn()
        self.wait_until_ready()

    def stop(self) -> None:
        """SIGTERM; returns when it has drained and gone."""
        self.signal(signal.SIGTERM)
        status = self.wait()
        assert status == 0, f"ended with status {status}:\n{self.output[-3000:]}"


def run(*arguments: str | Path, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a `vedette` command to its end; stdout and stderr are captured."""
    return subprocess.run(
        [*prefix, *vedette_argv(*arguments)], capture_output=True, text=True, timeout=300, check=False
    )


def stored_events(data_dir: Path, *, prefix: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Everything in the store of a stopped server, oldest first."""
    arguments = ("search", "", "--data-dir", data_dir, "--output", "ndjson", "--limit", "0", "--oldest-first")
    done = run(*arguments, prefix=prefix)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n") if line]
