"""The command line: one module a command."""

from vedette.cli.main import main

__all__ = ["main"]
