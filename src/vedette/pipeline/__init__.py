"""The order of things for a batch, and the pure middle of it."""

from vedette.pipeline.judge import Judge, ledger_of, undecoded
from vedette.pipeline.order import Pipeline, PipelineStats, all_or_none, joined

__all__ = ["Judge", "Pipeline", "PipelineStats", "all_or_none", "joined", "ledger_of", "undecoded"]
