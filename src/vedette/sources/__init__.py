"""Where text comes from. A source yields batches of raw records; the supervisor runs it."""

from vedette.sources.config import LogSourceConfig, MonitoringConfig, source_config, source_id
from vedette.sources.contract import Source
from vedette.sources.discover import Discovery, discover
from vedette.sources.files.history import FileHistory, HistoryProgress
from vedette.sources.files.monitor import LogFileMonitor
from vedette.sources.files.scanner import FileStatus
from vedette.sources.files.watching import FolderWatcher
from vedette.sources.lines import original_bytes
from vedette.sources.preview import FilePreview, SourcePreview, preview_file, preview_source
from vedette.sources.supervisor import SourceStatus, SourceSupervisor

__all__ = [
    "Discovery",
    "FileHistory",
    "FilePreview",
    "FileStatus",
    "FolderWatcher",
    "HistoryProgress",
    "LogFileMonitor",
    "LogSourceConfig",
    "MonitoringConfig",
    "Source",
    "SourcePreview",
    "SourceStatus",
    "SourceSupervisor",
    "discover",
    "original_bytes",
    "preview_file",
    "preview_source",
    "source_config",
    "source_id",
]
