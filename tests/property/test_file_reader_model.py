"""The scanner against a model: whatever writers, rotations, restarts and crashes do, each byte that stays readable is
given out exactly once."""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.logfiles import LogFolder, SteppedClock, check_exactly_once, positions_of, records_of
from vedette.model.entries import EntryBatch
from vedette.model.positions import Position
from vedette.sources.config import LogSourceConfig, MonitoringConfig
from vedette.sources.files.scanner import FileScanner

GRACE = 60.0
HEADER = b"".join(b"header line %03d of every file\n" % number for number in range(40))


class FollowedLog(RuleBasedStateMachine):
    """One log, one scanner; a crash forgets everything that was not committed."""

    @initialize(
        wants_folder=st.booleans(),
        has_header=st.booleans(),
        block=st.sampled_from([4096, 5000, 1 << 16]),
        even_rows=st.sampled_from([1, 3, 7, 1000]),
        seed=st.integers(),
    )
    def begin(self, wants_folder: bool, has_header: bool, block: int, even_rows: int, seed: int) -> None:
        self.even_rows = even_rows
        self.folder = Path(tempfile.mkdtemp())
        self.clock = SteppedClock()
        self.log = LogFolder(self.folder, self.clock)
        self.random = random.Random(seed)
        self.header = HEADER if has_header else b""
        paths = (str(self.folder if wants_folder else self.log.live),)
        self.config = LogSourceConfig(paths=paths, start="beginning", max_line_bytes=100_000)
        self.monitoring = MonitoringConfig(read_block_bytes=block, rotation_grace=timedelta(seconds=GRACE))
        self.count = 0
        self.given: list[EntryBatch] = []
        self.committed: list[EntryBatch] = []
        self.stored: dict[int, Position] = {}
        self.scanner = self.new_scanner()
        self.log.create()  # what was rotated before a source is first seen is not read
        self.given += self.scanner.step().batches
        self.commit()

    def new_scanner(self) -> FileScanner:
        scanner = FileScanner(
            self.config,
            self.monitoring,
            list(self.stored.values()),
            clock=self.clock,
            random_bits=self.random.getrandbits,
        )
        scanner.settings = replace(scanner.settings, even_rows=self.even_rows)
        return scanner

    def line(self, size: int, end: bytes) -> bytes:
        self.count += 1
        filler = random.Random(self.count).randbytes(size // 2).hex().encode()
        return b"line %d " % self.count + filler + end

    def begun(self) -> bytes:
        """The header every new file begins with, and one line that tells it from the others: files that are alike up to
        the last position cannot be told apart by anyone."""
        content = self.log.files.get("app.log")
        if not self.header or (content and content.data):
            return b""
        return self.header + self.line(0, b"\n")

    @rule(
        sizes=st.lists(st.sampled_from([0, 3, 70, 900, 5000]), min_size=1, max_size=6),
        end=st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
    )
    def append(self, sizes: list[int], end: bytes) -> None:
        self.log.end_copy()
        self.log.append(self.begun() + b"".join(self.line(size, end) for size in sizes))

    @rule(size=st.sampled_from([0, 10, 5000]), tail=st.sampled_from([b"", b"\r", b"\xc3", b"\xff\\"]))
    def append_a_part(self, size: int, tail: bytes) -> None:
        self.log.end_copy()
        self.log.append(self.begun() + self.line(size, tail))

    @rule(creates=st.booleans())
    def rotate(self, creates: bool) -> None:
        self.log.end_copy()
        self.log.rotate(creates=creates)

    @rule()
    def copytruncate(self) -> None:
        self.log.end_copy()
        self.log.copytruncate()

    @rule(share=st.sampled_from([0, 0.5, 1]))
    def begin_copy(self, share: float) -> None:
        self.log.begin_copy(share)

    @rule(number=st.integers(1, 3))
    def compress(self, number: int) -> None:
        self.log.end_copy()
        self.log.compress(number)

    @rule(sizes=st.lists(st.sampled_from([0, 40]), min_size=1, max_size=3))
    def truncate(self, sizes: list[int]) -> None:
        self.log.end_copy()
        self.log.regrow(self.begun() + b"".join(self.line(size, b"\n") for size in sizes))

    @rule()
    def truncate_and_grow_to_the_same_size(self) -> None:
        self.log.end_copy()
        content = self.log.files.get("app.log")
        if content and len(content.data) > len(self.header) + 40:
            line = self.begun() + self.line(2 * len(content.data), b"")
            self.log.regrow(line[: len(content.data) - 1] + b"\n")

    @rule()
    def delete(self) -> None:
        self.log.end_copy()
        self.log.delete()

    @precondition(lambda self: self.can_write_late())
    @rule(size=st.sampled_from([0, 3000]))
    def write_to_the_rotated_file(self, size: int) -> None:
        self.log.end_copy()
        self.log.append_late(self.line(size, b"\n"))

    def can_write_late(self) -> bool:
        content = self.log.files.get("app.log.1")
        return bool(content and content.rotated_at is not None and self.clock.seconds - content.rotated_at < GRACE)

    @rule(seconds=st.sampled_from([3, 3, 3, 61]))
    def step(self, seconds: int) -> None:
        self.given += self.scanner.step().batches
        self.clock.seconds += seconds

    @rule()
    def commit(self) -> None:
        self.committed += self.given
        self.stored |= positions_of(self.given)
        self.given = []

    @rule(commits=st.booleans())
    def restart(self, commits: bool) -> None:
        if commits:
            self.commit()
        self.given = []
        self.scanner.close()
        self.scanner = self.new_scanner()

    @invariant()
    def nothing_is_given_out_twice(self) -> None:
        seen: set[tuple[int, int]] = set()
        for generation, records in records_of([*self.committed, *self.given]).items():
            for offset, _, _ in records:
                assert (generation, offset) not in seen
                seen.add((generation, offset))

    def teardown(self) -> None:
        if not hasattr(self, "scanner"):
            return
        self.log.end_copy()
        if "app.log" not in self.log.files:
            self.log.append(self.line(0, b"\n"))
        self.log.append(b"\n")
        for _ in range(8):
            while (step := self.scanner.step()).is_busy or step.batches:
                self.given += step.batches
            self.clock.seconds += 61
        self.scanner.close()
        check_exactly_once(self.log.contents, [*self.committed, *self.given])
        shutil.rmtree(self.folder)


TestFollowedLog = FollowedLog.TestCase
TestFollowedLog.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
