"""Stamps of every layout to instants: `read_stamps`.

A new layout is one line in layouts.py and one in the table tests/golden/stamps.csv.
"""

from vedette.formats.timestamps.fragments import ANY_STAMP, STAMP_FRAGMENTS
from vedette.formats.timestamps.layouts import LAYOUTS
from vedette.formats.timestamps.names import ZONES
from vedette.formats.timestamps.reading import read_stamps
from vedette.formats.timestamps.zone_guess import ZoneGuess
from vedette.formats.timestamps.zones import known_zone

__all__ = ["ANY_STAMP", "LAYOUTS", "STAMP_FRAGMENTS", "ZONES", "ZoneGuess", "known_zone", "read_stamps"]
