"""A language model on its lead: asked for advice beside findings and incidents, believed only where events bear it out.

It is off unless it is switched on. It is asked per kind of finding or per incident, never per event; what it is sent is
redacted and fenced; what it answers is checked. It changes no severity and no status, calls no tool and reaches no address.
"""

from vedette.analysis.llm.asking import Adviser, Subject
from vedette.analysis.llm.endpoint import Endpoint, ModelFailure
from vedette.analysis.llm.question import Question, question_about_finding, question_about_incident

__all__ = [
    "Adviser",
    "Endpoint",
    "ModelFailure",
    "Question",
    "Subject",
    "question_about_finding",
    "question_about_incident",
]
