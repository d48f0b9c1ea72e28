"""The matcher finds what a plain evaluation of every rule on every event finds, however the events are cut."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.sigma_events import events_of
from support.sigma_reference import matches
from vedette.detection.sigma import matching, plans, scanning
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, DetectionRule, LogSource, Node, Not, Operator

WORDS = [
    "cmd",
    "CMD.EXE",
    "\\cmd.exe",
    "/enc",
    "C:\\Windows\\",
    '"x"',
    "a b",
    "ä",
    "Ä",
    "ΑΣ",
    "ας",
    "\u212a",
    "k",
    "İ",
    "^",
    "~1",
    "😀",
    "0x1f",
    "12",
    "true",
    "192.0.2.9",
    "\n",
    "&<>'",
]
FIELDS = [
    "Image",
    "CommandLine",
    "ParentImage",
    "User",
    "EventID",
    "Number",
    "user.name",
    "process.executable",
    "deep.name",
]
LOGSOURCES = [
    LogSource(product="windows", category="process_creation"),
    LogSource(product="windows", service="security"),
    LogSource(product="windows"),
    LogSource(service="json-lines"),
    LogSource(product="linux", service="sshd"),
    LogSource(category="authentication"),
    LogSource(product="linux", service="auditd"),
]
EXPRESSIONS = [
    "cmd",
    "(?i)cmd|enc",
    "^C:",
    r"\\cmd\.exe$",
    "(?i)(?:a|b) b+",
    "[0-9]{2}",
    r"\w+`|\^",
    r"[^\w]b",
    "ä",
    "x|",
    r"\bcmd\b",
    "(?s)a.b",
    r"[\\[]|k",
]

words = st.sampled_from(WORDS)
texts = st.lists(words, min_size=1, max_size=3).map("".join)
parts = st.sampled_from(["cmd", "enc", "\\cmd.exe", "Ä", "a b", "k", "12", "\n", '"x"', "😀", "σ", "C:\\W"])


def clause(field: str | None, operator: Operator, value: str, is_cased: bool = False) -> Clause:
    return Clause(field, operator, value, "", is_cased)


def like(pieces: list[str]) -> str:
    def escaped(text: str) -> str:
        return "".join(f"\\x{{{ord(one):x}}}" for one in text.lower())

    return "(?s)^" + "".join(".*" if one == "*" else "." if one == "?" else escaped(one) for one in pieces) + "$"


literal_operators = st.sampled_from([Operator.EQUALS, Operator.STARTS, Operator.ENDS, Operator.CONTAINS])
fields = st.sampled_from(FIELDS)
clauses = st.one_of(
    st.builds(clause, fields, literal_operators, st.one_of(parts, texts), st.booleans()),
    st.builds(clause, fields, literal_operators, st.one_of(parts, texts)),
    st.builds(clause, st.none(), st.just(Operator.CONTAINS), parts, st.booleans()),
    st.builds(clause, fields, st.just(Operator.REGEX), st.sampled_from(EXPRESSIONS), st.just(True)),
    st.builds(clause, st.none(), st.just(Operator.REGEX), st.sampled_from(EXPRESSIONS), st.just(True)),
    st.builds(
        clause,
        fields,
        st.just(Operator.LIKE),
        st.lists(st.sampled_from(["*", "?", "cmd", "ä", "\\", "12"]), min_size=1, max_size=4).map(like),
    ),
    st.builds(clause, fields, st.just(Operator.IS_NULL), st.just("")),
    st.builds(clause, fields, st.just(Operator.EXISTS), st.sampled_from(["true", "false"])),
    st.builds(
        clause,
        fields,
        st.just(Operator.SAME_AS),
        fields.flatmap(lambda one: st.sampled_from([one, f"*{one}", f"{one}*", f"*{one}*"])),
    ),
    st.builds(
        clause, fields, st.sampled_from([Operator.LESS, Operator.GREATER_EQUAL]), st.sampled_from(["12", "4688"])
    ),
    st.builds(clause, fields, st.just(Operator.CIDR), st.just("192.0.2.0/24")),
    st.builds(clause, st.just("EventID"), st.just(Operator.EQUALS), st.sampled_from(["1", "4688", "4720"])),
    st.builds(
        clause, st.just("event.action"), st.just(Operator.EQUALS), st.sampled_from(["ssh-login", "other", "dns-query"])
    ),
    st.builds(clause, st.just("event.outcome"), st.just(Operator.EQUALS), st.sampled_from(["failure", "Success"])),
    st.builds(clause, st.just("event.action"), literal_operators, st.just("login"), st.booleans()),
    st.builds(clause, fields, st.just(Operator.NEVER), st.just("")),
)
nodes: st.SearchStrategy[Node] = st.recursive(
    clauses,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=1, max_size=4).map(tuple).map(AllOf),
        st.lists(inner, min_size=1, max_size=4).map(tuple).map(AnyOf),
    ),
    max_leaves=8,
)


def rule(number: int, logsource: LogSource, node: Node) -> DetectionRule:
    return DetectionRule(id=str(number), title=str(number), logsource=logsource, condition=node)


rule_sets = st.lists(st.tuples(st.sampled_from(LOGSOURCES), nodes), min_size=1, max_size=6).map(
    lambda pairs: [rule(number, *pair) for number, pair in enumerate(pairs)]
)
values = st.one_of(texts, st.just(""))
members = st.dictionaries(
    st.sampled_from(
        [
            "Image",
            "CommandLine",
            "ParentImage",
            "User",
            "Number",
            "NewProcessName",
            "image",
            "IMAGE",
            "user",
            "number",
            "commandLine",
            "EventData.Image",
            "winlog.event_data.User",
            "winlog.Number",
            "Deep.Name",
            '"image',
            "x.user",
        ]
    ),
    values,
    max_size=5,
)


@st.composite
def flat_events(draw: st.DrawFn) -> dict[str, Any]:
    channel, number = draw(
        st.sampled_from(
            [
                ("Microsoft-Windows-Sysmon/Operational", "1"),
                ("Security", "4688"),
                ("Security", "4720"),
                ("Security", "1"),
            ]
        )
    )
    found = {"Channel": channel, "EventID": number, **draw(members)}
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return {
        "log.format": "windows-event",
        "event.original": text,
        "fields": text,
        "process.executable": draw(st.one_of(st.none(), texts)),
        "process.command_line": draw(st.one_of(st.none(), texts)),
        "user.name": draw(st.one_of(st.none(), texts)),
    }


@st.composite
def json_events(draw: st.DrawFn) -> dict[str, Any]:
    nested = st.one_of(
        values,
        st.integers(0, 99),
        st.booleans(),
        st.none(),
        st.lists(values, max_size=3),
        st.dictionaries(st.just("name"), values),
    )
    found: dict[str, Any] = draw(
        st.dictionaries(
            st.sampled_from(["Image", "User", "Number", "EventID", "deep", "image", "USER", "winlog.Number"]),
            nested,
            max_size=4,
        )
    )
    text = json.dumps(
        found, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    return {
        "log.format": "json-lines",
        "event.original": text,
        "message": text,
        "fields": text,
        "user.name": draw(st.one_of(st.none(), texts)),
    }


@st.composite
def plain_events(draw: st.DrawFn) -> dict[str, Any]:
    text = draw(texts)
    return {
        "log.format": draw(st.sampled_from(["syslog-rfc3164/sshd", "syslog-rfc3164/sudo", "auditd"])),
        "event.original": f"Jan 1 {text}",
        "message": text,
        "event.category": draw(st.sampled_from([None, "authentication"])),
        "event.action": draw(st.sampled_from([None, "ssh-login", "SSH-Login", "strange"])),
        "event.outcome": draw(st.sampled_from([None, "failure", "success"])),
        "process.name": draw(st.sampled_from([None, "sshd", "other"])),
        "user.name": draw(st.one_of(st.none(), texts)),
        "fields": draw(st.sampled_from([None, '{"type":"EXECVE","User":"cmd"}', '{"event.action":"ssh-login"}'])),
    }


events = st.lists(st.one_of(flat_events(), json_events(), plain_events()), min_size=1, max_size=12).map(
    lambda rows: events_of(*rows)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(rule_sets, events, st.lists(st.integers(1, 5), max_size=4), st.booleans())
def test_matches_equal_those_of_a_plain_evaluation(
    rules: list[DetectionRule], rows: pl.DataFrame, cuts: list[int], is_large: bool
) -> None:
    """`is_large` takes the ways of large batches: automata, learning, columns."""
    expected = matches(rules, rows)
    few, learn, many = scanning.FEW_CHARACTERS, plans.LEARN_FROM, matching.MANY_ROWS
    fewest, one_by_one = plans.FEWEST, plans.FEW_EVENTS
    if is_large:
        scanning.FEW_CHARACTERS, plans.LEARN_FROM, matching.MANY_ROWS = 0, 1, 1  # type: ignore[misc]
        plans.FEWEST, plans.FEW_EVENTS = 1, 0  # type: ignore[misc]
    try:
        matcher = RuleMatcher(rules)
        assert set(matcher.match(rows).iter_rows()) == expected
        again = matcher.match(rows)
        assert set(again.iter_rows()) == expected
        assert again.height == len(expected)
        assert not [one for one in matcher.problems if "compiled" in one.reason]
        found: set[tuple[int, int]] = set()
        start = 0
        for length in (*cuts, rows.height):
            found |= {(place, row + start) for place, row in matcher.match(rows.slice(start, length)).iter_rows()}
            start += length
        assert found == expected
    finally:
        scanning.FEW_CHARACTERS, plans.LEARN_FROM, matching.MANY_ROWS = few, learn, many  # type: ignore[misc]
        plans.FEWEST, plans.FEW_EVENTS = fewest, one_by_one  # type: ignore[misc]
    listed = list(rows.iter_rows(named=True))
    for place, row in expected:
        for one in matcher.evidence(place, listed[row]):
            assert len(one.value) <= 400
