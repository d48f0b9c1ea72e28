"""What was stored is told at once: numbered streams, filters, replay, gaps that are never silent."""

from vedette.live.broadcaster import EventBroadcaster
from vedette.live.connection import Socket
from vedette.live.limits import LiveLimits
from vedette.live.protocol import PROTOCOL_VERSION, GapReason, ResumePoint, Stream, live_schema
from vedette.live.sockets import LiveFigures, WebSocketManager

__all__ = [
    "PROTOCOL_VERSION",
    "EventBroadcaster",
    "GapReason",
    "LiveFigures",
    "LiveLimits",
    "ResumePoint",
    "Socket",
    "Stream",
    "WebSocketManager",
    "live_schema",
]
