"""Rules before they are kept: read from a text, and compiled to see whether they can be."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vedette.detection.sigma.expressions import check_of, places_in
from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma.rules import Rule, RuleProblem, RuleSet
from vedette.model.errors import SettingsError

_NAME: Final = "text"


def rules_in_text(text: str, *, pack: str = "own", known: Sequence[Rule] = ()) -> RuleSet:
    """What a text would be as a file of rules; problems name the file `text`. Blocks. Raises SettingsError."""
    with tempfile.TemporaryDirectory(prefix="vedette-rules-") as folder:
        path = Path(folder) / f"{_NAME}.yml"
        try:
            path.write_text(text, "utf-8", newline="")
        except UnicodeEncodeError as error:
            raise SettingsError(
                "text: it holds characters that UTF-8 has not; save it as UTF-8.", field="text"
            ) from error
        read = load_rules([path], pack=pack, known=known)
    named = tuple(
        replace(problem, path=_NAME, reason=problem.reason.replace(str(path), _NAME)) for problem in read.problems
    )
    return replace(read, problems=named)


def uncompilable(read: RuleSet) -> list[RuleProblem]:
    """Rules whose condition cannot be compiled; while events are judged that is found out one by one."""
    found = []
    for rule in read.detections:
        try:
            check_of(rule.condition, places_in(rule.logsource))
        except (ValueError, KeyError, RecursionError) as error:
            reason = f"the condition cannot be compiled: {error}"
            found.append(RuleProblem(rule.path, rule.line, reason, "correct the value", rule.id))
    return found
