"""Vedette: real-time security monitoring for logs."""

__version__ = "0.1.0"
