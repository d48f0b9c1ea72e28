"""Writes small Windows event logs (EVTX), as [MS-EVEN6] and the parsers of it describe them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

_CHUNK_BYTES = 65_536
_RECORDS_FROM = 512
_STRING, _END_OF_STREAM = 0x01, 0x00
_OPEN, _OPEN_WITH_ATTRIBUTES, _CLOSE_START, _CLOSE_EMPTY, _END, _VALUE = 0x01, 0x41, 0x02, 0x03, 0x04, 0x05
_ATTRIBUTE, _ATTRIBUTE_AND_MORE = 0x06, 0x46


@dataclass(frozen=True, slots=True)
class Element:
    """An XML element: text or elements inside."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    inside: str | Sequence[Element] = ()


def event(
    number: int, at: datetime, *, event_id: int, channel: str, provider: str, computer: str, data: Mapping[str, str]
) -> Element:
    """An event as Windows writes it."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    system = (
        Element("Provider", {"Name": provider}),
        Element("EventID", inside=str(event_id)),
        Element("Level", inside="0"),
        Element("TimeCreated", {"SystemTime": stamp}),
        Element("EventRecordID", inside=str(number)),
        Element("Channel", inside=channel),
        Element("Computer", inside=computer),
    )
    values = tuple(Element("Data", {"Name": name}, text) for name, text in data.items())
    return Element("Event", inside=(Element("System", inside=system), Element("EventData", inside=values)))


def evtx_bytes(events: Sequence[Element], at: datetime) -> bytes:
    """A file with one chunk that holds the events, which have to fit into it."""
    chunk = bytearray(_RECORDS_FROM)
    last = 0
    for number, element in enumerate(events, start=1):
        last = len(chunk)
        chunk += _record(number, element, at, last)
    free = len(chunk)
    assert free <= _CHUNK_BYTES
    struct.pack_into("<8sQQQQ", chunk, 0, b"ElfChnk\0", 1, len(events), 1, len(events))
    struct.pack_into("<IIII", chunk, 40, 128, last, free, zlib.crc32(chunk[_RECORDS_FROM:free]))
    struct.pack_into("<I", chunk, 124, zlib.crc32(bytes(chunk[128:512]), zlib.crc32(bytes(chunk[:120]))))
    chunk += bytes(_CHUNK_BYTES - free)
    header = bytearray(4096)
    struct.pack_into("<8sQQQIHHHH", header, 0, b"ElfFile\0", 0, 0, len(events) + 1, 128, 1, 3, 4096, 1)
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120])))
    return bytes(header + chunk)


def _record(number: int, element: Element, at: datetime, offset: int) -> bytes:
    filetime = int((at.timestamp() + 11_644_473_600) * 10_000_000)
    body = bytes([0x0F, 1, 1, 0])
    body += _element(element, offset + 24 + len(body)) + bytes([_END_OF_STREAM])
    size = 24 + len(body) + 4
    return struct.pack("<4sIQQ", b"\x2a\x2a\0\0", size, number, filetime) + body + struct.pack("<I", size)


def _element(element: Element, offset: int) -> bytes:
    """The element with everything in it; `offset` is its place in the chunk."""
    head = 1 + 4
    body = _name(element.name, offset + head)
    if element.attributes:
        attributes = b""
        start = offset + head + len(body) + 4
        for index, (name, text) in enumerate(element.attributes.items(), start=1):
            is_last = index == len(element.attributes)
            attributes += bytes([_ATTRIBUTE if is_last else _ATTRIBUTE_AND_MORE])
            attributes += _name(name, start + len(attributes))
            attributes += _text(text)
        body += struct.pack("<I", len(attributes)) + attributes
    if not element.inside:
        body += bytes([_CLOSE_EMPTY])
    else:
        body += bytes([_CLOSE_START])
        if isinstance(element.inside, str):
            body += _text(element.inside)
        else:
            for inner in element.inside:
                body += _element(inner, offset + head + len(body))
        body += bytes([_END])
    token = _OPEN_WITH_ATTRIBUTES if element.attributes else _OPEN
    return struct.pack("<BI", token, len(body)) + body


def _name(name: str, offset: int) -> bytes:
    """A name where it stands first: its own place, then the name itself."""
    return struct.pack("<IIHH", offset + 4, 0, 0, len(name)) + name.encode("utf-16-le") + b"\0\0"


def _text(text: str) -> bytes:
    return struct.pack("<BBH", _VALUE, _STRING, len(text)) + text.encode("utf-16-le")
