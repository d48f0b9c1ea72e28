"""Typed values in messages: addresses, numbers, paths, times, ids …, each replaced by `<*>`.

One regular expression with one replacement, so that a column is masked in one linear pass. Which program wrote the
message plays no part: only what values look like.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

VARIABLE: Final = "<*>"

_EDGE: Final = r"(?-u:\b)"
_NO_EDGE: Final = r"(?-u:\B)"
_LETTERS: Final = r"\u{C0}-\u{24F}\u{370}-\u{52F}"
"""Latin, Greek and Cyrillic letters beyond ASCII. Scripts without spaces stay out: a number would take the whole
sentence around it along."""
_IN_ID: Final = rf"[A-Za-z0-9_+@%$#~!*^{_LETTERS}-]"
_ENDS_ID: Final = rf"[A-Za-z0-9_%$~*+^{_LETTERS}-]"
_LABEL: Final = r"[A-Za-z0-9_-]+"
_NUMBER: Final = r"[0-9]+(?:[.,][0-9]+){0,4}"
"""Bounded, or every number of a long list would be read to the list's end in search of a unit."""
_UNIT: Final = (
    r"(?:(?i:[kmgtp]?i?b|[kmgtp]?i?bytes?|[mun]s|m?secs?|usecs?|nsecs?|(?:milli|micro|nano)?seconds?|mins?|minutes?"
    r"|hours?|hrs?|days?)|[smhd])"
)
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_TOP_LEVEL_DOMAIN: Final = (
    r"(?:com|net|org|edu|gov|mil|biz|arpa|local|localdomain|lan|internal|corp|example|invalid|ar|at|au"
    r"|be|br|ca|ch|cl|cn|co|cz|de|dk|es|eu|fi|fr|gr|hk|hu|it|jp|kr|mx|my|nl|no|nz|pl|pt|ru|se|sg|th|tr|tw|ua|uk|vn|za)"
)
"""Names that end so are hosts. Those that are as often the end of a file, class or setting name are left out."""
_IN_PATH: Final = r"[A-Za-z0-9_.@%+~$*-]"
_ENDS_PATH: Final = r"[A-Za-z0-9_@%+~$*-]"

_QUERY: Final = r"(?:[?][^\s\"']*)?"

_VALUES: Final = (
    rf"(?:{_EDGE}{_DAY},? +)?{_EDGE}{_MONTH} +[0-9]{{1,2}}{_EDGE}",  # Tue Jul 26
    rf"{_EDGE}[0-9]{{1,2}}[ /-]{_MONTH}[ /-][0-9]{{2,4}}{_EDGE}",  # 26/Jul/2025
    rf"{_EDGE}[A-Za-z0-9_.+-]+@{_LABEL}(?:\.{_LABEL})+",  # mail address
    rf"{_EDGE}[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>()\[\]{{}},;|=`]*[A-Za-z0-9_/&#$%+*~-]{_QUERY}",  # URL
    rf"{_EDGE}[A-Za-z]:\\[^\s\"'<>()\[\]{{}},;|=`]+",  # C:\Windows
    rf"[A-Za-z0-9_.@~$-]*(?:/[A-Za-z0-9_.@%+~$:*!-]*{_ENDS_PATH}){{2,}}/?{_QUERY}",  # /var/log, a/b/c
    rf"{_NO_EDGE}/(?:{_IN_PATH}*{_ENDS_PATH}/?|{_NO_EDGE}){_QUERY}",  # /index.html?x=1, and / alone
    rf"{_EDGE}{_LABEL}(?:\.{_LABEL})+/[A-Za-z0-9_.$/-]*[A-Za-z0-9_$]",  # org.example.app/.Activity
    rf"(?:::ffff:|{_EDGE}(?:[0-9A-Fa-f]{{1,4}}:){{2,}}:?)[0-9A-Fa-f:.]*[0-9A-Fa-f]{_EDGE}(?:%[a-z0-9]+)?",  # IPv6, MAC
    rf"{_EDGE}{_LABEL}(?:\.{_LABEL})+:[0-9]{{1,5}}{_EDGE}",  # host.example:443, 192.0.2.7:22
    rf"<?-?{_EDGE}{_NUMBER} {_UNIT}{_EDGE}(?: \({_NUMBER} ?{_UNIT}\))?",  # <1 sec, 1165 bytes (1.13 KB)
    rf"[-+]?{_EDGE}[0-9]+(?::[0-9]{{2}})+(?:[.,][0-9]+)?{_EDGE}",  # 12:34:56.789
    rf"(?:{_IN_ID}+\.)*{_IN_ID}*[0-9](?:(?:\.?{_IN_ID})*{_ENDS_ID})?",  # numbers, and ids that hold a digit
    rf"{_EDGE}(?:{_LABEL}\.)+{_TOP_LEVEL_DOMAIN}{_EDGE}",
    rf"{_EDGE}(?:[a-f]{{7,}}|[A-F]{{7,}}){_EDGE}",  # hexadecimal that happens to hold no digit
    rf"{_EDGE}(?:true|True|TRUE|false|False|FALSE|null|NULL|nil|None){_EDGE}",
)
_VALUE: Final = "|".join(f"(?:{value})" for value in _VALUES)

_SPACES: Final = re.compile(r"\s+")
_SOMEONE: Final = r"(?:'[^']*'|\"[^\"]*\"|[^\s\[\](),;:'\"]+)"
_ACCOUNT: Final = re.compile(
    rf"\b((?:for|[Ii]nvalid|[Ii]llegal|[Uu]nknown|authenticating|mapped) user) +{_SOMEONE}"
    rf"|\b(for|User) +{_SOMEONE}(?= from <\*>)"
)
_NOTHING: Final = re.compile(r"(?:^|(?<= ))\(\)(?= |$)")
_RUN: Final = re.compile(r"<\*>(?:[:,/ @-]{0,2}<\*>)+")


def skeletons(messages: pl.Series, *, max_chars: int) -> pl.Series:
    """The first lines of messages, looked at up to `max_chars` characters, typed values masked. One row a message."""
    heads = messages
    if (heads.str.len_bytes().max() or 0) > max_chars:  # type: ignore[operator]  # bytes are a number
        is_cut = heads.str.len_chars() > max_chars
        heads = heads.zip_with(~is_cut, heads.str.slice(0, max_chars).str.replace(r"\S+$", ""))
    if heads.str.contains("\n", literal=True).any():
        heads = heads.str.strip_chars_start().str.replace(r"(?s)\n.*", "")
    return heads.str.replace_all(_VALUE, VARIABLE)


def tidy(skeleton: str) -> str:
    """The skeleton as a template's text. Doing it again changes nothing.

    Spaces count once; account names at the places where English puts them are values; an empty pair of parentheses
    that stands alone is an empty value; values in a row are one, so that lists of any length are the same.
    """
    text = _SPACES.sub(" ", skeleton.strip())
    text = _ACCOUNT.sub(lambda found: f"{found[1] or found[2]} {VARIABLE}", text)
    text = _NOTHING.sub(f"({VARIABLE})", text)
    return _RUN.sub(VARIABLE, text)
