"""Whether a file still is, or again is, what a position speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from vedette.model.positions import HEAD_BYTES, TAIL_BYTES, Position
from vedette.sources.files.content import Content

RandomBits = Callable[[int], int]
"""Like `secrets.randbits`."""


def fingerprint(data: bytes) -> str:
    """Hexadecimal BLAKE2b-128."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def new_generation(random_bits: RandomBits) -> int:
    """A number for one life of a file: 63 random bits, never 0."""
    while not (number := random_bits(63)):
        pass
    return number


def is_same_content(position: Position, content: Content, *, is_same_place: bool) -> bool:
    """Whether `content` begins with what was read up to `position`, by the hashes of its head and of the bytes
    before the offset. With nothing read yet only the place (device and inode) speaks. May read (and unpack) the
    file up to the offset; raises SourceError."""
    if not content.is_compressed and content.facts().size < position.offset:
        return False
    if position.head_length == 0:
        return is_same_place
    head = content.read_at(0, position.head_length)
    if len(head) < position.head_length or fingerprint(head) != position.head_hash:
        return False
    tail = content.read_at(position.offset - position.tail_length, position.tail_length)
    return len(tail) == position.tail_length and fingerprint(tail) == position.tail_hash


def is_copy_of(copy: Content, original: Content) -> bool:
    """Whether `copy` (plain or compressed) holds what plain `original` holds, or one of the two is the beginning of the
    other: by their heads and the end of the shorter one."""
    size = original.facts().size
    shared = size if copy.is_compressed else min(copy.facts().size, size)
    if not shared:
        return False
    if copy.read_at(0, min(HEAD_BYTES, shared)) != original.read_at(0, min(HEAD_BYTES, shared)):
        return False
    last = max(0, shared - TAIL_BYTES)
    return copy.read_at(last, shared - last) == original.read_at(last, shared - last)
