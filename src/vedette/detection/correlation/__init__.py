"""Turns what rules match into windows: counted, bounded, and the same however the stream is cut."""
