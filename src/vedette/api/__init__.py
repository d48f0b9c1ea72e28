"""The public API over HTTP and WebSocket; the console is a client of it like any other."""

from vedette.api.application import create_app, openapi_document
from vedette.api.schemas import SourcePreview, SourceView
from vedette.api.server import server_options
from vedette.api.services import (
    BacktestsControl,
    ExceptionsControl,
    FindingsControl,
    FormatsControl,
    ModelControl,
    RulesControl,
    Services,
    SourcesControl,
)

__all__ = [
    "BacktestsControl",
    "ExceptionsControl",
    "FindingsControl",
    "FormatsControl",
    "ModelControl",
    "RulesControl",
    "Services",
    "SourcePreview",
    "SourceView",
    "SourcesControl",
    "create_app",
    "openapi_document",
    "server_options",
]
