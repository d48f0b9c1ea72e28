"""The bounds of the live stream, in one place, so that tests can reach each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """What one server and one client may use. Numbers of rows are sequence numbers, matching or not."""

    window_rows: int = 100_000
    """Rows kept in memory for replay; older ones come from the store."""
    window_bytes: int = 64 * 2**20
    window_seconds: float = 600.0
    replay_rows: int = 100_000
    """How far back a resume may reach before it starts with a gap."""
    backlog_rows: int = 1_000
    """The most rows a client may ask to open with."""
    backlog_scan: int = 20_000
    """How many numbers are looked through for them."""

    flush_seconds: float = 0.025
    """Commits that follow each other faster than this are told together."""
    batch_rows: int = 500
    batch_bytes: int = 2**20
    """Rough size at which a message is full; a single row may be larger."""
    view_cache_bytes: int = 16 * 2**20
    """Encoded rows kept because another subscriber may want the same."""
    progress_seconds: float = 1.0
    """How often a subscription without matches is told how far it is, and a paused one what waits."""

    lag_rows: int = 50_000
    """Further behind than this, a live client skips to the newest rows."""
    lag_seconds: float = 10.0
    """So does one that is this late and more than a few batches behind."""

    max_clients: int = 5_000
    max_subscriptions: int = 16
    message_bytes: int = 64 * 1024
    messages_per_second: float = 20.0
    message_burst: int = 100
    outbox_messages: int = 256
    """Replies waiting for a client that sends but does not read."""
    send_seconds: float = 60.0
    """A message that cannot be handed over for this long ends the connection."""
