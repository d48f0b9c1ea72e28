"""What people decide: kept in a relational database of its own, migrated by Alembic."""

from vedette.configdb.database import downgrade, open_database, revision_of, upgrade
from vedette.configdb.manager import Change, ConfigManager, Configured
from vedette.configdb.proposals import Proposal, ProposalQueue, ProposalState

__all__ = [
    "Change",
    "ConfigManager",
    "Configured",
    "Proposal",
    "ProposalQueue",
    "ProposalState",
    "downgrade",
    "open_database",
    "revision_of",
    "upgrade",
]
