"""What ships about ATT&CK techniques: what they mean and what to do about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from vedette.analysis.incidents import techniques_of


@dataclass(frozen=True, slots=True)
class TechniqueAdvice:
    """A technique in plain words: `means` is one sentence, `steps` are in the order of doing."""

    id: str
    name: str
    means: str
    steps: tuple[str, ...]


@cache
def techniques() -> Mapping[str, TechniqueAdvice]:
    """All techniques there is advice on, by id. Reads the file that ships; to be called when advice is wanted."""
    text = (resources.files("vedette") / "content" / "advice" / "techniques.yaml").read_text(encoding="utf-8")
    known = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    return {
        identifier: TechniqueAdvice(identifier, one["name"], one["means"], tuple(one["steps"]))
        for identifier, one in known.items()
    }


def advice_on(tags: Iterable[str]) -> tuple[TechniqueAdvice, ...]:
    """Advice on the techniques among a finding's tags; of a technique whose sub-technique is tagged too, on that only.

    A sub-technique of which nothing is known gets the advice of its technique.
    """
    known = techniques()
    tagged = techniques_of(tags)
    refined = {each.partition(".")[0] for each in tagged if each in known and "." in each}
    found = (known.get(each) or known.get(each.partition(".")[0]) for each in tagged if each not in refined)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def steps_for(tags: Iterable[str], limit: int) -> tuple[str, ...]:
    """What to do about all techniques tagged: the first step of each, then the second, no step twice."""
    advised = [one.steps for one in advice_on(tags)]
    longest = max(map(len, advised), default=0)
    ordered = (steps[place] for place in range(longest) for steps in advised if place < len(steps))
    return tuple(dict.fromkeys(ordered))[:limit]
