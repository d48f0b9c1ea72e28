"""What a model says about a finding, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

import vedette
from support.browser import SshLog, chromium, console
from support.modelserver import model_server
from support.process import Server, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not (Path(vedette.__file__).parent / "web" / "index.html").exists():
        pytest.skip("the console is not built; run `npm --prefix ui ci && npm --prefix ui run build`")
    with chromium() as opened:
        yield opened


def test_advice_stands_below_the_verdict_as_text(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    log = SshLog(tmp_path / "auth.log")
    with model_server(lambda asked: asked.advise("<b>Somebody</b> guesses")) as model:
        (data / "vedette.toml").write_text(
            f'[ai]\nenabled = true\nmodel = "tiny"\nbase_url = "{model.base_url}"\nmin_severity = 4\nsettle_seconds = 0.5\n'
        )
        with Server([log.path], data) as server, console(browser) as opened:
            log.failed_logins(30)

            def advised() -> list[str]:
                return [row["id"] for row in server.get("/findings")["rows"] if row["model_advice"]]

            name = wait_until(advised, what="a finding has advice")[0]
            opened.open(server.address, f"/?finding={quote(name)}")
            shown = opened.page.get_by_test_id("model-advice")
            expect(shown).to_contain_text("<b>Somebody</b> guesses")
            expect(shown).to_contain_text("tiny")
            expect(shown).to_contain_text("Not part of the verdict")
            shown.get_by_title("Open this event").first.click()
            expect(opened.page).to_have_url(re.compile("[?&]event="))
