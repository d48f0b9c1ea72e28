"""Every error Vedette raises on purpose.

VedetteError
├── SettingsError          a setting, flag or configuration value is wrong: which value, what to do
├── QueryError             a search query is wrong: where, and what was probably meant
├── FormatError            a format file is broken: file, key, remedy
├── SourceError            a source cannot be read now; the supervisor retries
│   └── SourceUnreadable   missing, no permission, a folder, not a text file
└── StoreError             the store refused
    ├── StoreLocked        another process owns the data folder
    ├── StoreFull          no space is left; the same commit may be repeated
    ├── StoreCorrupt       the file cannot be opened
    └── StoreBroken        the database needs to be reopened; the same commit may be repeated

The text of each is one sentence that names the value and the remedy.
"""

from __future__ import annotations


class VedetteError(Exception):
    """The root; the command line prints its text and exits with status 2."""


class SettingsError(VedetteError):
    """A setting, flag or configuration value is wrong."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class QueryError(VedetteError):
    """A query is wrong at `position` (0-based character index into `text`)."""

    def __init__(self, message: str, *, text: str, position: int, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.text = text
        self.position = position
        self.suggestion = suggestion


class FormatError(VedetteError):
    """A format file is broken; only that format is disabled."""


class SourceError(VedetteError):
    """A source cannot be read at the moment."""


class SourceUnreadable(SourceError):
    """The path is missing, forbidden, or not a text file."""


class StoreError(VedetteError):
    """The store refused an operation."""


class StoreLocked(StoreError):
    """Another process owns the data folder."""


class StoreFull(StoreError):
    """No space is left on the device. Nothing of the commit was kept; repeat it when there is space."""


class StoreCorrupt(StoreError):
    """The database file cannot be opened."""


class StoreBroken(StoreError):
    """The database reported a fatal state and is being reopened; repeat the commit."""
