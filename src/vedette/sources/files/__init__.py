"""Log files: followed while they are written, or read once as history."""
