"""`vedette scan`: judge files without storing anything."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.table import Table

from vedette.cli.options import DataDir, Paths
from vedette.cli.progress import Advance, reading_progress
from vedette.cli.search import Output, local_time
from vedette.cli.terminal import complain_of, out, plural, safe, severity_text
from vedette.model.errors import SettingsError
from vedette.model.severity import HIGH

if TYPE_CHECKING:
    import polars as pl

    from vedette.model.entries import EntryBatch
    from vedette.model.findings import Finding
    from vedette.sources import FileHistory

FOUND_DANGER = 1
_BATCH_BYTES = 16 * 2**20


def scan(
    paths: Paths,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="table (a summary) or ndjson (every event, then every finding).")
    ] = Output.TABLE,
    reference_time: Annotated[
        str | None,
        typer.Option(
            "--reference-time",
            metavar="TIME",
            help="What stamps without a year are near to, ISO 8601. [default: the file's modification time]",
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone", metavar="ZONE", help="Zone of stamps that name none, like Europe/Berlin. [default: UTC]"
        ),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Use this format instead of detecting it.")
    ] = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            "--rules", metavar="DIR", help="Also use the Sigma rules of this folder, file or zip. Repeatable."
        ),
    ] = None,
    no_default_rules: Annotated[
        bool,
        typer.Option("--no-default-rules", help="Only the rules of --rules; without those, parse and score only."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Parse and judge files, folders or standard input (-), and store nothing.

    Reads plain, gz, bz2, xz, zst, and EVTX with the extra `evtx`, with the formats and rules of the data folder
    beside those that ship.
    Exit status: 0 clean, 1 when a finding has severity 7 or more,
    2 on a usage error.

    \b
    Examples:
      vedette scan /var/log/auth.log
      vedette scan /var/log/nginx --output ndjson | jq 'select(.kind=="finding")'
      vedette scan events.jsonl --rules sigma/rules/windows
      zcat old.gz | vedette scan - --reference-time 2025-12-31T00:00:00Z
    """
    from vedette.app import build_middle, check_format, scan_detection
    from vedette.app.sources import history_sources
    from vedette.cli.own_log import set_up_logging
    from vedette.model.clock import SystemClock
    from vedette.settings import Settings

    set_up_logging("error", "auto")  # what is wrong is told in sentences
    reference = _moment(reference_time) if reference_time else None
    clock = SystemClock()
    settings = Settings.load(data_dir=data_dir)
    detection = scan_detection(settings, clock, folders=rules or (), with_default=not no_default_rules)
    middle = build_middle(settings.data_dir, clock, detection=detection)
    check_format(middle.library, format_name)
    histories = history_sources(settings, paths, timezone=timezone, format_name=format_name, clock=clock)
    reporter: Reporter = _NdjsonReporter() if output is Output.NDJSON else _TableReporter()
    findings: dict[str, Finding] = {}
    with reading_progress("Scanning") as advance:
        for batches in _micro_batches(histories, reference, advance):
            judged = middle.judge.judge(batches)
            reporter.events(judged.events)
            findings |= {finding.id: finding for finding in judged.findings}
    findings |= {finding.id: finding for finding in middle.judge.finish()}
    complain_of(
        [
            *map(str, middle.library.problems),
            *map(str, detection.problems),
            *(problem for history in histories for problem in history.problems),
        ],
        [file for history in histories for file in history.left_out],
    )
    ordered = sorted(findings.values(), key=lambda finding: finding.last_seen)
    reporter.findings(ordered)
    if any(finding.severity >= HIGH for finding in ordered):
        raise typer.Exit(FOUND_DANGER)


def _micro_batches(
    histories: Iterable[FileHistory], reference: datetime | None, advance: Advance
) -> Iterator[list[EntryBatch]]:
    gathered: list[EntryBatch] = []
    size = 0
    for history in histories:
        for batch in history.batches([]):
            advance(history.progress.done_bytes, history.progress.total_bytes)
            gathered.append(batch if reference is None else replace(batch, reference_time=reference))
            size += batch.size_bytes
            if size >= _BATCH_BYTES:
                yield gathered
                gathered, size = [], 0
    if gathered:
        yield gathered


class Reporter(Protocol):
    """Takes events in input order, then the findings."""

    def events(self, events: pl.DataFrame) -> None: ...

    def findings(self, findings: list[Finding]) -> None: ...


class _NdjsonReporter:
    """One JSON object a line."""

    def events(self, events: pl.DataFrame) -> None:
        from vedette.model.rows import ndjson_rows

        for text in ndjson_rows(events):
            sys.stdout.write(f'{{"kind":"event",{text[1:]}\n')

    def findings(self, findings: list[Finding]) -> None:
        for finding in findings:
            sys.stdout.write(json.dumps(_finding_row(finding), ensure_ascii=False, separators=(",", ":")) + "\n")


@dataclass(slots=True)
class _TableReporter:
    """A summary for people."""

    lines: int = 0
    by_format: Counter[str] = field(default_factory=Counter)
    by_severity: Counter[int] = field(default_factory=Counter)
    unparsed: int = 0
    started: float = field(default_factory=time.perf_counter)

    def events(self, events: pl.DataFrame) -> None:
        self.lines += events.height
        self.by_format.update(dict(events["log.format"].fill_null("unparsed").value_counts().iter_rows()))
        self.by_severity.update(dict(events["event.severity"].value_counts().iter_rows()))
        self.unparsed += int((events["parse.status"] == "unparsed").sum())

    def findings(self, findings: list[Finding]) -> None:
        seconds = time.perf_counter() - self.started
        console = out()
        share = f", {self.unparsed:,} unparsed" if self.unparsed else ", all parsed"
        console.print(f"[bold]{self.lines:,}[/] lines in {seconds:.1f} s{share}")
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("Lines", justify="right")
        table.add_column("Format")
        for name, count in self.by_format.most_common(20):
            table.add_row(f"{count:,}", safe(name))
        if self.by_format:
            console.print(table)
        console.print(f"\n[bold]{plural(len(findings), 'finding')}[/]")
        for finding in findings:
            console.print(severity_text(finding.severity), safe(local_time(finding.last_seen.isoformat())), end=" ")
            console.print(safe(finding.title), style="bold", markup=False)
            console.print(f"     {safe(finding.summary)}", markup=False)


def _finding_row(finding: Finding) -> dict[str, Any]:
    from vedette.model.rows import iso_utc

    return {
        "kind": "finding",
        "@timestamp": iso_utc(finding.last_seen),
        "rule.id": finding.rule_id,
        "rule.name": finding.rule_name,
        "rule.level": finding.rule_level,
        "event.severity": finding.severity,
        "title": finding.title,
        "summary": finding.summary,
        **finding.entity,
        "first_seen": iso_utc(finding.first_seen),
        "event.count": finding.event_count,
        "event.ids": list(finding.event_ids),
        "severity.factors": [{"reason": factor.reason, "amount": factor.amount} for factor in finding.factors],
        "evidence": [
            {
                "clause": each.clause,
                "column": each.column,
                "value": each.value,
                "event.id": each.event_id,
                "text": each.text,
            }
            for each in finding.evidence
        ],
        "actions": list(finding.actions),
        "tags": list(finding.tags),
    }


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--reference-time {text!r} is no time; write it like 2026-11-23T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
