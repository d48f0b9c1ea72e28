"""Killing with precision: at the N-th of certain system calls (strace), or after a time."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.zygote import Fork

DURABILITY_CALLS = "write,pwrite64,pwritev,fdatasync,fsync,ftruncate,rename,renameat,renameat2,unlink,unlinkat"
FILE_CALLS = f"{DURABILITY_CALLS},openat,mkdir,mkdirat,flock,fcntl"

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (apt install strace)")


@contextmanager
def injected(fork: Fork, calls: str, effect: str) -> Iterator[None]:
    """Attach strace to a stopped fork, inject `effect` (`signal=KILL:when=7`) into `calls`, and let it go on."""
    _wait_for(lambda: _status(fork.pid, "State").startswith("T"), "the fork to stop")
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-e", f"trace={calls}", "-e", f"inject={calls}:{effect}", "-o", "/dev/null",
         "-p", str(fork.pid)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(lambda: _status(fork.pid, "TracerPid") != "0" or tracer.poll() is not None, "strace")
        assert tracer.poll() is None, "strace could not attach"
        fork.signal(signal.SIGCONT)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            tracer.terminate()
        tracer.wait()


def _status(pid: int, key: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{key}:"))


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.002)
