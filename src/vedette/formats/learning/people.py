"""Who and from where, said in the middle of a message: `login refused for anna from 192.0.2.7 port 4711`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

_IP: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]+"
_PEER: Final = rf"\[?(?P<source.address>{_IP})\]?(?:(?::| port )(?P<source.port>[0-9]{{1,5}}))?\b"
_USER: Final = r"""\b(?:for|user|account|login|by)[ =:]+(?:user )?['"]?(?P<user.name>[^\s'",;]+)['"]?"""
_FROM: Final = r"\b(?:from|client|peer|rhost|src|source|remote|ip|addr|address)"
_NO_MORE: Final = "(?:[^f]|f[^r])*f?"
"""To the end without another `from`."""
_SAYINGS: Final = (
    (rf".*{_USER},? +(?:from|at|via)[ =:]+{_PEER}{_NO_MORE}", {"user.name", "source.address", "source.port"}),
    (rf".*{_FROM}[ =:]+{_PEER}.*", {"source.address", "source.port"}),
)
"""The last such place of a message counts: what comes before may hold what a stranger wrote."""
_MESSAGE: Final = "(?P<message>.*)$"
_OFTEN: Final = 0.05
_FEWEST: Final = 3


def with_people(pattern: str, names: set[str], lines: Sequence[str]) -> Iterator[str]:
    """The pattern, and before it those for messages that name a peer or a user, where the lines have such messages and
    the pattern does not know the peer already."""
    if pattern.endswith(_MESSAGE):
        head = pattern.removesuffix(_MESSAGE)
        series = pl.Series("line", list(lines), dtype=pl.String)
        for saying, told in _SAYINGS:
            if told & names:
                continue
            wanted = f"{head}(?P<message>{saying})$"
            fits = series.str.contains(f"(?s){wanted}")
            if int(fits.sum()) >= max(_FEWEST, _OFTEN * len(lines)):
                yield wanted
                series = series.filter(~fits)
    yield pattern
