"""Starts `vedette` commands by forking a process that has imported everything already.

A fork begins its command after milliseconds instead of a second, which is what makes hundreds of kills
affordable. The fork runs the real entry point with a command line of its own.

As a program it reads JSON requests from standard input, a line each, and answers on standard output:
{"argv": […], "output": PATH, "stopped": bool} → {"pid": …}, and once that has ended {"ended": pid, "status": …}.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Fork:
    """A command that was started by forking."""

    def __init__(self, pid: int, output: Path) -> None:
        self.pid = pid
        self.output = output
        self.status: int | None = None
        self.ended = threading.Event()

    def wait(self, seconds: float) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        self.ended.wait(seconds)
        return self.status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it is gone."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Zygote:
    """The forking process; ends with everything it started when the block ends."""

    def __init__(self, folder: Path, modules: Sequence[str]) -> None:
        self._folder = folder
        self._forks: dict[int, Fork] = {}
        self._answers: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            [sys.executable, __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # The allocator's own threads would not survive a fork.
            env={**os.environ, "_RJEM_MALLOC_CONF": "background_thread:false"},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, *argv: str | Path, stopped: bool = False) -> Fork:
        """Fork and run `vedette ARGV`; `stopped`: it waits for SIGCONT before its first step."""
        output = self._folder / f"fork-{time.monotonic_ns()}.out"
        output.touch()
        request = {"argv": [str(argument) for argument in argv], "output": str(output), "stopped": stopped}
        assert self._popen.stdin is not None
        with self._changed:
            self._popen.stdin.write(json.dumps(request) + "\n")
            self._popen.stdin.flush()
            if not self._changed.wait_for(lambda: self._answers, timeout=60):
                raise AssertionError("the zygote does not answer")
            fork = Fork(int(self._answers.pop()["pid"]), output)
            self._forks[fork.pid] = fork
        return fork

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for fork in self._forks.values():
            fork.signal(signal.SIGKILL)
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(30)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._reader.join()
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    def _known(self, pid: int) -> Fork:
        """A fork may end before the one who asked for it has read its number."""
        self._changed.wait_for(lambda: pid in self._forks, timeout=60)
        return self._forks.pop(pid)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            answer = json.loads(line)
            with self._changed:
                if "pid" in answer:
                    self._answers.append(answer)
                    self._changed.notify_all()
                    continue
                fork = self._known(int(answer["ended"]))
            fork.status = answer["status"]
            fork.ended.set()


def _serve_forks() -> list[str] | None:
    """In the zygote: None when there is nothing more to do. In a fork: its command line."""
    buffered = b""
    running: set[int] = set()
    is_open = True
    while is_open or running:
        readable, _, _ = select.select([0] if is_open else [], [], [], 0.005)
        if readable:
            data = os.read(0, 65_536)
            is_open = bool(data)
            *lines, buffered = (buffered + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _become(request)
                    return list(request["argv"])
                running.add(pid)
                _answer({"pid": pid})
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            running.discard(pid)
            _answer({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    return None


def _refuse_threads() -> None:
    """A pool of threads that an import began would be missing in the forks, which then wait for it for ever."""
    tasks = Path("/proc/self/task")
    names = [(task / "comm").read_text().strip() for task in tasks.iterdir()] if tasks.is_dir() else []
    if pools := [name for name in names if name.startswith(("polars-0", "tokio"))]:
        raise SystemExit(f"an import has started threads: {pools}")


def _answer(message: dict[str, int]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _become(request: dict[str, Any]) -> None:
    os.setsid()
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(nothing)
    if request["stopped"]:
        os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    import importlib

    for module in sys.argv[1:]:
        importlib.import_module(module)
    _refuse_threads()
    command_line = _serve_forks()
    if command_line is not None:
        from vedette.cli import main

        sys.argv = ["vedette", *command_line]
        main()
