"""The system's Chromium on the console of a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, expect, sync_playwright

PATIENCE_MS = 20_000
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without window. Skips the test where there is none."""
    path = os.environ.get("VEDETTE_TEST_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no Chromium is installed; install one or name it in VEDETTE_TEST_CHROMIUM")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Console:
    """An open page of the console, and what went wrong in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Uncaught errors and content-policy violations; a server that is away is no complaint."""

    def open(self, address: str, path: str = "/") -> None:
        self.page.goto(f"{address}{path}")
        expect(self.page.locator(".pause-button--live")).to_be_visible()

    def complain(self, what: str) -> None:
        self.complaints.append(what)

    def dismiss(self, dialog: Dialog) -> None:
        self.complain("a dialog opened")
        dialog.dismiss()

    def hear(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.complain(text)

    @property
    def table(self) -> Locator:
        return self.page.get_by_role("grid", name="Events")

    @property
    def rows(self) -> Locator:
        return self.table.locator("[data-seq]")

    def row(self, text: str) -> Locator:
        return self.rows.filter(has_text=text)

    def open_event(self, text: str) -> None:
        """Click beside the values, which would filter."""
        self.row(text).locator("time").click()

    @property
    def detail(self) -> Locator:
        return self.page.get_by_role("complementary", name="Event")

    def barriers(self) -> list[str]:
        """What axe finds that keeps people out."""
        script = Path(__file__).parents[2] / "ui/node_modules/axe-core/axe.min.js"
        if not script.exists():
            pytest.skip("axe-core is not installed; run `npm --prefix ui ci`")
        self.page.evaluate(script.read_text(encoding="utf-8"))
        found = self.page.evaluate("async () => (await axe.run({ resultTypes: ['violations'] })).violations")
        return [f"{each['id']}: {each['help']} at {each['nodes'][0]['target']}" for each in found]

    def messages(self) -> list[str]:
        """The messages in view, newest first."""
        return self.rows.locator(".log-text").all_inner_texts()

    def numbers(self) -> list[int]:
        """The sequence numbers in view, newest first."""
        return [int(number) for number in self.rows.evaluate_all("rows => rows.map(row => row.dataset.seq)")]


@contextmanager
def console(
    browser: Browser,
    *,
    width: int = 1440,
    height: int = 900,
    theme: Literal["dark", "light"] = "dark",
) -> Iterator[Console]:
    """A page in a fresh profile. Fails the test when anything went wrong in it."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    opened = Console(context.new_page())
    opened.page.on("pageerror", lambda error: opened.complain(f"uncaught: {error}"))
    opened.page.on("dialog", opened.dismiss)
    opened.page.on("console", lambda message: opened.hear(message.text))
    try:
        yield opened
        assert opened.complaints == []
    finally:
        context.close()


class SshLog:
    """An auth.log that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def line(self, text: str, *, program: str = "sshd[2417]") -> None:
        """One whole record of now."""
        self.lines([text], program=program)

    def lines(self, texts: list[str], *, program: str = "sshd[2417]") -> None:
        stamp = f"{datetime.now().astimezone():%b %e %H:%M:%S} bastion {program}: "
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(f"{stamp}{text}\n" for text in texts))

    def failed_logins(self, count: int, *, user: str = "deploy", address: str = "203.0.113.77") -> None:
        self.lines([f"Failed password for {user} from {address} port {52000 + n} ssh2" for n in range(count)])
