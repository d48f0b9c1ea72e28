"""What stamps look like inside a line: coarser than the layouts, and quick in patterns that try many lines."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_ZONE: Final = (
    r"(?: ?(?:[Zz]\b|(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?\b(?: \([^)]*\))?|(?:UTC|GMT|[CEW]ES?T|MES?Z|BST|MSK|[ECMP][SD]T"
    r"|AK[SD]T|HST|A[CEW][SD]T|NZ[SD]T|[JKI]ST|SAST|SGT|HKT)\b|[A-Z][a-z]+/[A-Z]\w+))?"
)
_HALF: Final = r"(?: ?(?:[AaPp]\.?[Mm]\b\.?|[上下]午|午[前後]|오[전후]))?"
_TIME: Final = rf"[0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}}(?:[.,][0-9]{{1,9}}|:[0-9]{{3}})?{_HALF}"
_MINUTES: Final = rf"[0-9]{{1,2}}[:.][0-9]{{2}}(?:[:.][0-9]{{2}}(?:[.,:][0-9]{{1,9}})?)?{_HALF}"
_LETTER: Final = r"[^\s0-9/.:,;\[\](){}<>|=\"'*#_+-]"
_NAME: Final = rf"(?:{_LETTER}{{3,10}}\.?|[0-9]{{1,2}}月|[十一二三四五六七八九]{{1,2}}月)"
_WEEKDAY: Final = rf"(?:{_LETTER}{{2,10}}\.?,? )?"

STAMP_FRAGMENTS: Final = MappingProxyType(
    {
        "iso": rf"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[Tt_:-]|,?\s{{1,2}}){_MINUTES}{_ZONE}",
        "bsd": rf"[*.]?{_WEEKDAY}{_NAME}[ /-] ?[0-9]{{1,2}}(?:(?:,? |/|-)[0-9]{{4}},?)? (?:at )?{_TIME}{_ZONE}"
        r"(?: (?:19|20)[0-9]{2}\b)?",
        "clf": rf"{_WEEKDAY}[0-9]{{1,2}}[/-]{_NAME}[/-][0-9]{{2,4}}[: ]{_TIME}{_ZONE}",
        "rfc2822": rf"{_WEEKDAY}[0-9]{{1,2}}\.? ?(?:de )?{_NAME}(?: ?(?:de )?[0-9]{{2,4}},?)?[ :](?:à )?{_TIME}{_ZONE}",
        "worded": rf"[0-9]{{4}}[ .-]{{1,2}}{_NAME}[ .-]{{1,2}}[0-9]{{1,2}}\.? {_TIME}{_ZONE}"
        rf"|[0-9]{{4}}:[0-9]{{2}}:[0-9]{{2}}[ -]{_TIME}"
        rf"|[0-9]{{4}} ?[年년] ?[0-9]{{1,2}} ?[月월] ?[0-9]{{1,2}} ?[日일](?:\(\w\))?{_HALF}"
        r" ?[0-9]{1,2}[:時时시][0-9]{2}(?:[:分분][0-9]{2}[秒초]?)?",
        "slashes": rf"[0-9]{{1,4}}/[0-9]{{1,2}}(?:/[0-9]{{2,4}})?(?:[T-]|,? {{1,2}}|,){_MINUTES}{_ZONE}",
        "compact": rf"[0-9]{{6}} +(?:[0-9]{{6}}|{_TIME})|[0-9]{{8}}[T -]{_TIME}"
        rf"|[0-9]{{8}}[T _-]?[0-9]{{6}}(?:[.,][0-9]{{1,9}})?{_ZONE}",
        "dotted": rf"[0-9]{{1,4}}\.[0-9]{{1,2}}\.[0-9]{{2,4}}(?:[T-]|,? {{1,2}}){_MINUTES}{_ZONE}"
        rf"|[0-9]{{2}}\.[0-9]{{2}}\.? {_TIME}",
        "dashes": rf"[0-9]{{1,2}}-[0-9]{{1,2}}(?:-[0-9]{{2,4}})? {_TIME}{_ZONE}",
        "clock": _TIME,
        "epoch": r"(?:[0-9]{10}(?:\.[0-9]{1,9})?|[0-9]{13}|[0-9]{16}|[0-9]{19})\b",
    }
)
"""Regular expressions by name; all but `clock` and `epoch` are dates."""

ANY_STAMP: Final = "|".join(text for name, text in STAMP_FRAGMENTS.items() if name not in ("clock", "epoch"))
"""Any of the dates."""
