"""Sigma rules: read, compiled, and matched against events in columns."""
