"""How programs write a moment: the layouts by name.

A layout is one regular expression, written with the tokens of _TOKENS. Its captures say what their text means:

| capture | meaning |
|---|---|
| `year`, `yy` | four or two digits (70-99 are 19yy); neither: inferred from the reference time |
| `month`, `mon` | digits, or a name of MONTHS |
| `day`; `yday`; `week` and `weekday` | day of the month; of the year; ISO 8601 week and day of the week |
| `hour`, `minute`, `second` | digits; `second` may be left out, without `hour` the day begins |
| `ampm` | a name of HALVES |
| `fraction`, `attached`; `millis` | 1-9 digits of a second; 1-3 digits that count milliseconds |
| `zone`, `bias` | Z, an offset, a name of ZONES or an IANA name; minutes *west* of Greenwich |
| `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, `epoch_exp` | time since 1970 in that unit; seconds with an exponent |
| `below` | digits behind the point of milliseconds |
| `filetime`, `ticks`, `webkit`, `cocoa` | 100 ns since 1601; since the year 1; microseconds since 1601; s since 2001 |
| `tai_s`, `tai_ns` | hexadecimal TAI64N |

Where no day is written it comes from the reference time. Layouts ask for digits, never for certain ones: what fits a
stamp fits all stamps that differ from it in digits alone, and the reader relies on it.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

_LETTER: Final = r"[^\W\d_]"
_HALF: Final = r"[AaPp]\.?[Mm]\b\.?|[ap]\. ?m\.|上午|下午|午前|午後|오전|오후"
_FRACTION: Final = r"(?:[.,](?P<fraction>[0-9]{1,9})[0-9]*|:(?P<millis>[0-9]{1,3}))?"
_CLOCK: Final = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

_TOKENS: Final = {
    "year": r"(?P<year>[0-9]{4})",
    "yy": r"(?P<yy>[0-9]{2})",
    "any-year": r"(?:(?P<year>[0-9]{4})|'?(?P<yy>[0-9]{2}))",
    "year-and": r"(?:(?P<year>[0-9]{4})(?:,?\s+|[:T_-])|'?(?P<yy>[0-9]{2})(?:,?\s+|[T_-]))",
    "month": r"(?P<month>[0-9]{1,2})",
    "mm": r"(?P<month>[0-9]{2})",
    "mon": rf"(?P<mon>{_LETTER}{{2,12}}|[0-9]{{1,2}}月)\.?",
    "day": r"(?P<day>[0-9]{1,2})",
    "dd": r"(?P<day>[0-9]{2})",
    "yday": r"(?P<yday>[0-9]{3})",
    "weekday": rf"(?:{_LETTER}{{1,12}}\.?,?\s+)?",
    "to": r"(?:[Tt_:;|/-]|,?\s{1,2}(?:at |um |time=\"?)?|,(?:time=\"?)?|\s-\s)",
    "hms": r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})",
    "clock": rf"{_CLOCK}{_FRACTION}(?:\s?(?P<ampm>{_HALF}))?",
    "minutes": r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    rf"{_FRACTION})?(?:\s?(?P<ampm>{_HALF}))?",
    "dots": rf"(?P<hour>[0-9]{{1,2}})\.(?P<minute>[0-9]{{2}})(?:\.(?P<second>[0-9]{{2}}){_FRACTION})?"
    rf"(?:\s?(?P<ampm>{_HALF}))?",
    "loose": rf"(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{1,2}}):(?P<second>[0-9]{{1,2}}){_FRACTION}",
    "zone": r"(?:,?\s?(?:(?P<zone>[Zz]|(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2}|[0-9])?|[A-Z]{2,5}"
    r"|[A-Z][a-zA-Z]+(?:/[A-Z][\w+-]+){1,2})"
    r"(?:\s?\([^)]*\)|\[[^\]]*\]| [A-Z]{3,4})?|Uhr)(?: m=[+-][0-9.]+)?)?",
    "zone-within": r"(?:(?P<zone>(?:UTC|GMT)?[+-][0-9]{2}:?[0-9]{2}|[A-Z]{1,5})\s)?",
}


def _layout(template: str) -> str:
    return re.sub(r"(?<!\?P)<([a-z-]+)>", lambda token: _TOKENS[token[1]], template)


LAYOUTS: Final = MappingProxyType(
    {
        name: _layout(template)
        for name, template in {
            "iso": r"<year>-<month>-<day><to><minutes><zone>",
            "iso-basic": r"<year><mm><dd>[Tt_ :-]?<hms>(?:[.,](?P<fraction>[0-9]{1,9})|(?P<attached>[0-9]{6}|[0-9]{3}))?<zone>",
            "iso-basic-minutes": r"<year><mm><dd>[Tt_ -](?P<hour>[0-9]{2})(?P<minute>[0-9]{2})<zone>",
            "iso-week": r"<year>-?W(?P<week>[0-9]{2})-?(?P<weekday>[0-9])(?:<to><minutes><zone>)?",
            "iso-dots": r"<year>[./-]<month>[./-]<day><to><dots><zone>",
            "yday": r"<year>[-.:/]<yday>(?:[Tt .:_/-]<minutes><zone>)?",
            "date": r"<year>[./-]<month>[./-]<day>",
            "syslog": r"[*.]?<weekday><mon>\s+<day>(?:,?\s+<year>)?\s+<clock>:?<zone>",
            "ctime": r"<weekday><mon>\s+<day>\s+<clock>\s<zone-within><year>",
            "ctime-zoned": r"<weekday><mon>\s+<day>\s+<clock>\s<year>\s<zone>",
            "ctime-day-first": r"<weekday><day>\.?\s+<mon>,?\s+<clock>\s<zone-within><year>",
            "clf": r"<day>[/-]<mon>[/-]<year>(?: |::?)<clock><zone>",
            "rfc2822": r"<weekday><day>\.?[ ./-]*(?:de )?<mon>[ ./-]*(?:de )?<year-and>(?:at |à |um )?<minutes><zone>",
            "mon-day-year": r"<weekday><mon>[ /.-]+<day>(?:st|nd|rd|th)?[, /.-]+<year>(?:,?\s+(?:at )?|[:T_-])<minutes><zone>",
            "mon-day-yy": r"<mon>-<dd>-<yy>\s<clock>",
            "mon-day": r"<weekday><mon>[ /-]+<day>(?:,?\s+(?:at )?|:)<minutes><zone>",
            "day-mon": r"<weekday><day>\.?[ ./-]?<mon>(?:,?\s+|:)<minutes><zone>",
            "year-mon-day": r"<year>\.?[ /.-]<mon>[ /.-]+<day>\.?<to><minutes><zone>",
            "oracle": r"<day>[ /-]<mon>[ /-]<any-year>\s<dots><zone>",
            "ymd-slashes": r"<year>[/.]<month>[/.]<day>\.?<to><minutes><zone>",
            "ymd-colons": r"<year>:<month>:<day>[ T_-]<clock><zone>",
            "ymd-compact": r"[A-Z]?<year><mm><dd>[Tt_ :-]<loose><zone>",
            "ymd-words": r"<year>\s?[年년./-]\s?<month>\s?[月월./-]\s?<day>\s?[日일.]?\s*(?:[(（]?"
            + _LETTER
            + r"{1,3}[)）]?\s+)??"
            + rf"(?P<ampm>{_HALF})?\s*(?P<hour>[0-9]{{1,2}})\s?(?:[:時时点시])\s?(?P<minute>[0-9]{{2}})"
            r"(?:\s?[:分분]\s?(?P<second>[0-9]{2})[秒초]?)?",
            "yymmdd-hhmmss": r"<yy><mm><dd>(?:\s+|[T_-])(?P<hour>[0-9]{1,2}):?(?P<minute>[0-9]{2}):?(?P<second>[0-9]{2})"
            r"(?:[.,](?P<fraction>[0-9]{1,9}))?<zone>",
            "yymmddhhmmss": r"<yy><mm><dd><hms><zone>",
            "yy-slashes": r"<yy>[./-]<mm>[./-]<dd><to><minutes><zone>",
            "dmy": r"<day>[./-]<month>[./-]<any-year><to><minutes><zone>",
            "mdy": r"<month>[./-]<day>[./-]<any-year><to><minutes><zone>",
            "dmy-dots": r"<day>[./-]<month>[./-]<any-year><to><dots><zone>",
            "month-dot-day": r"<mm>\.<dd> <clock>",
            "month-day": r"<month>[/-]<day><to><clock><zone>",
            "day-month": r"<day>[./-]<month>\.?<to><clock><zone>",
            "glog": r"[A-Z]?<mm><dd>\s+<clock>",
            "chromium": r"<year>?<mm><dd>/<hms>(?:\.(?P<fraction>[0-9]{3,6}))?",
            "clock": r"<clock><zone>",
            "clock-mon-day": r"[*.]?<clock>(?:\s<zone-within>|,\s?)<weekday><mon>\s+<day>(?:,?\s+<year>)?",
            "clock-day-mon": r"[*.]?<clock>(?:\s<zone-within>|,\s?)<weekday><day>\.?[ ./-]<mon>[ ./-]<any-year>",
            "clock-ymd": r"<clock>(?:\s<zone-within>|,\s?)<year>[./-]<month>[./-]<day>",
            "clock-dmy": r"<clock>(?:\s<zone-within>|,\s?)<day>[./-]<month>[./-]<any-year>",
            "clock-mdy": r"<clock>(?:\s<zone-within>|,\s?)<month>[./-]<day>[./-]<any-year>",
            "cmtrace": rf"{_CLOCK}(?:\.(?P<fraction>[0-9]{{1,9}}))?(?P<bias>[+-][0-9]{{1,3}})?\"?,? date=\"?<month>-<day>-<year>",
            "epoch-s": r"(?P<epoch_s>[0-9]{9,11})(?:[.,:](?P<fraction>[0-9]{1,9})[0-9]*)?s?",
            "epoch-ms": r"(?P<epoch_ms>[0-9]{12,13})(?:[.,](?P<below>[0-9]{1,3})[0-9]*)?(?:ms)?",
            "epoch-us": r"(?P<epoch_us>[0-9]{15,16})(?:\.[0-9]+)?(?:us)?",
            "webkit-us": r"(?P<webkit>[0-9]{17})",
            "filetime": r"(?P<filetime>[0-9]{18})",
            "dotnet-ticks": r"(?P<ticks>[0-9]{18})",
            "epoch-ns": r"(?P<epoch_ns>[0-9]{19})(?:\.[0-9]+)?(?:ns)?",
            "epoch-exp": r"(?P<epoch_exp>[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2})",
            "dotnet-date": r"\\?/Date\((?P<epoch_ms>-?[0-9]{1,14})(?:[+-][0-9]{4})?\)\\?/",
            "tai64n": r"@(?P<tai_s>[0-9a-f]{16})(?P<tai_ns>[0-9a-f]{8})",
            "errpt": r"<mm><dd>(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})<yy>",
            "epoch-2001": r"(?P<cocoa>[0-9]{9})(?:\.(?P<fraction>[0-9]{1,9})[0-9]*)?",
        }.items()
    }
)
"""Regular expressions of whole stamps by name, in the order they are tried."""

ONLY_BY_NAME: Final = frozenset({"errpt", "epoch-2001"})
"""Layouts that look like others and are used only where a format asks for them."""

RIVALS: Final = (
    ("dmy", "mdy", "yy-slashes"),
    ("month-dot-day", "month-day", "day-month"),
    ("clock-dmy", "clock-mdy"),
)
"""Layouts that differ in nothing but the order of day, month and year: the whole series of stamps decides."""
