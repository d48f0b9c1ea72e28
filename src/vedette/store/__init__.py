"""Where events, findings and positions live: one contract, several keepers."""

from vedette.store.contract import EventStore, Page, Row, StoreStats
from vedette.store.duckdb import DuckDbStore
from vedette.store.folder import DataFolder, Owner, owner_of
from vedette.store.memory import MemoryStore

__all__ = [
    "DataFolder",
    "DuckDbStore",
    "EventStore",
    "MemoryStore",
    "Owner",
    "Page",
    "Row",
    "StoreStats",
    "owner_of",
]
