"""The Live page in a real browser, on a real server fed by a real log file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

import vedette
from support.browser import SshLog, chromium, console
from support.process import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not (Path(vedette.__file__).parent / "web" / "index.html").exists():
        pytest.skip("the console is not built; run `npm --prefix ui ci && npm --prefix ui run build`")
    with chromium() as opened:
        yield opened


@pytest.fixture
def log(tmp_path: Path) -> SshLog:
    return SshLog(tmp_path / "auth.log")


@pytest.fixture
def server(log: SshLog, tmp_path: Path) -> Iterator[Server]:
    with Server([log.path], tmp_path / "data") as running:
        yield running


@contextmanager
def restarted(log: SshLog, before: Server) -> Iterator[Server]:
    """Another process on the same data folder and port."""
    port = before.address.rpartition(":")[2]
    with Server([log.path], before.data_dir, "--port", port) as running:
        yield running


def test_a_written_line_appears_without_a_refresh(browser: Browser, server: Server, log: SshLog) -> None:
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.table).to_contain_text("Waiting for the first event")
        log.failed_logins(1, user="margaret")
        row = opened.row("margaret")
        expect(row).to_be_visible()
        expect(row).to_contain_text("bastion")
        expect(row).to_contain_text("sshd")
        expect(row.locator(".severity")).to_have_attribute("title", re.compile(r"severity \d+, \w+"))
        expect(row.locator(".parse-status")).to_have_attribute("title", re.compile("^parsed"))


def test_what_was_there_before_the_page_is_shown_when_it_opens(browser: Browser, server: Server, log: SshLog) -> None:
    log.failed_logins(20, user="early")
    server.wait_for_events(20)
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.row("early")).to_have_count(20)
        assert opened.numbers() == sorted(opened.numbers(), reverse=True)


def test_a_paused_table_keeps_still_and_counts_what_waits(browser: Browser, server: Server, log: SshLog) -> None:
    log.failed_logins(3, user="before")
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.row("before")).to_have_count(3)
        opened.page.keyboard.press("Space")
        log.failed_logins(7, user="meanwhile")
        expect(opened.page.get_by_test_id("waiting")).to_have_text("7 waiting")
        expect(opened.row("meanwhile")).to_have_count(0)
        opened.page.keyboard.press("Space")
        expect(opened.row("meanwhile")).to_have_count(7)
        expect(opened.page.get_by_test_id("waiting")).to_have_count(0)


def test_new_rows_wait_while_one_reads_further_down(browser: Browser, server: Server, log: SshLog) -> None:
    log.failed_logins(200, user="history")
    server.wait_for_events(200)
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.row("history").first).to_be_visible()
        opened.table.evaluate("grid => grid.scrollTo(0, 1500)")
        expect(opened.row("port 52100 ")).to_be_visible()
        place = opened.row("port 52100 ").bounding_box()
        log.failed_logins(5, user="news")
        pill = opened.page.get_by_role("button", name="5 new")
        expect(pill).to_be_visible()
        assert opened.row("port 52100 ").bounding_box() == place
        pill.click()
        expect(opened.row("news")).to_have_count(5)


def test_clicking_a_value_filters_by_it_and_the_address_reproduces_the_view(
    browser: Browser, server: Server, log: SshLog
) -> None:
    log.failed_logins(4, user="alice", address="198.51.100.4")
    log.failed_logins(4, user="bob", address="198.51.100.5")
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.rows).to_have_count(8)
        opened.row("alice").first.locator("mark", has_text="alice").click()
        expect(opened.page.get_by_label("Filter", exact=True)).to_have_value("user.name:alice")
        expect(opened.rows).to_have_count(4)
        log.failed_logins(1, user="bob", address="198.51.100.5")
        log.failed_logins(1, user="alice", address="198.51.100.9")
        expect(opened.row("198.51.100.9")).to_be_visible()
        expect(opened.row("bob")).to_have_count(0)
        address = opened.page.url
    with console(browser, theme="light") as again:
        again.page.goto(address)
        expect(again.page.get_by_label("Filter", exact=True)).to_have_value("user.name:alice")
        expect(again.rows).to_have_count(5)


def test_an_event_shows_its_text_fields_and_neighbours(browser: Browser, server: Server, log: SshLog) -> None:
    log.line("Connection from 192.0.2.8 port 40000")
    log.failed_logins(1, user="carol", address="192.0.2.8")
    log.line("Connection closed by 192.0.2.8 port 40000 [preauth]")
    with console(browser) as opened:
        opened.open(server.address)
        opened.open_event("carol")
        raw = opened.detail.get_by_test_id("raw")
        expect(raw).to_contain_text("Failed password for carol from 192.0.2.8")
        expect(raw.locator("mark", has_text="carol")).to_be_visible()
        expect(raw.locator("mark", has_text="192.0.2.8")).to_be_visible()
        expect(opened.detail.locator(".fields__row", has_text="user.name")).to_contain_text("carol")
        context = opened.detail.get_by_test_id("context").locator("li")
        expect(context).to_have_count(3)
        expect(context.nth(0)).to_contain_text("Connection from")
        expect(context.nth(1)).to_have_attribute("aria-current", "true")
        opened.detail.get_by_role("button", name="Filter out user.name").click()
        expect(opened.page.get_by_label("Filter", exact=True)).to_have_value("-user.name:carol")
        expect(opened.row("carol")).to_have_count(0)
        opened.page.keyboard.press("Escape")
        expect(opened.detail).to_have_count(0)


def test_a_linked_event_opens_though_the_table_does_not_hold_it(browser: Browser, server: Server, log: SshLog) -> None:
    log.failed_logins(3, user="dave")
    server.wait_for_events(3)
    event_id = server.get("/events", query="user.name:dave", limit=1)["rows"][0]["event.id"]
    with console(browser) as opened:
        opened.open(server.address, f"/live?q=user.name:nobody&event={event_id}")
        expect(opened.detail.get_by_test_id("raw")).to_contain_text("Failed password for dave")
        opened.open(server.address, f"/live?event={event_id}")
        expect(opened.rows).to_have_count(3)
        expect(opened.rows.first).to_have_attribute("aria-selected", "true")


def test_a_finding_arrives_with_its_evidence_arithmetic_and_advice(
    browser: Browser, server: Server, log: SshLog
) -> None:
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.page.get_by_text("No findings")).to_be_visible()
        log.failed_logins(60, user="root", address="203.0.113.9")
        item = opened.page.locator(".finding-item").first
        expect(item).to_contain_text("203.0.113.9")
        expect(opened.page).to_have_title("(1) Live · Vedette")
        item.click()
        expect(opened.page).to_have_title("Live · Vedette")
        panel = opened.page.get_by_role("complementary", name="Finding")
        expect(panel.get_by_test_id("evidence").locator("mark").first).to_be_visible()
        expect(panel.locator(".arithmetic__total .severity-number")).to_have_text(re.compile(r"^\d+$"))
        expect(panel.get_by_role("heading", name="What to do")).to_be_visible()
        panel.get_by_role("button", name="Show its events").click()
        expect(opened.page.get_by_label("Filter", exact=True)).to_have_value(re.compile("203.0.113.9"))
        expect(opened.row("203.0.113.9").first).to_be_visible()


def test_the_stream_continues_after_a_restart_without_hole_or_double(
    browser: Browser, log: SshLog, tmp_path: Path
) -> None:
    with console(browser, height=2600) as opened:
        with Server([log.path], tmp_path / "data") as first:
            opened.open(first.address)
            log.failed_logins(20, user="before")
            expect(opened.row("before")).to_have_count(20)
            first.kill()
            expect(opened.page.get_by_role("alert")).to_contain_text("Connection lost")
        log.failed_logins(30, user="between")
        with restarted(log, first):
            expect(opened.row("between")).to_have_count(30)
            expect(opened.page.get_by_role("alert")).to_have_count(0)
            log.failed_logins(10, user="after")
            expect(opened.row("after")).to_have_count(10)
            expect(opened.table).to_contain_text("connection was lost for")
            ports = [re.findall(r"for (\w+) from .* port (\d+)", text)[0] for text in opened.messages()]
            wanted = [("before", 20), ("between", 30), ("after", 10)]
            expected = [(user, str(52000 + n)) for user, count in wanted for n in range(count)]
            assert ports[::-1] == expected


HOSTILE = (
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 2'>",
    '"><svg onload=window.hit=3>',
    "javascript:window.hit=4 {{7*7}} ${7*7}",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell",
    "\u202egpj.exe\u2066 \u200bhidden\ufeff",
    "%s%n \\u003cscript\\u003e &lt;b&gt;bold&lt;/b&gt;",
    "x" * 20_000,
)


def test_hostile_lines_stay_text(browser: Browser, server: Server, log: SshLog) -> None:
    log.lines([f"Invalid user {text} from 203.0.113.66 port 1" for text in HOSTILE])
    log.line("Failed password for last from 203.0.113.66 port 2 ssh2")
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.row("last")).to_be_visible()
        server.wait_for_events(len(HOSTILE) + 1)
        expect(opened.row("<script>window.hit = 1</script>")).to_be_visible()
        expect(opened.row("red ⟦ESC⟧]0;title⟦BEL⟧ bell")).to_be_visible()  # colours are no part of a message
        expect(opened.row("⟦RLO⟧gpj.exe")).to_be_visible()
        for row in range(opened.rows.count()):
            opened.rows.nth(row).locator("time").click()
            expect(opened.detail.get_by_test_id("raw")).to_be_visible()
            expect(opened.detail.get_by_test_id("context")).to_be_visible()
        assert opened.page.evaluate("window.hit") is None
        assert opened.page.locator("main script, main img, main iframe, main [onload], main [onerror]").count() == 0
        shown = opened.page.locator("main").evaluate("main => main.innerText")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]", shown)


def test_a_wrong_query_is_shown_with_its_place_and_what_was_meant(
    browser: Browser, server: Server, log: SshLog
) -> None:
    log.failed_logins(2)
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.rows).to_have_count(2)
        bar = opened.page.get_by_label("Filter", exact=True)
        bar.fill("usr.name:deploy")
        bar.press("Enter")
        problem = opened.page.get_by_role("alert")
        expect(problem).to_contain_text("usr.name")
        expect(problem).to_contain_text("^")
        problem.get_by_role("button", name="Try").click()
        expect(bar).to_have_value("user.name:deploy")
        expect(opened.rows).to_have_count(2)


def test_the_keyboard_reaches_everything(browser: Browser, server: Server, log: SshLog) -> None:
    log.failed_logins(5)
    with console(browser) as opened:
        opened.open(server.address)
        expect(opened.rows).to_have_count(5)
        keyboard = opened.page.keyboard
        keyboard.press("j")
        keyboard.press("ArrowDown")
        expect(opened.rows.nth(1)).to_have_attribute("aria-selected", "true")
        keyboard.press("k")
        expect(opened.rows.nth(0)).to_have_attribute("aria-selected", "true")
        keyboard.press("Escape")
        expect(opened.detail).to_have_count(0)
        keyboard.press("?")
        expect(opened.page.get_by_role("dialog")).to_contain_text("Keyboard")
        keyboard.press("Escape")
        expect(opened.page.get_by_role("dialog")).to_have_count(0)
        keyboard.press("s")
        expect(opened.page.get_by_role("complementary", name="Sources")).to_contain_text("auth.log")
        keyboard.press("/")
        keyboard.type("category:auth")
        keyboard.press("Tab")
        keyboard.press("Enter")
        expect(opened.page).to_have_url(re.compile(r"q=category%3Aauthentication"))


def test_a_burst_leaves_the_page_quick_and_complete(browser: Browser, server: Server, log: SshLog) -> None:
    with console(browser) as opened:
        opened.open(server.address)
        for _ in range(20):
            log.failed_logins(1_000, user="flood")
        log.failed_logins(1, user="last")
        expect(opened.row("last")).to_be_visible()
        server.wait_for_events(20_001)
        assert opened.rows.count() < 120
        expect(opened.table).to_have_attribute("aria-rowcount", re.compile(r"^\d{5}$"))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_fits_a_phone(browser: Browser, server: Server, log: SshLog, theme: Literal["dark", "light"]) -> None:
    log.failed_logins(30)
    with console(browser, width=390, height=844, theme=theme) as opened:
        opened.open(server.address)
        expect(opened.rows.first).to_be_visible()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert opened.page.locator("html").get_attribute("data-mantine-color-scheme") == theme
        opened.rows.first.click()
        expect(opened.detail.get_by_test_id("raw")).to_be_in_viewport()
        opened.detail.get_by_role("button", name="Close").click()
        expect(opened.detail).to_have_count(0)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_part_of_the_page_keeps_people_out(
    browser: Browser, server: Server, log: SshLog, theme: Literal["dark", "light"]
) -> None:
    with console(browser, theme=theme) as opened:
        opened.open(server.address)
        expect(opened.table).to_contain_text("Waiting for the first event")
        assert opened.barriers() == []
        log.failed_logins(30, user="root")
        expect(opened.page.locator(".finding-item").first).to_be_visible()
        assert opened.barriers() == []
        opened.rows.first.locator("time").click()
        expect(opened.detail.get_by_test_id("context")).to_be_visible()
        assert opened.barriers() == []
        opened.page.keyboard.press("Escape")
        opened.page.locator(".finding-item").first.click()
        expect(opened.page.get_by_test_id("evidence")).to_be_visible()
        assert opened.barriers() == []
