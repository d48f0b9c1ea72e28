"""What every modifier and every form of a condition means, by hand-written expectations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.sigma_events import events_of, json_line, process, rule_of
from vedette.detection.sigma.matching import RuleMatcher

ANY_JSON = "{service: json-lines}"


def holds(folder: Path, detection: str, *events: dict[str, Any], logsource: str | None = None) -> list[bool]:
    rule = rule_of(folder, detection, *([logsource] if logsource else []))
    found = RuleMatcher([rule]).match(events_of(*events))
    rows = set(found["row"])
    return [row in rows for row in range(len(events))]


@pytest.mark.parametrize(
    ("item", "held", "not_held"),
    [
        ("CommandLine: whoami /all", ["whoami /all", "WHOAMI /ALL"], ["whoami", "x whoami /all"]),
        ("CommandLine|contains: mimi", ["xMIMIx", "mimi"], ["mim"]),
        ("CommandLine|startswith: 'C:\\x'", ["c:\\X.exe"], ["d:\\c:\\x"]),
        ("CommandLine|endswith: '\\cmd.exe'", ["a\\CMD.exe"], ["cmd.exe", "a\\cmd.exe /c"]),
        ("CommandLine|contains|all: [one, two]", ["two one"], ["one", "two"]),
        ("CommandLine|contains: [one, two]", ["one", "two"], ["three"]),
        ("CommandLine: 'a*z'", ["az", "A-Z", "a\nz"], ["ab", "xaz"]),
        ("CommandLine: 'a?z'", ["abz"], ["az", "abbz"]),
        ("CommandLine: 'a\\*z'", ["a*z"], ["abz"]),
        ("CommandLine: 'a\\\\*z'", ["a\\bz"], ["a*z", "abz"]),
        ("CommandLine: '*mid*dle*'", ["xMid-dleX"], ["middl"]),
        ("CommandLine: '*'", ["x"], []),
        ("CommandLine: ''", [""], ["x"]),
        ("CommandLine|re: 'ab+c$'", ["xabbc"], ["xABBC", "abcd"]),
        ("CommandLine|re|i: 'ab+c'", ["xABBC"], ["ac"]),
        ("CommandLine|re|m: '^b$'", ["a\nb"], ["ab"]),
        ("CommandLine|re|s: 'a.b'", ["a\nb"], ["ab"]),
        ("CommandLine|re: 'a.b'", ["axb"], ["a\nb"]),
        ("CommandLine|re|m|s|i: '^B.c'", ["a\nb\nC"], ["bc"]),
        ("SourceIp|cidr: 192.0.2.0/24", ["192.0.2.77"], ["192.0.3.1", "x"]),
        (
            "SourceIp|cidr: [10.0.0.0/8, '2001:db8::/32']",
            ["10.9.9.9", "2001:db8::7", "::ffff:10.1.1.1"],
            ["2001:db9::1"],
        ),
        ("CommandLine|base64|contains: 'foobar'", ["x Zm9vYmFy x"], ["foobar"]),
        ("CommandLine|base64offset|contains: 'foobar'", ["Zm9vYmFy", "eGZvb2Jhcg==", "eHhmb29iYXI="], ["foobar"]),
        ("CommandLine|wide|base64offset|contains: 'ping'", ["cABpAG4AZwA="], ["ping"]),
        ("CommandLine|utf16le|base64offset|contains: 'ping'", ["cABpAG4AZwA="], ["ping"]),
        ("CommandLine|utf16|base64|contains: 'hi'", ["//5oAGkA"], ["aABpAA=="]),
        ("CommandLine|utf16be|base64|contains: 'hi'", ["AGgAaQ=="], ["aABpAA=="]),
        (
            "CommandLine|windash|contains: ' -enc '",
            ["x -enc y", "x /enc y", "x –enc y", "x —enc y", "x ―enc y"],
            ["x enc y"],
        ),
        ("CommandLine|windash|contains|all: [' -a ', ' -b ']", ["x /a -b y"], ["x /a y"]),
        ("CommandLine|exists: true", ["x"], []),
        ("Number|lt: 10", ["9", "-3", "9.5"], ["10", "x"]),
        ("Number|lte: 10", ["10"], ["11"]),
        ("Number|gt: 10", ["11", "0x0b"], ["10"]),
        ("Number|gte: 10", ["10.0"], ["9"]),
        ("CommandLine|neq: x", ["y"], ["x", "X"]),
        ("CommandLine|contains|neq: x", ["y"], ["axb"]),
        ("CommandLine|cased: Abc", ["Abc"], ["abc", "ABC"]),
        ("CommandLine|contains|cased: Abc", ["xAbcx"], ["xabcx"]),
        ("CommandLine|startswith|cased: Abc", ["Abcx"], ["abcx"]),
        ("Number: 4711", ["4711"], ["47110"]),
        ("Flag: true", ["true", "True"], ["false"]),
        ("Stamp|hour: 3", ["2026-01-05T03:10:00Z", "2026-01-05T05:10:00+02:00"], ["2026-01-05T04:00:00Z", "x"]),
        ("Stamp|minute: 10", ["2026-01-05T03:10:00Z"], ["2026-01-05T03:11:00Z"]),
        ("Stamp|day: 5", ["2026-01-05 03:10:00"], ["2026-01-06 03:10:00"]),
        ("Stamp|week: 2", ["2026-01-05T00:00:00Z"], ["2026-01-04T00:00:00Z"]),
        ("Stamp|month: 1", ["2026-01-05T00:00:00Z"], ["2026-02-05T00:00:00Z"]),
        ("Stamp|year: 2026", ["2026-01-05T00:00:00Z", "1767571200"], ["2025-01-05T00:00:00Z"]),
        ("CommandLine|contains: 'ÄÖ'", ["xäöx", "xÄÖx"], ["ao"]),
        ("CommandLine|contains: '😀'", ["x😀"], ["x"]),
        ("CommandLine|endswith: 'mask'", ["tas\u212a/mas\u212a", "mask"], ["masx"]),
        ("CommandLine|contains: ['a\"b', 'c/d']", ['xa"bx', "c/d"], ["ab"]),
    ],
)
def test_comparisons_mean_what_sigma_says(tmp_path: Path, item: str, held: list[str], not_held: list[str]) -> None:
    field = item.partition(":")[0].partition("|")[0]
    for make in (process, json_line):
        events = [make(**{field: value, "Other": "x"}) for value in (*held, *not_held)]
        logsource = None if make is process else ANY_JSON
        found = holds(tmp_path, f"sel:\n  {item}\ncondition: sel", *events, logsource=logsource)
        assert found == [True] * len(held) + [False] * len(not_held), make.__name__


@pytest.mark.parametrize(
    ("item", "held", "not_held"),
    [
        ("A: null", [{"B": "x"}, {"A": ""}], [{"A": "x"}]),
        ("A: []", [{"B": "x"}], [{"A": "x"}]),
        ("A|exists: false", [{"B": "x"}], [{"A": "x"}]),
        ("A: [null, x]", [{"B": "b"}, {"A": "x"}], [{"A": "y"}]),
        ("A|fieldref: B", [{"A": "x", "B": "X"}], [{"A": "x", "B": "y"}, {"A": "x"}, {}]),
        ("A|fieldref|startswith: B", [{"A": "xyz", "B": "x"}], [{"A": "yx", "B": "x"}]),
        ("A|fieldref|endswith: B", [{"A": "yx", "B": "x"}], [{"A": "xy", "B": "x"}]),
        ("A|fieldref|contains: B", [{"A": "yxz", "B": "x"}], [{"A": "y", "B": "x"}]),
        ("A|neq: x", [{"B": "b"}, {"A": "y"}], [{"A": "x"}]),
        ("{A: x, B: y}", [{"A": "x", "B": "y"}], [{"A": "x"}, {"B": "y"}]),
        ("[{A: x}, {B: y}]", [{"A": "x"}, {"B": "y"}], [{"A": "y"}]),
    ],
)
def test_missing_fields_and_lists_mean_what_sigma_says(
    tmp_path: Path, item: str, held: list[dict[str, str]], not_held: list[dict[str, str]]
) -> None:
    events = [process(**values) for values in (*held, *not_held)]
    body = f"sel: {item}" if item[0] in "{[" else f"sel:\n  {item}"
    found = holds(tmp_path, f"{body}\ncondition: sel", *events)
    assert found == [True] * len(held) + [False] * len(not_held)


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("sel_a", "a"),
        ("sel_a and sel_b", ""),
        ("sel_a or sel_b", "ab"),
        ("not sel_a", "bcx"),
        ("not not sel_a", "a"),
        ("not sel_a and not sel_b", "cx"),
        ("sel_a or sel_b and other", "a"),
        ("(sel_a or sel_b) and not sel_b", "a"),
        ("1 of sel_*", "abc"),
        ("any of sel_*", "abc"),
        ("all of sel_*", ""),
        ("1 of them", "abcx"),
        ("not 1 of sel_*", "x"),
        ("1 of sel_* and not (sel_a or (sel_b and not (other)))", "c"),
        ("1 of *_a", "a"),
        ("((((((((((((((((((((sel_c))))))))))))))))))))", "c"),
        ("[sel_a, sel_b]", "ab"),
        ("SEL_A OR sel_b".replace("SEL_A", "sel_a"), "ab"),
    ],
)
def test_conditions_join_as_sigma_says(tmp_path: Path, condition: str, held: str) -> None:
    detection = "sel_a: {A: a}\nsel_b: {A: b}\nsel_c: {A: c}\nother: {A: x}\n_hidden: {A: h}\ncondition: " + condition
    events = [process(A=letter) for letter in "abcxh"]
    found = holds(tmp_path, detection, *events)
    if "not" not in condition or condition.startswith("not not"):
        assert not found[4], "names that begin with _ are not among `them`"
    assert "".join(letter for letter, one in zip("abcx", found, strict=False) if one) == held


def test_keywords_are_looked_for_anywhere_in_the_record(tmp_path: Path) -> None:
    line = {
        "log.format": "syslog-rfc3164/sshd",
        "event.original": "Jan 1 sshd: Bad Packet length 7",
        "message": "Bad Packet length 7",
    }
    other = line | {"event.original": "Jan 1 sshd: ok", "message": "ok"}
    logsource = "{product: linux, service: sshd}"
    assert holds(
        tmp_path, "keywords: [bad packet, nothing]\ncondition: keywords", line, other, logsource=logsource
    ) == [True, False]
    assert holds(
        tmp_path, "keywords:\n  '|all': [bad, length]\ncondition: keywords", line, other, logsource=logsource
    ) == [True, False]
    assert holds(tmp_path, "keywords: ['pack*length ?']\ncondition: keywords", line, other, logsource=logsource) == [
        True,
        False,
    ]
    assert holds(
        tmp_path, "keywords:\n  '|re': 'length [0-9]$'\ncondition: keywords", line, other, logsource=logsource
    ) == [True, False]


def test_keywords_are_found_in_values_that_json_escapes(tmp_path: Path) -> None:
    held = holds(
        tmp_path, "k: ['C:\\temp\\\"x\"']\ncondition: k", json_line(a={"b": ['see C:\\Temp\\"X"']}), logsource=ANY_JSON
    )
    assert held == [True]


@pytest.mark.parametrize(
    "field", ["user.name", "User.Name", "tags", "deep.list.name", "deep.list.0.name", "EventData.X", "x"]
)
def test_fields_are_found_nested_in_lists_and_in_any_case(tmp_path: Path, field: str) -> None:
    event = json_line(
        user={"name": "root"}, tags=["a", "root"], deep={"list": [{"name": "root"}]}, EventData={"X": "root"}
    )
    wanted = f"sel:\n  {field}: root\ncondition: sel"
    assert holds(tmp_path, wanted, event, json_line(y=1), logsource=ANY_JSON) == [True, False]


def test_numbers_and_booleans_of_json_are_compared(tmp_path: Path) -> None:
    event = json_line(n=5, f=5.0, t=True)
    for item in ("n: 5", "f: 5", "t: true", "t: 'TRUE'", "n|gte: 5"):
        assert holds(tmp_path, f"sel:\n  {item}\ncondition: sel", event, logsource=ANY_JSON) == [True], item


def test_escaped_letters_of_json_hide_nothing(tmp_path: Path) -> None:
    text = '{"cmd":"\\u006dimi\\u006Batz"}'
    event = {"log.format": "json-lines", "event.original": text, "message": text, "fields": text}
    assert holds(tmp_path, "sel:\n  cmd|contains: mimikatz\ncondition: sel", event, logsource=ANY_JSON) == [True]
