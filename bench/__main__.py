"""`python -m bench [NAME…]`: runs the measurements and writes JSON to bench/results/.

Each figure comes with the machine, the versions and a baseline timed in the same run, because machines differ and
drift: the ratio to the baseline is what may not get worse. Nothing here fails on a slow machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import idle, ingest, latency, search, sigma, templates
from bench.machine import Figure, describe_machine

BENCHES: dict[str, Callable[[Path, float], list[Figure]]] = {
    "ingest": ingest.run,
    "latency": latency.run,
    "idle": idle.run,
    "search": search.run,
    "templates": templates.run,
    "sigma": sigma.run,
}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHES)}; all when none is given"
    )
    arguments.add_argument("--scale", type=float, default=1.0, help="share of the full size, for a quick look: 0.1")
    chosen = arguments.parse_args()
    if unknown := [name for name in chosen.names if name not in BENCHES]:
        arguments.error(f"{unknown[0]!r} is no bench; choose from {', '.join(BENCHES)}")
    RESULTS.mkdir(exist_ok=True)
    for name in chosen.names or BENCHES:
        with tempfile.TemporaryDirectory(prefix=f"vedette-bench-{name}-") as folder:
            figures = BENCHES[name](Path(folder), chosen.scale)
        write(name, figures, chosen.scale)


def write(name: str, figures: list[Figure], scale: float) -> None:
    """Print the figures and keep them as JSON."""
    document = {
        "bench": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": scale,
        "machine": describe_machine(),
        "figures": [figure.as_dict() for figure in figures],
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(f"\n{name}  ({path})")
    for figure in figures:
        print(f"  {figure.line()}")


if __name__ == "__main__":
    main()
