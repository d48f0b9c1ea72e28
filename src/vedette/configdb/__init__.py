"""What people decide: kept in a relational database of its own, migrated by Alembic."""

from vedette.configdb.advice import AdviceBook
from vedette.configdb.audit import AuditEntry, AuditTrail
from vedette.configdb.database import downgrade, open_database, revision_of, upgrade
from vedette.configdb.exceptions import ExceptionBook, Mute, RuleException
from vedette.configdb.manager import Change, ConfigManager, Configured
from vedette.configdb.proposals import Proposal, ProposalQueue, ProposalState
from vedette.configdb.rule_states import RuleState, RuleStates
from vedette.configdb.triage import Triage, TriageBook, TriageKind, TriageStatus

__all__ = [
    "AdviceBook",
    "AuditEntry",
    "AuditTrail",
    "Change",
    "ConfigManager",
    "Configured",
    "ExceptionBook",
    "Mute",
    "Proposal",
    "ProposalQueue",
    "ProposalState",
    "RuleException",
    "RuleState",
    "RuleStates",
    "Triage",
    "TriageBook",
    "TriageKind",
    "TriageStatus",
    "downgrade",
    "open_database",
    "revision_of",
    "upgrade",
]
