"""The samples beside a rule: logs in which it must find something, and logs in which it must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import polars as pl
import yaml

from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import Rule, RuleProblem
from vedette.detection.sigma_detector import SigmaDetector
from vedette.formats import FormatEngine, FormatLibrary
from vedette.model.entries import ENTRY_SCHEMA, EntryBatch
from vedette.model.errors import SettingsError

_ENDINGS: Final = (".test.yml", ".test.yaml")
_LARGEST: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Samples:
    """What stands in a `.test.yml`: each entry is the text of one log."""

    hits: tuple[str, ...]
    misses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a rule file's samples: logs that must hit and did not, and logs that must not and did."""

    path: Path
    samples: Samples
    unfound: tuple[str, ...] = ()
    mistaken: tuple[str, ...] = ()
    problems: tuple[RuleProblem, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return not (self.unfound or self.mistaken or self.problems)


def files_with_samples(path: Path) -> list[tuple[Path, Path]]:
    """Rule files below a folder (or one file) that have samples beside them, with those."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    pairs = []
    for rule in files:
        if rule.suffix in (".yml", ".yaml") and not rule.name.endswith(_ENDINGS):
            beside = (rule.with_name(rule.stem + ending) for ending in _ENDINGS)
            pairs += [(rule, samples) for samples in beside if samples.is_file()][:1]
    return pairs


def read_samples(path: Path) -> Samples:
    """Raises SettingsError for a file that is not as it should be."""
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(f"{path} is larger than 4 MiB; keep samples short")
        content = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read ({_first_line(error)}); write `hits:` and `misses:`") from error
    told = content if isinstance(content, dict) else {}
    unknown = [str(key) for key in told if key not in ("hits", "misses")]
    lists = [told.get(key) or [] for key in ("hits", "misses")]
    if not told or unknown or not all(_is_texts(one) for one in lists):
        wrong = f"the key {unknown[0]!r} is unknown" if unknown else "`hits` and `misses` are lists of texts"
        raise SettingsError(f"{path}: {wrong}; write logs as texts below `hits:` and `misses:`")
    return Samples(*(tuple(one) for one in lists))


def try_samples(
    files: Sequence[tuple[Path, Path]], library: FormatLibrary, now: datetime, *, known: Sequence[Rule] = ()
) -> list[Tried]:
    """Read the samples of rule files as logs of their own, and judge them with the file's rules. `known` are rules of
    other files that correlations may refer to. Blocks. Raises SettingsError for samples that cannot be read."""
    samples = {rule: read_samples(beside) for rule, beside in files}
    texts = [(rule, text) for rule, one in samples.items() for text in (*one.hits, *one.misses)]
    events = events_of([text for _, text in texts], library, now)
    by_sample = dict(zip(texts, events, strict=True))
    return [_tried(rule, one, by_sample, now, known) for rule, one in samples.items()]


def events_of(texts: Sequence[str], library: FormatLibrary, now: datetime) -> list[pl.DataFrame]:
    """The events of each text, read as a source of its own."""
    if not texts:
        return []
    batches = [_batch(number, text, now) for number, text in enumerate(texts)]
    engine = FormatEngine(library, max_choices=len(batches) + 1)
    events = engine.decode(batches)
    by_source = events.partition_by("vedette.source", as_dict=True)
    return [by_source.get((batch.source_id,), events.clear()) for batch in batches]


def _tried(
    path: Path, samples: Samples, events: Mapping[tuple[Path, str], pl.DataFrame], now: datetime, known: Sequence[Rule]
) -> Tried:
    rules = load_rules([path], pack="samples", known=known)
    matcher = RuleMatcher(rules.detections)

    def found(text: str) -> Counter[str]:
        detector = SigmaDetector(rules, matcher)
        findings = detector.inspect(events[path, text], now) + detector.finish(now)
        return Counter(finding.rule_id for finding in findings)

    unfound = tuple(text for text in samples.hits if not found(text))
    mistaken = tuple(text for text in samples.misses if found(text))
    return Tried(path, samples, unfound, mistaken, rules.problems)


def _batch(number: int, text: str, now: datetime) -> EntryBatch:
    lines = text.rstrip("\n").split("\n")
    lengths = [len(line.encode("utf-8", "surrogatepass")) + 1 for line in lines]
    frame = pl.DataFrame(
        {
            "offset": [end - length for end, length in zip(accumulate(lengths), lengths, strict=True)],
            "length": lengths,
            "text": lines,
            "flags": 0,
            "hash": None,
        },
        schema=ENTRY_SCHEMA,
    )
    return EntryBatch(f"sample-{number}", number + 1, f"sample-{number}", frame, None, sum(lengths), now, now)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
