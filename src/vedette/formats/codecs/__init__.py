"""How lines are taken apart: one module a way. A new codec is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from vedette.formats.codecs.audit import AuditFormat
from vedette.formats.codecs.cef import CefFormat, LeefFormat
from vedette.formats.codecs.json import JsonFormat
from vedette.formats.codecs.keyvalue import KeyValueFormat
from vedette.formats.codecs.line import LineFormat
from vedette.formats.codecs.logfmt import LogfmtFormat
from vedette.formats.codecs.pattern import PatternFormat, PlainFormat
from vedette.formats.codecs.separated import CsvFormat, W3cFormat
from vedette.formats.codecs.syslog import Rfc5424Format, SyslogFormat
from vedette.formats.codecs.windows import WindowsFormat

CODECS: Final[Mapping[str, type[LineFormat]]] = MappingProxyType(
    {
        "pattern": PatternFormat,
        "syslog": SyslogFormat,
        "syslog-rfc5424": Rfc5424Format,
        "json": JsonFormat,
        "logfmt": LogfmtFormat,
        "keyvalue": KeyValueFormat,
        "auditd": AuditFormat,
        "csv": CsvFormat,
        "w3c": W3cFormat,
        "cef": CefFormat,
        "leef": LeefFormat,
        "windows": WindowsFormat,
        "plain": PlainFormat,
    }
)

__all__ = ["CODECS", "LineFormat"]
