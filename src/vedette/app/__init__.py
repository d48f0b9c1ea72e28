"""The composition root: makes the parts, joins them, starts and stops them in a readable order."""

from vedette.app.core import Core, Middle, build_middle, check_format, open_core
from vedette.app.detection import Detection, open_detection, scan_detection
from vedette.app.server import WEB_ROOT, Server, build_server
from vedette.app.sources import RunSources, command_line_sources

__all__ = [
    "WEB_ROOT",
    "Core",
    "Detection",
    "Middle",
    "RunSources",
    "Server",
    "build_middle",
    "build_server",
    "check_format",
    "command_line_sources",
    "open_core",
    "open_detection",
    "scan_detection",
]
