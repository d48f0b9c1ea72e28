"""Where reading resumes, and what identifies the file it resumes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

HEAD_BYTES = 1024
TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """How far one generation of one file is stored. Key: (source_id, generation).

    A *generation* is one life of a file's content: it survives a rename and compression, and ends when other
    content stands behind the name. `offset` counts bytes of the (decompressed) file; everything before it is
    committed. `head_hash` covers the first `head_length` bytes (at most HEAD_BYTES), `tail_hash` the
    `tail_length` bytes that end at `offset` (at most TAIL_BYTES); both are hexadecimal BLAKE2b-128. Both stamps
    are the file system's own time of change of the file, 0 where it is not known: when the generation was first met,
    and when it was last read.
    """

    source_id: str
    generation: int
    path: str
    device: int
    inode: int
    head_length: int
    head_hash: str
    offset: int
    tail_length: int
    tail_hash: str
    encoding: str
    updated_at: datetime
    is_finished: bool = False
    first_modified_ns: int = 0
    modified_ns: int = 0
