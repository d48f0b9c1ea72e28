"""Between the sources and the pipeline: bounded, fair, lossless."""

from vedette.queue.ingestion import QueueStats, RealtimeIngestionQueue

__all__ = ["QueueStats", "RealtimeIngestionQueue"]
