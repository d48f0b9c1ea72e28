"""The store on DuckDB: one file in the data folder."""

from vedette.store.duckdb.store import DuckDbStore

__all__ = ["DuckDbStore"]
