"""Templates: what a message says, without what it says it of.

    Failed password for root from 192.0.2.7 port 22 ssh2   →   Failed password for <*> from <*> port <*>

`masks` hides what looks like a value, a column at a time. `catalog` keeps the skeletons that are left and finds by
comparison which of their words are values too; `evidence` says how much it takes. `miner` does both for a frame of
events and remembers.
"""

from vedette.formats.templates.miner import Template, TemplateMiner

__all__ = ["Template", "TemplateMiner"]
