"""One process owns a data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vedette.model.errors import StoreError, StoreLocked
from vedette.store import DataFolder, owner_of

HOLDER = """
import sys, time
from pathlib import Path
from vedette.store import DataFolder
folder = DataFolder(Path(sys.argv[1]))
folder.publish_address("http://127.0.0.1:8700")
print("held", flush=True)
sys.stdin.readline()
"""


def start_holder(path: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "a" / "b") as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        assert folder.free_bytes() > 0
        assert folder.database_path.parent == folder.path


def test_a_folder_in_use_is_refused_with_who_uses_it(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    try:
        with pytest.raises(StoreLocked, match=rf"pid {holder.pid}, http://127.0.0.1:8700\).*--data-dir"):
            DataFolder(tmp_path)
        owner = owner_of(tmp_path)
        assert owner is not None
        assert (owner.pid, owner.address) == (holder.pid, "http://127.0.0.1:8700")
    finally:
        holder.communicate("\n")


def test_a_killed_owner_leaves_the_folder_free(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert owner_of(tmp_path) is None
    DataFolder(tmp_path).close()


def test_a_closed_folder_can_be_taken_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with pytest.raises(StoreLocked):
        DataFolder(tmp_path)
    folder.close()
    folder.close()
    assert owner_of(tmp_path) is None
    DataFolder(tmp_path).close()


def test_a_folder_that_cannot_be_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/data .*--data-dir"):
        DataFolder(tmp_path / "file" / "data")


def test_nobody_owns_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert owner_of(tmp_path / "missing") is None
