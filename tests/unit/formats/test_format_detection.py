"""The format is found on short, dirty and mixed samples."""

from __future__ import annotations

import pytest

from support.entries import READ_AT
from vedette.formats import load_library
from vedette.formats.detect import SAMPLE_LINES, FormatChoice, choose_format, rank_formats, sample_of

LIBRARY = load_library()
LINES = {
    "syslog-rfc3164": "Nov 23 22:04:17 web1 CRON[77]: (root) CMD (true)",
    "syslog-rfc5424": "<34>1 2026-11-23T22:04:17Z web1 app - - - hello",
    "http-access": '203.0.113.9 - - [23/Nov/2026:22:04:17 +0000] "GET / HTTP/1.1" 200 12',
    "apache-error": "[Mon Nov 23 22:04:17 2026] [notice] caught SIGTERM, shutting down",
    "nginx-error": "2026/11/23 22:04:17 [warn] 7#7: conflicting server name",
    "json-lines": '{"ts":1795471457,"level":"info","msg":"hello"}',
    "logfmt": 'ts=2026-11-23T22:04:17Z level=info msg="hello there"',
    "generic": "2026-11-23 22:04:17,123 INFO shop.cart: hello",
}
JUNK = ["-- Logs begin at Mon 2026-11-23 --", "", "\tat a.b.C(D.java:1)", "=" * 40]


def chosen(sample: list[str]) -> FormatChoice:
    return choose_format(LIBRARY, sample, source="s", path="/var/log/s", now=READ_AT)


@pytest.mark.parametrize(("name", "line"), LINES.items())
def test_one_line_is_enough(name: str, line: str) -> None:
    assert chosen([line]).format == name


@pytest.mark.parametrize(("name", "line"), LINES.items())
def test_leading_junk_does_not_matter(name: str, line: str) -> None:
    assert chosen([*JUNK, *[line] * 6]).format == name


@pytest.mark.parametrize("other", sorted(set(LINES) - {"json-lines"}))
def test_the_larger_part_of_a_mixed_file_wins(other: str) -> None:
    sample = [LINES["json-lines"]] * 7 + [LINES[other]] * 3
    assert chosen(sample).format == "json-lines"
    assert other in [fit.format_name for fit in rank_formats(LIBRARY, sample)]


def test_of_formats_that_explain_the_same_lines_the_more_specific_wins() -> None:
    ranked = rank_formats(LIBRARY, [LINES["nginx-error"]])
    assert ranked[0].format_name == "nginx-error"
    assert {fit.format_name for fit in ranked[1:]} <= set(LIBRARY.catch_alls)


def test_text_that_no_format_explains_is_plain() -> None:
    choice = chosen(["hello", "world"])
    assert (choice.format, choice.confidence, choice.reason) == ("plain", 0.0, "no format explains 2 lines")


@pytest.mark.parametrize("sample", [[], [""], ["  ", "\t"]])
def test_empty_sample_is_plain(sample: list[str]) -> None:
    assert chosen(sample).format == "plain"


def test_sample_of_a_long_file_is_its_head_and_lines_from_all_over() -> None:
    lines = [str(number) for number in range(10_000)]
    sample = sample_of(lines)
    assert len(sample) == SAMPLE_LINES
    assert list(sample[:50]) == lines[:50]
    assert int(sample[-1]) > 9_000
