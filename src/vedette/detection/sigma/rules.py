"""What a rule is once it is read: the same for SigmaHQ's rules, the operator's and ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

LEVELS = ("informational", "low", "medium", "high", "critical")


class Operator(StrEnum):
    """How a clause compares. Texts are compared without regard to case unless `Clause.is_cased`."""

    EQUALS = "equals"
    """The whole value; `*` and `?` are already resolved into STARTS, ENDS, CONTAINS or LIKE."""
    STARTS = "startswith"
    ENDS = "endswith"
    CONTAINS = "contains"
    LIKE = "like"
    """A wildcard pattern that none of the above can say; `value` is the anchored regular expression."""
    REGEX = "re"
    """Searched anywhere in the value; `value` is the expression with its flags in front."""
    CIDR = "cidr"
    LESS = "lt"
    LESS_EQUAL = "lte"
    GREATER = "gt"
    GREATER_EQUAL = "gte"
    NOT_EQUAL = "neq"
    IS_NULL = "null"
    EXISTS = "exists"
    """`value` is "true" or "false"."""
    SAME_AS = "fieldref"
    """`value` is the name of another field, with `*` before or behind it where more may stand."""
    TIME_PART = "timepart"
    """`value` is a part of the point in time and its number: `hour=3`, of minute, hour, day, week, month, year."""
    NEVER = "never"
    """A clause that is understood and can hold for no event."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison. `field` is the name as the rule writes it; None is a keyword: it is looked for in the record.

    `text` is how people read it: `CommandLine contains "mimikatz"`.
    """

    field: str | None
    operator: Operator
    value: str
    text: str
    is_cased: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where every member holds."""

    members: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where a member holds."""

    members: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where its member does not; a clause about a missing field does not hold, so its negation does."""

    member: Node


Node: TypeAlias = AllOf | AnyOf | Not | Clause


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which logs a rule is about; None is any."""

    product: str | None = None
    category: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        named = (("product", self.product), ("category", self.category), ("service", self.service))
        return ", ".join(f"{name}: {value}" for name, value in named if value) or "any log"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeys:
    """A rule's own key `vedette`: what Sigma has no word for. Everything in it may be left out."""

    attempt: tuple[str, ...] = ()
    """Fields that the lines of one attempt share, `[process.pid, host.name]`. Lines with the same values and different
    `event.action` are one attempt, the same action again is the next one. Lines without the first field stand alone."""
    weight: str = ""
    """Field that says for how many a line stands: `repeated` of "message repeated 3 times"."""
    silent: bool = False
    """It makes no findings of its own, even where the correlation that refers to it generates those."""
    title: str = ""
    """Title of its findings; words in braces are filled in: a column, `{count}`, `{span}`, `{hosts}`, `{users}`."""
    summary: str = ""
    """Summary of its findings, likewise."""
    severity: tuple[tuple[str, int], ...] = ()
    """Reasons and amounts that are added to the level: `{success after failures: 2}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHead:
    """What all rules say of themselves. `id` is unique in a rule set; `path` and `line` say where the rule stands."""

    id: str
    title: str
    level: str = "medium"
    status: str = ""
    description: str = ""
    author: str = ""
    date: str = ""
    tags: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    """What to do, in the order of doing; our rules' own key `actions`."""
    name: str = ""
    """By which correlation rules may refer to it, beside its id."""
    pack: str = ""
    path: str = ""
    line: int = 0
    source_text: str = field(default="", repr=False)
    """The YAML document as written."""
    own: OwnKeys = OwnKeys()


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRule(RuleHead):
    """A rule about single events."""

    logsource: LogSource
    condition: Node
    shown_fields: tuple[str, ...] = ()
    """The key `fields`: what an analyst wants to see."""


class CorrelationType(StrEnum):
    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"


@dataclass(frozen=True, slots=True)
class Occurs:
    """Holds for a window in which the rule with this id has matched."""

    rule: str


@dataclass(frozen=True, slots=True)
class AllOccur:
    """Holds where every member holds; for `temporal_ordered` in this order."""

    members: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class AnyOccurs:
    """Holds where a member holds."""

    members: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class OccursNot:
    """Holds where its member does not; known only when the window is over."""

    member: Occurrence


Occurrence: TypeAlias = AllOccur | AnyOccurs | OccursNot | Occurs


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRule(RuleHead):
    """A rule about several events. `rules` are ids, of detection or other correlation rules.

    `conditions` are (operator of lt, lte, gt, gte, eq, neq; number) that must all hold.
    """

    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: timedelta
    conditions: tuple[tuple[str, float], ...] = ()
    occurrence: Occurrence | None = None
    """Sigma's extended condition over rules, of the temporal types; instead of `conditions`."""
    value_field: str | None = None
    """Whose values count, for the types that count values."""
    percentile: float = 50.0
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    """Alias to {rule id: field}."""
    generate: bool = False
    """Whether the rules it refers to make findings of their own, too (Sigma's `generate`)."""


Rule: TypeAlias = DetectionRule | CorrelationRule


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """A rule that is not used, or not as written: where it stands, why, and what to do."""

    path: str
    line: int
    reason: str
    remedy: str
    rule_id: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.reason}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that are used, each id once, and what is wrong with the others."""

    detections: tuple[DetectionRule, ...] = ()
    correlations: tuple[CorrelationRule, ...] = ()
    problems: tuple[RuleProblem, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (*self.detections, *self.correlations)
