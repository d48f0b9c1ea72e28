"""Plays ordinary traffic and a few attacks into log files, for `vedette serve --demo`."""

from vedette.demo.writer import DemoWriter

__all__ = ["DemoWriter"]
