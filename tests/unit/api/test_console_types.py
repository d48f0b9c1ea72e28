"""The console's types are those of the API."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from vedette.api import openapi_document


def test_types_of_the_console_are_made_from_the_api_as_it_is(repo_root: Path, tmp_path: Path) -> None:
    generator = repo_root / "ui" / "node_modules" / ".bin" / "openapi-typescript"
    if not generator.exists():
        pytest.skip("the console's tools are not installed; run `npm --prefix ui ci`")
    document, types = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    document.write_text(json.dumps(openapi_document()))
    subprocess.run([generator, document, "-o", types], cwd=repo_root / "ui", check=True, capture_output=True)
    current = (repo_root / "ui/src/api/schema.d.ts").read_text()
    assert types.read_text() == current, "ui/src/api/schema.d.ts is not what the API says; run `make docs`"
