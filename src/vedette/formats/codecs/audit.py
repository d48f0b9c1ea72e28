"""Records of the Linux audit system, each by itself.

What the kernel cannot trust it writes in hexadecimal and without quotes: names of files and users, arguments, whole
command lines.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from vedette.formats.codecs.keyed import Captures
from vedette.formats.codecs.keyvalue import KeyValueFormat
from vedette.formats.contract import ParseContext

_ENCODED_KEYS: Final = (
    "proctitle",
    "cmd",
    "acct",
    "name",
    "cwd",
    "comm",
    "exe",
    "data",
    "dir",
    "old",
    "new",
    "path",
    "vm",
)
_ARGUMENT: Final = r"^a[0-9]+(?:\[[0-9]+\])?$"
_HEXADECIMAL: Final = (
    r"^(?:[0-7][0-9A-F]|(?:C[2-9A-F]|D[0-9A-F])[89AB][0-9A-F]|E0[AB][0-9A-F][89AB][0-9A-F]"
    r"|E[1-9A-CEF](?:[89AB][0-9A-F]){2}|ED[89][0-9A-F][89AB][0-9A-F]|F0[9AB][0-9A-F](?:[89AB][0-9A-F]){2}"
    r"|F[1-3](?:[89AB][0-9A-F]){3}|F48[0-9A-F](?:[89AB][0-9A-F]){2}){2,}$"
)
"""Two characters or more of UTF-8 (RFC 3629 section 4): other digits are left as they are."""
_TYPE: Final = "fields.type"
_EXECVE: Final = "EXECVE"


class AuditFormat(KeyValueFormat):
    """Adds `event.action` after the type, and, of EXECVE, the arguments as one command line."""

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        pairs, captures = self.read_marked_pairs(lines)
        is_execve = captures[_TYPE] == _EXECVE
        frame = pairs.with_columns(is_argument=is_execve.gather(pairs["row"]) & pairs["key"].str.contains(_ARGUMENT))
        text = pl.col("text")
        may_be_encoded = (pl.col("key").is_in(_ENCODED_KEYS) | pl.col("is_argument")) & ~pl.col("is_quoted")
        is_encoded = may_be_encoded & text.str.contains(_HEXADECIMAL)
        if frame.select(is_encoded.any()).item():
            decoded = pl.when(is_encoded).then(text).str.decode("hex", strict=False).cast(pl.String, strict=False)
            shown = decoded.str.replace_all("\0", " ", literal=True).str.strip_chars_end()
            frame = frame.with_columns(text=pl.coalesce(shown, text))
        added = {"event.action": captures[_TYPE].str.to_lowercase().str.replace_all("_", "-", literal=True)}
        if is_execve.any():
            added["process.command_line"] = _command_lines(frame, lines.len())
        return frame.drop("is_argument", "is_quoted"), {**captures, **added}


def _command_lines(pairs: pl.DataFrame, height: int) -> pl.Series:
    """The arguments of each row in their order, with blanks between them."""
    lines = pairs.filter("is_argument").group_by("row", maintain_order=True).agg(pl.col("text").str.join(" "))
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return rows.join(lines, on="row", how="left", maintain_order="left")["text"]
