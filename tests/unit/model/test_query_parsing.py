"""What people type, what it means, and what they are told when it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vedette.model.errors import QueryError
from vedette.model.query import MATCH_ALL, Query, parse_query, widened

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def q(text: str) -> Query:
    return parse_query(text, now=NOW)


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("", "*"),
        ("  ", "*"),
        ("a b", "a AND b"),
        ("b a", "a b"),
        ("a a", "a"),
        ("a or b", "a OR b"),
        ("a && b || c", "(a AND b) OR c"),
        ("a b OR c", "(a AND b) OR c"),
        ("not a", "-a"),
        ("NOT (a b)", "-(b a)"),
        ("--a", '"--a"'),
        ("!a", "-a"),
        ("NOT NOT a", "a"),
        ("- a", '"-" "a"'),
        ("((a))", "a"),
        ("user:root", "user.name:root"),
        ("user: root", "user.name:root"),
        ("user!=root", "-user:root"),
        ("user:(a OR b)", "user:a OR user:b"),
        ("user:(a -b*)", "user:a -user:b*"),
        ("severity >= 7", "event.severity>=7"),
        ("severity:>=7", "severity>=7"),
        ("severity>=high", "severity>=7"),
        ("severity>high", "severity>8"),
        ("severity:HIGH", "severity:7..8"),
        ("severity<=info", "severity<=2"),
        ("pid:1..", "pid>=1"),
        ("pid:..5", "pid<=5"),
        ("pid:5..5", "pid>=5 pid<=5"),
        ("level>=critical", "level:(emergency OR alert OR critical)"),
        ("level<=debug", "level:(debug OR trace)"),
        ("ip:10.1.2.3/8", "source.ip:10.0.0.0/8"),
        ("ip:2001:DB8:0::1", "source.ip:2001:db8::1"),
        ("since:1h", "@timestamp>=2026-11-23T11:00Z"),
        ("since:-1h", "time>=now-1h"),
        ("until:now", "time<=2026-11-23T12:00:00.000000Z"),
        ("time:2026-11-23", "time>=2026-11-23 time<2026-11-24"),
        ("time>2026-11", "time>=2026-12"),
        ("time:2026-11-23T10:00+02:00", "time:2026-11-23T08:00"),
        ("time:2026-11-22..2026-11-23", "time>=2026-11-22 time<2026-11-24"),
        ("foo:bar", "fields.foo:bar"),
        ('user:"a b"', "user:a\\ b"),
        ("user:a**b", "user:a*b"),
        ("message:fail*", "message:*fail*"),
        ("fail*ed", "original:fail*ed"),
        ("id:0000000000000001-1f", "vedette.generation:1 log.offset:31"),
    ],
)
def test_these_mean_the_same(text: str, same_as: str) -> None:
    assert q(text) == q(same_as)
    assert hash(q(text)) == hash(q(same_as))
    assert str(q(text)) == str(q(same_as))


@pytest.mark.parametrize("text", ["a OR b", "(a)", "user:root", "-x"])
def test_quotes_make_text_of_anything(text: str) -> None:
    assert str(q(f'"{text}"')) == f'"{text}"'


@pytest.mark.parametrize(
    "text",
    [
        "pam_unix(sshd:auth):",
        "http://x.y/z=b",
        "fe80::1",
        "uid=0",
        "12:30:05",
        "Failed:",
        "[UFW",
        "C:\\x",
        "sshd[12]:",
    ],
)
def test_pasted_log_text_is_looked_for_as_text(text: str) -> None:
    assert q(text) == q('"' + text.replace("\\", "\\\\") + '"')


def test_a_value_may_hold_any_character_in_quotes() -> None:
    assert str(q(r'user:"a\"b\\c*"')) == r'user.name:"a\"b\\c*"'


def test_nothing_typed_matches_everything() -> None:
    assert q("") == MATCH_ALL == q("*")


def test_what_was_typed_is_kept_beside_the_meaning() -> None:
    assert q("user:root").text == "user:root"


@pytest.mark.parametrize(
    ("text", "position", "words", "suggestion"),
    [
        ('a "bc', 2, "never closed", 'a "bc"'),
        ("a (b", 2, "never closed", "a (b)"),
        ("a) b", 1, "closes nothing", None),
        ("()", 1, "term is missing", None),
        ("a OR", 4, "term is missing", None),
        ("OR a", 0, "term is missing", None),
        ("user:", 0, "value is missing", None),
        ("user:()", 6, "term is missing", None),
        ("severity:hgih", 9, "did you mean `high`", "severity:high"),
        ("x severity>=hi", 12, "severity", None),
        ("severity:abc", 9, "neither", None),
        ("sevrity:7", 0, "did you mean `severity`", "severity:7"),
        ("a source.ipp:1.2.3.4", 2, "did you mean `source.ip`", "a source.ip:1.2.3.4"),
        ("severity=>7", 8, "unknown operator `=>`", "severity>=7"),
        ("user=root", 4, "unknown operator `=`", "user:root"),
        ("user==root", 4, "unknown operator", "user:root"),
        ("user>root", 5, "no order", None),
        ("pid:abc", 4, "whole number", None),
        ("pid:99999999999999999999", 4, "whole number", None),
        ("foo>bar", 4, "numbers only", None),
        ("time:yesterday", 5, "is a time", None),
        ("time:2026-13-01", 5, "is a time", None),
        ("since>=1h", 0, "takes a `:`", None),
        ("ip:10.0.0.0/33", 3, "no network", None),
        ("level>=loud", 7, "the levels are", None),
        ("id:12", 3, "no event id", None),
        ("pid:..", 4, "bound", None),
        ("a" * 4_001, 4_000, "4001 characters", None),
        ("(" * 51 + "a" + ")" * 51, 50, "nested deeper", None),
        ("NOT " * 51 + "a", 203, "nested deeper", None),
        ("a " * 201, 400, "more than 200 terms", None),
        ("a \ud800", 2, "surrogate", None),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, position: int, words: str, suggestion: str | None) -> None:
    with pytest.raises(QueryError, match=words) as caught:
        q(text)
    error = caught.value
    assert error.position == position
    assert error.text == text
    if suggestion is not None:
        assert error.suggestion == suggestion


def test_suggestions_can_be_used() -> None:
    for text in ("sevrity:7", "severity=>7", "user=root", 'a "bc', "a (b", "severity:hgih"):
        with pytest.raises(QueryError) as caught:
            q(text)
        assert caught.value.suggestion is not None
        q(caught.value.suggestion)


def test_a_field_that_is_no_column_is_read_from_the_others() -> None:
    assert str(q("ruser:backup")) == 'fields.ruser:"backup"'
    assert str(q("fields.users:x")) == 'fields.users:"x"'


def test_a_term_is_widened_to_every_name_of_its_thing_and_nothing_else_is() -> None:
    names = {"a": ("a", "b"), "c": ("c",)}
    query = parse_query("template:a -template:a user:a (template:c OR x)", now=NOW)
    wide = widened(query, "template.id", lambda name: names[name])
    expected = parse_query("(template:a OR template:b) -(template:a OR template:b) user:a (template:c OR x)", now=NOW)
    assert wide == expected
