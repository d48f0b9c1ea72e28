"""`vedette rules`: which there are, whether they are right, whether they can fire, and what they would have found."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.table import Table

from vedette.cli.options import DataDir
from vedette.cli.terminal import complain, err, human_bytes, out, plural, safe
from vedette.model.errors import SettingsError

if TYPE_CHECKING:
    import httpx
    import polars as pl

    from vedette.app.offline import Offline
    from vedette.detection.sigma.rules import RuleProblem, RuleSet
    from vedette.formats import FormatLibrary
    from vedette.settings import Settings

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
_PACK_SECONDS = 600
_MOST_UPLOADED = 32 * 2**20
_ASK_EVERY_SECONDS = 0.2
_NEEDS_SHOWN = 25
_SAMPLES_SHOWN = 3


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


class Level(StrEnum):
    """Of rules."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


As = Annotated[Output, typer.Option("--output", "-o", help="table (for people) or json.")]
Folders = Annotated[
    list[Path] | None,
    typer.Option("--rules", metavar="DIR", help="Rules of this folder, file or zip. Repeatable."),
]
RuleId = Annotated[str, typer.Argument(metavar="ID", help="As `vedette rules list` shows it.")]


@app.callback()
def rules() -> None:
    """List rules, check and test them, import packs, and try rules on stored events.

    Works while the server runs, with effect at once, and when it does not.

    \b
    Examples:
      vedette rules list --level critical
      vedette rules check my-rules/
      vedette rules import sigma_core.zip --name sigmahq
      vedette rules backtest --file new-rule.yml --since 2026-11-01
    """


@app.command("list")
def list_rules(
    pack: Annotated[str | None, typer.Option("--pack", metavar="NAME", help="Only rules of this pack.")] = None,
    level: Annotated[Level | None, typer.Option("--level", help="Only rules of this level.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="Only rules with these words in title, file or tags.")
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Only rules that are off.")] = False,
    output: As = Output.TABLE,
    data_dir: DataDir = None,
) -> None:
    """List the rules of all packs, the highest level first, and name those that are not used.

    \b
    Examples:
      vedette rules list --text brute
      vedette rules list --pack own --output json | jq '.rows[].id'
    """
    wanted: dict[str, Any] = {"pack": pack, "level": level.value if level else None, "text": text}
    if disabled:
        wanted["enabled"] = False
    with _place(data_dir) as place:
        told = place.page(wanted)
        problems = place.problems()
    if output is Output.JSON:
        _print_json(told | {"problems": problems})
        return
    table = _table("Level", "On", "Pack", "Id", "Title")
    for row in told["rows"]:
        on = "yes" if row["enabled"] else "no"
        table.add_row(row["level"], on, safe(row["pack"]), safe(row["id"]), safe(row["title"]))
    if told["rows"]:
        out().print(table)
    out().print(f"{plural(len(told['rows']), 'rule')} of {told['counts']['rules']:,}", style="dim")
    broken = [one for one in problems if not one["rule_id"]]
    for one in broken[:10]:
        complain(_problem_text(one))
    if len(broken) > 10:
        complain(f"and {len(broken) - 10:,} more; `vedette rules check` names all of a folder")


@app.command("check")
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders, files or zips of Sigma rules.")],
    output: As = Output.TABLE,
) -> None:
    """Read rules and say what is wrong with them: file, line, reason, remedy.

    Names also the rules that ask what a single event cannot answer, and those that can never fire. Exit status 1 when
    a rule cannot be used.

    \b
    Examples:
      vedette rules check my-rules/
      vedette rules check sigma/rules sigma/rules-emerging-threats
    """
    from vedette.detection.readiness import can_hold
    from vedette.detection.sigma.loading import load_rules

    for path in paths:
        if not path.exists():
            raise SettingsError(f"{str(path)!r} is not there; name folders, files or zips of Sigma rules")
    started = time.perf_counter()
    read = load_rules(paths, pack="check")
    uncompilable, remarks = _compiled(read)
    seconds = time.perf_counter() - started
    used = {rule.id for rule in read.rules}
    failed = [one for one in read.problems if one.rule_id not in used] + uncompilable
    noted = [one for one in read.problems if one.rule_id in used] + remarks
    never = [rule for rule in read.detections if not can_hold(rule.condition)]
    if output is Output.JSON:
        _print_json(
            {
                "rules": len(read.rules) - len(uncompilable),
                "correlations": len(read.correlations),
                "seconds": round(seconds, 3),
                "failed": [_problem_dict(one) for one in failed],
                "noted": [_problem_dict(one) for one in noted],
                "never": [{"id": rule.id, "title": rule.title, "path": rule.path, "line": rule.line} for rule in never],
            }
        )
    else:
        correlations = f", {plural(len(read.correlations), 'correlation')} among them" if read.correlations else ""
        loaded = len(read.rules) - len(uncompilable)
        typer.echo(f"{plural(loaded, 'rule')} loaded in {seconds:.1f} s{correlations}; {len(failed):,} failed")
        _print_problems("failed", failed)
        _print_problems("not as written", noted)
        if never:
            typer.echo(f"\ncan never fire: {len(never):,}")
            for rule in never:
                typer.echo(f"  {safe(rule.path)}:{rule.line}: {safe(rule.title)}")
    if failed or not read.rules:
        if not read.rules and not failed:
            complain("no rule was found; rules are files that end in .yml or .yaml")
        raise typer.Exit(1)


@app.command("test")
def try_rules(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A rule file or a folder. [default: the rules that ship]")
    ] = None,
    output: As = Output.TABLE,
    data_dir: DataDir = None,
) -> None:
    """Try rules on the samples beside them: NAME.test.yml with `hits:` and `misses:`, lists of logs as texts.

    The samples are read with the formats of the data folder and those that ship. Exit status 1 when one does not hold.

    \b
    Examples:
      vedette rules test my-rules/
      vedette rules test my-rules/backup-key.yml
    """
    from vedette.app.core import USER_FORMATS
    from vedette.app.rule_folders import shipped_rules
    from vedette.app.rule_samples import files_with_samples, try_samples
    from vedette.detection.sigma.loading import load_rules
    from vedette.formats import load_library
    from vedette.settings import Settings

    _quiet()
    place = path or shipped_rules()
    if not place.exists():
        raise SettingsError(f"{str(place)!r} is not there; name a rule file or a folder of rules")
    files = files_with_samples(place)
    if not files:
        raise SettingsError(f"no rule in {str(place)!r} has samples; write NAME.test.yml beside NAME.yml")
    library = load_library(Settings.load(data_dir=data_dir).data_dir / USER_FORMATS)
    known = load_rules([place if place.is_dir() else place.parent], pack="samples").rules
    tried = try_samples(files, library, datetime.now(UTC), known=known)
    wrong = [one for one in tried if not one.holds]
    if output is Output.JSON:
        _print_json(
            {
                "files": len(tried),
                "samples": sum(len(one.samples.hits) + len(one.samples.misses) for one in tried),
                "failed": [
                    {
                        "path": str(one.path),
                        "unfound": one.unfound,
                        "mistaken": one.mistaken,
                        "problems": list(map(str, one.problems)),
                    }
                    for one in wrong
                ],
            }
        )
    else:
        samples = sum(len(one.samples.hits) + len(one.samples.misses) for one in tried)
        typer.echo(f"{len(tried) - len(wrong):,} of {plural(len(tried), 'rule file')} hold, {samples:,} samples tried")
        for one in wrong:
            for problem in one.problems:
                typer.echo(f"{safe(str(problem))}")
            for kind, texts in (("nothing was found in", one.unfound), ("something was found in", one.mistaken)):
                for text in texts:
                    typer.echo(f"{safe(str(one.path))}: {kind}:\n    {safe(text.splitlines()[0])}")
    if wrong:
        raise typer.Exit(1)


@app.command("import")
def import_pack(
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="A folder or zip of Sigma rules.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Call the pack so. [default: as the folder or zip]")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Copy a pack of rules into the data folder and use it, in place of the pack of that name.

    \b
    Examples:
      vedette rules import sigma_core.zip --name sigmahq
      vedette rules import ~/sigma/rules/linux
    """
    if not pack.exists():
        raise SettingsError(f"{str(pack)!r} is not there; name a folder or zip of Sigma rules")
    with _place(data_dir) as place:
        told = place.import_pack(pack.resolve(), name)
    typer.echo(f"{plural(told['rules'], 'rule')} are used as the pack {safe(told['name'])}")
    for one in told["problems"][:10]:
        complain(_problem_text(one))
    if told["problems_total"] > 10:
        complain(f"and {told['problems_total'] - 10:,} more problems; `vedette rules check {pack}` names all")


@app.command("enable")
def enable(
    rule_id: RuleId,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Switch a rule on.

    \b
    Example:
      vedette rules enable 5d3bad93-b692-4448-a298-4b0b18710a59
    """
    _switch(rule_id, is_enabled=True, reason=reason, data_dir=data_dir)


@app.command("disable")
def disable(
    rule_id: RuleId,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Switch a rule off.

    \b
    Example:
      vedette rules disable 5d3bad93-b692-4448-a298-4b0b18710a59 --reason 'our backups look like this'
    """
    _switch(rule_id, is_enabled=False, reason=reason, data_dir=data_dir)


@app.command("bench")
def bench(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="Logs to match. [default: events made up]")
    ] = None,
    folders: Folders = None,
    no_default_rules: Annotated[bool, typer.Option("--no-default-rules", help="Only the rules of --rules.")] = False,
    number: Annotated[
        int,
        typer.Option("--events", min=1, max=5_000_000, help="Match at least so many; a file is matched repeatedly."),
    ] = 200_000,
    output: As = Output.TABLE,
    data_dir: DataDir = None,
) -> None:
    """Measure how many events a second the rules judge, on one thread, without reading and storing.

    \b
    Examples:
      vedette rules bench
      vedette rules bench events.jsonl --rules sigma/rules/windows --no-default-rules
    """
    from vedette.app import scan_detection
    from vedette.app.core import USER_FORMATS
    from vedette.app.rule_bench import bench_rules, made_events
    from vedette.formats import load_library
    from vedette.model.clock import SystemClock
    from vedette.settings import Settings

    _quiet()
    settings = Settings.load(data_dir=data_dir)
    detection = scan_detection(settings, SystemClock(), folders=folders or (), with_default=not no_default_rules)
    used = detection.compiled.rules
    if not used.rules:
        raise SettingsError("there are no rules to measure; name some with --rules")
    library = load_library(settings.data_dir / USER_FORMATS)
    events = _events_in(settings, files, library) if files else made_events(min(number, 100_000), library)
    result = bench_rules(used, events, at_least=number)
    if output is Output.JSON:
        _print_json(
            {
                "rules": result.rules,
                "events": result.events,
                "matches": result.matches,
                "seconds": round(result.seconds, 3),
                "compile_seconds": round(result.compile_seconds, 3),
                "events_per_second": round(result.events_per_second),
            }
        )
        return
    typer.echo(
        f"{result.events_per_second:,.0f} events/s: {plural(result.rules, 'rule')}, {plural(result.events, 'event')},"
        f" {result.matches:,} matches in {result.seconds:.2f} s; the first batch took {result.compile_seconds:.2f} s"
    )


@app.command("readiness")
def readiness(output: As = Output.TABLE, data_dir: DataDir = None) -> None:
    """Say how many rules could fire on the stored events, and what the others wait for.

    \b
    Example:
      vedette rules readiness
    """
    with _place(data_dir) as place:
        told = place.readiness()
    if output is Output.JSON:
        _print_json(told)
        return
    if told["at"] is None:
        typer.echo("The server has not looked at its events yet; ask again in a moment.")
        return
    typer.echo(f"{told['ready']:,} rules could fire, {told['waiting']:,} wait; {told['events']:,} events looked at")
    if told["needs"]:
        table = _table("Rules", "Wait for")
        for need in told["needs"][:_NEEDS_SHOWN]:
            table.add_row(f"{need['rules']:,}", safe(need["needs"]))
        out().print(table)
        if len(told["needs"]) > _NEEDS_SHOWN:
            out().print(f"and {len(told['needs']) - _NEEDS_SHOWN:,} more needs", style="dim")


@app.command("backtest")
def backtest(
    rule_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Rules, by id.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Rules of this file, which need not be in use.")] = None,
    pack: Annotated[str | None, typer.Option("--pack", metavar="NAME", help="The rules of this pack.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Begin there, ISO 8601. [default: 30 days ago]")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="End there. [default: now]")] = None,
    condition: Annotated[
        str | None,
        typer.Option("--exception", metavar="QUERY", help="How many of the matches an exception for QUERY would hide."),
    ] = None,
    output: As = Output.TABLE,
    data_dir: DataDir = None,
) -> None:
    """Try rules on the stored events: how many match, day by day, and which.

    \b
    Examples:
      vedette rules backtest --file new-rule.yml --since 2026-11-01
      vedette rules backtest --pack sigmahq
      vedette rules backtest 5d3bad93-b692-4448-a298-4b0b18710a59 --exception 'source.ip:10.0.0.0/8'
    """
    asked: dict[str, Any] = {"rules": list(rule_ids or []), "pack": pack, "condition": condition}
    asked |= {"text": _text_of(file) if file else None}
    asked |= {"since": _moment("--since", since), "until": _moment("--until", until)}
    with _place(data_dir) as place:
        told = place.backtest(asked)
    if output is Output.JSON:
        _print_json(told)
        return
    typer.echo(f"{safe(told['title'])}: {told['summary']} ({told['events']:,} looked at)")
    for problem in told["problems"]:
        complain(problem)
    for one in told["rules"]:
        hidden = f", {one['hidden']:,} hidden" if condition else ""
        typer.echo(
            f"\n{safe(one['title'])} ({one['level']}): {one['matches']:,} events, {one['findings']:,} findings{hidden}"
        )
        for day in one["days"]:
            typer.echo(f"  {day['day']}  {day['count']:>8,}")
        for sample in one["samples"][:_SAMPLES_SHOWN]:
            typer.echo(f"    {safe(sample['text'].splitlines()[0] if sample['text'] else '')}")
    if told["state"] == "failed":
        raise typer.Exit(2)


def _switch(rule_id: str, *, is_enabled: bool, reason: str, data_dir: Any) -> None:
    with _place(data_dir) as place:
        told = place.switch(rule_id, {"enabled": is_enabled, "reason": reason})
    typer.echo(f"{safe(told['title'])} is {'on' if told['enabled'] else 'off'}")


class _Place(Protocol):
    """Where rules are looked up and changed."""

    def page(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """All of them on one page."""
        ...

    def problems(self) -> list[dict[str, Any]]: ...

    def import_pack(self, pack: Path, name: str | None) -> dict[str, Any]: ...

    def switch(self, rule_id: str, body: dict[str, Any]) -> dict[str, Any]: ...

    def readiness(self) -> dict[str, Any]: ...

    def backtest(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The result, when there is one."""
        ...


@contextmanager
def _place(data_dir: Any) -> Iterator[_Place]:
    """The running server, else the data folder itself."""
    import httpx

    from vedette.settings import Settings
    from vedette.store import owner_of

    _quiet()
    settings = Settings.load(data_dir=data_dir)
    owner = owner_of(settings.data_dir)
    if owner is not None and owner.address:
        with httpx.Client(base_url=f"{owner.address}/api/v1", timeout=_PACK_SECONDS) as client:
            yield _Server(client)
        return
    from vedette.app.offline import offline_detection

    with offline_detection(settings) as offline:
        yield _Folder(offline)


class _Server:
    """Rules of a running server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def page(self, wanted: dict[str, Any]) -> dict[str, Any]:
        parameters = {name: value for name, value in wanted.items() if value is not None} | {"limit": 500}
        told = self._ask("GET", "/rules", params=parameters)
        cursor = told["cursor"]
        while cursor is not None:
            page = self._ask("GET", "/rules", params=parameters | {"cursor": cursor})
            told["rows"] += page["rows"]
            cursor = page["cursor"]
        return told | {"cursor": None}

    def problems(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "/rules/problems")["problems"])

    def import_pack(self, pack: Path, name: str | None) -> dict[str, Any]:
        """As a zip, since the server may read from some folders only."""
        from vedette.app.rule_folders import pack_name, zipped

        content = pack.read_bytes() if pack.is_file() else zipped(pack)
        if len(content) > _MOST_UPLOADED:
            raise SettingsError(
                f"{pack} takes {human_bytes(len(content))} as a zip, more than a running server takes; stop it first,"
                " or import parts"
            )
        return self._ask("PUT", f"/rules/packs/{name or pack_name(pack)}", content=content)

    def switch(self, rule_id: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("PATCH", f"/rules/{rule_id}", json=body)

    def readiness(self) -> dict[str, Any]:
        return self._ask("GET", "/rules/readiness")

    def backtest(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in asked.items() if value not in (None, [])}
        told = self._ask("POST", "/backtests", json=given)
        try:
            while told["state"] in ("waiting", "running"):
                time.sleep(_ASK_EVERY_SECONDS)
                told = self._ask("GET", f"/backtests/{told['id']}")
        except KeyboardInterrupt:
            self._ask("DELETE", f"/backtests/{told['id']}")
            raise
        return told

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise SettingsError(f"the server at {self._client.base_url} does not answer ({error})") from error
        told: dict[str, Any] = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.is_error:
            raise SettingsError(str(told.get("detail") or f"the server answered {answer.status_code}").rstrip("."))
        return told


class _Folder:
    """Rules of a data folder that no server uses."""

    def __init__(self, offline: Offline) -> None:
        self._offline = offline

    def page(self, wanted: dict[str, Any]) -> dict[str, Any]:
        from vedette.api.services import RuleFilter

        return self._offline.rules.page(RuleFilter(**wanted), limit=10**6, cursor=None).model_dump(mode="json")

    def problems(self) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self._offline.rules.problems().model_dump(mode="json")["problems"]
        return told

    def import_pack(self, pack: Path, name: str | None) -> dict[str, Any]:
        return self._offline.rules.import_path(pack, name).model_dump(mode="json")

    def switch(self, rule_id: str, body: dict[str, Any]) -> dict[str, Any]:
        from vedette.api.rule_bodies import RuleSwitch

        with _refusals_as_sentences():
            return self._offline.rules.switch(rule_id, RuleSwitch.model_validate(body)).model_dump(mode="json")

    def readiness(self) -> dict[str, Any]:
        with err().status("Looking at the events"):
            self._offline.rules.survey()
        return self._offline.rules.readiness().model_dump(mode="json")

    def backtest(self, asked: dict[str, Any]) -> dict[str, Any]:
        from vedette.api.rule_bodies import BacktestAsk

        with _refusals_as_sentences():
            told = self._offline.backtests.start(BacktestAsk.model_validate(asked))
            with err().status("Trying the rules") as status:
                while told.state in ("waiting", "running"):
                    told = self._offline.backtests.wait(told.id, _ASK_EVERY_SECONDS)
                    status.update(f"Trying the rules: {told.progress:.0%}")
        return told.model_dump(mode="json")


@contextmanager
def _refusals_as_sentences() -> Iterator[None]:
    from vedette.api.problems import Refused

    try:
        yield
    except Refused as refusal:
        raise SettingsError(refusal.detail.rstrip(".")) from refusal


def _compiled(read: RuleSet) -> tuple[list[RuleProblem], list[RuleProblem]]:
    """Rules that cannot be compiled, and what else is to be said of rules."""
    from vedette.app.rule_texts import uncompilable
    from vedette.detection.sigma.matching import RuleMatcher

    return uncompilable(read), list(RuleMatcher(read.detections).problems)


def _events_in(settings: Settings, files: Sequence[str], library: FormatLibrary) -> pl.DataFrame:
    import polars as pl

    from vedette.app.sources import history_sources
    from vedette.formats import FormatEngine
    from vedette.model.clock import SystemClock

    engine = FormatEngine(library)
    histories = history_sources(settings, list(files), clock=SystemClock())
    frames = [engine.decode([batch]) for history in histories for batch in history.batches([])]
    if not any(frame.height for frame in frames):
        raise SettingsError(f"{', '.join(map(repr, files))}: no events to match")
    return pl.concat(frames)


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"--file {str(file)!r} cannot be read ({error.strerror}); name a rule file") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"--file {str(file)!r} is not UTF-8; save it as that") from error


def _moment(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option} {text!r} is no time; write it like 2026-11-23T10:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _problem_dict(one: RuleProblem) -> dict[str, Any]:
    return {"path": one.path, "line": one.line, "reason": one.reason, "remedy": one.remedy, "rule_id": one.rule_id}


def _problem_text(one: dict[str, Any]) -> str:
    place = f"{one['path']}:{one['line']}" if one["line"] else one["path"]
    return f"{place}: {one['reason']}; {one['remedy']}"


def _print_problems(title: str, problems: Sequence[RuleProblem]) -> None:
    if problems:
        typer.echo(f"\n{title}: {len(problems):,}")
        for one in problems:
            typer.echo(f"  {safe(str(one))}")


def _quiet() -> None:
    from vedette.cli.own_log import set_up_logging

    set_up_logging("warning", "auto")


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="right" if title == "Rules" else "left", overflow="fold", no_wrap=title == "Id")
    return table


def _print_json(told: Any) -> None:
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2, default=str))
