"""Faults 15 to 18: lines without end, NUL, holes, bytes that are no text, other encodings."""

from __future__ import annotations

import hashlib
import os
import random
import time

import pytest

from support.faults import assert_payloads
from support.process import Server, stored_events
from support.world import World

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


def test_a_line_of_ten_megabytes_is_cut_and_the_next_is_intact(world: World) -> None:
    """Fault 15. Guard: the rest of an overlong line is skipped to its end, not taken for lines."""
    writer = world.writer()
    writer.write(3)
    giant = random.Random(15).randbytes(5 * MIB).hex().encode()
    with Server([world.log], world.data) as server:
        server.wait_for_events(3)
        with world.log.open("ab", buffering=0) as file:
            for start in range(0, len(giant), 300_000):
                file.write(giant[start : start + 300_000])
            file.write(b"\nafter it\n")
        server.wait_for_events(5)
        server.stop()
    *_, cut, after = stored_events(world.data)
    assert "cut" in cut["vedette.marks"].split()
    assert cut["log.length"] == len(giant) + 1
    assert giant.startswith(cut["event.original"].encode())
    assert len(cut["event.original"]) > 1000
    assert cut["fields"]["event.hash"] == hashlib.sha256(giant + b"\n").hexdigest()
    assert after["event.original"] == "after it"
    assert after["log.offset"] == cut["log.offset"] + len(giant) + 1


def test_a_file_without_line_ends_does_not_fill_memory(world: World) -> None:
    """Fault 15. Guard: an overlong line is hashed as it comes, not kept."""
    world.log.write_bytes(b"first\n")
    with Server([world.log], world.data) as server:
        server.wait_for_events(1)
        before = server.peak_memory
        block = os.urandom(MIB).replace(b"\n", b" ").replace(b"\r", b" ")
        with world.log.open("ab") as file:
            for _ in range(int(os.environ.get("VEDETTE_FAULT_ENDLESS_MIB", "300"))):
                file.write(block)
            file.write(b"\nlast\n")
        server.wait_for_events(3)
        assert server.peak_memory - before < 200 * MIB
        server.stop()
    assert stored_events(world.data)[-1]["event.original"] == "last"


def test_nul_bytes_and_holes_are_kept(world: World) -> None:
    """Fault 16. Guard: NUL is a byte like others; only a long run before a line is a hole, and that is counted."""
    writer = world.writer()
    for payload in (b"before", b"with\0in it", b"\0", b"\0\0\0begins", b"ends\0\0", b"x\\0y \\x00 literally"):
        writer.write_line(payload)
    with Server([world.log], world.data) as server:
        server.wait_for_events(6)
        hole = 50_000
        os.truncate(world.log, writer.size + hole)
        with world.log.open("ab") as file:
            file.write(b"behind the hole\n")
        server.wait_for_events(7)
        (source,) = server.get("/sources")["sources"]
        assert source["ledger"]["hole_bytes"] == hole
        server.stop()
    *stored, behind = stored_events(world.data)
    assert_payloads(stored, writer.written)
    assert behind["event.original"] == "behind the hole"
    assert behind["log.offset"] == writer.size + hole


def test_bytes_that_are_no_text_can_be_had_back(world: World) -> None:
    """Fault 17. Guard: escaping is reversible: backslashes are doubled where bytes are escaped."""
    chance = random.Random(17)
    writer = world.writer()
    fixed = [
        b"caf\xe9",
        b"\xff\xfe",
        b"\xc3",
        b"ok \xe2\x82\xac",
        b"back\\slash \xff \\x41",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ]
    for payload in fixed:
        writer.write_line(payload)
    for _ in range(300):
        payload = chance.randbytes(chance.randrange(1, 60)).replace(b"\n", b"_").replace(b"\r", b"_")
        writer.write_line(payload)
    with Server([world.log], world.data) as server:
        server.wait_for_events(len(writer.written))
        server.stop()
    world.assert_exact(writer)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_encodings_come_out_the_same_however_they_are_written(world: World, encoding: str, end: str) -> None:
    """Fault 18. Guard: a chunk may end inside a character, a line end, or the byte order mark."""
    chance = random.Random(f"{encoding}{end!r}")
    lines = [f"Zeile {number} äöü € 𝄞 {'·' * chance.randrange(40)}" for number in range(200)]
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    content = mark + "".join(line + end for line in lines).encode(encoding)
    world.log.touch()
    with Server([world.log], world.data) as server, world.log.open("ab", buffering=0) as file:
        start = 0
        while start < len(content):
            size = chance.choice((1, 2, 3, 7, 64, 501))
            file.write(content[start : start + size])
            start += size
            if chance.random() < 0.05:
                time.sleep(0.03)
        server.wait_for_events(len(lines))
        server.stop()
    events = stored_events(world.data)
    assert [event["event.original"] for event in events] == lines
    assert len({event["event.id"] for event in events}) == len(lines)
