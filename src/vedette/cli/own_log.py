"""Our own log: events with fields, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def set_up_logging(level: str, style: str) -> None:
    """Configure structlog once, at the start of a command. `style`: auto, console or json."""
    is_console = style == "console" or (style == "auto" and sys.stderr.isatty())
    plain = structlog.dev.plain_traceback
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=plain) if is_console else structlog.processors.JSONRenderer()
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not is_console:
        processors += [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    for noisy in ("uvicorn", "uvicorn.error", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.basicConfig(level=max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING), stream=sys.stderr)
