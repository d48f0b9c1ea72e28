"""Judges what was found, and finds what is out of the ordinary."""

from collections.abc import Callable, Collection

from vedette.analysis.contract import Analyser, BehaviourDetector, Templates
from vedette.analysis.incident import Chapter, Incident
from vedette.analysis.incidents import IncidentRule, incidents_of
from vedette.analysis.novelty import Novelty, NoveltyRule
from vedette.analysis.severity import SeverityAnalyser
from vedette.analysis.silence import Silence, SilenceRule
from vedette.analysis.volume import Volume, VolumeRule

__all__ = [
    "Analyser",
    "BehaviourDetector",
    "Chapter",
    "Incident",
    "IncidentRule",
    "Novelty",
    "NoveltyRule",
    "SeverityAnalyser",
    "Silence",
    "SilenceRule",
    "Templates",
    "Volume",
    "VolumeRule",
    "default_analysers",
    "default_detectors_of_behaviour",
    "incidents_of",
]


def default_analysers() -> tuple[Analyser, ...]:
    """New analysers, in the order in which they work."""
    return (SeverityAnalyser(),)


def default_detectors_of_behaviour(
    templates: Templates | None = None, *, watched: Callable[[], Collection[str]] | None = None
) -> tuple[Novelty, Volume, Silence]:
    """New detectors of what is out of the ordinary.

    `templates`: what is known of `template.id`s. `watched`: the ids of the sources that are read just now; without it a
    source that was removed or has ended is silent too.
    """
    aliases = templates.aliases if templates is not None else None
    return Novelty(aliases=aliases), Volume(templates=templates), Silence(watched=watched)
