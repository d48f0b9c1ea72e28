"""`vedette formats`: which there are, how lines are read, and what was learned."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.table import Table

from vedette.cli.options import DataDir
from vedette.cli.terminal import complain, out, plural, safe
from vedette.model.errors import FormatError, SettingsError

if TYPE_CHECKING:
    import httpx

    from vedette.app.formats import FormatControl
    from vedette.formats import FormatEngine
    from vedette.formats.definition import FormatFile

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
_MOST_LINES = 2_000
_EVENTS_SHOWN = 5


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"


As = Annotated[Output, typer.Option("--output", "-o", help="table (for people) or json.")]
LogFile = Annotated[str, typer.Argument(metavar="FILE", help="A log, plain or compressed; - for standard input.")]
ProposalId = Annotated[str, typer.Argument(metavar="ID", help="As `vedette formats review` shows it.")]


@app.callback()
def formats() -> None:
    """Show the formats there are, explain how a file is read, learn new ones and decide about them.

    Works while the server runs, with effect at once, and when it does not.

    \b
    Examples:
      vedette formats list
      vedette formats explain /var/log/auth.log
      vedette formats learn app.log --accept shop
      vedette formats review
    """


@app.command("list")
def list_formats(output: As = Output.TABLE, data_dir: DataDir = None) -> None:
    """List every format, those that ship and your own, and name files that are broken.

    \b
    Examples:
      vedette formats list
      vedette formats list --output json | jq '.formats[].name'
    """
    with _place(data_dir) as place:
        told = place.list()
    if output is Output.JSON:
        _print_json(told)
        return
    table = _table("Name", "Kind", "Rank", "From", "Title")
    for row in told["formats"]:
        table.add_row(safe(row["name"]), row["kind"], str(row["rank"]), row["origin"], safe(row["title"]))
    out().print(table)
    out().print(plural(len(told["formats"]), "format"), style="dim")
    for problem in told["problems"]:
        complain(problem)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `vedette formats list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Print the file of a format; a copy of it in the data folder's `formats` is your own version.

    \b
    Examples:
      vedette formats show http-access
      vedette formats show http-access > my-access.yaml
    """
    with _place(data_dir) as place:
        typer.echo(place.show(name), nl=False)


@app.command("explain")
def explain(
    file: LogFile,
    output: As = Output.TABLE,
    timezone: Annotated[
        str | None, typer.Option("--timezone", metavar="ZONE", help="Zone of stamps that name none. [default: UTC]")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Say which format a file is read with, how sure that is and why, and show its first lines as events.

    \b
    Examples:
      vedette formats explain /var/log/nginx/access.log
      journalctl -n 200 | vedette formats explain -
    """
    from vedette.model.rows import rows_of

    explained = _engine(data_dir).explain(_lines_of(file), reference_time=_now(), timezone=timezone)
    unread = int((explained.events["parse.status"] == "unparsed").sum())
    rows = rows_of(explained.events.head(_EVENTS_SHOWN))
    if output is Output.JSON:
        choice = explained.choice
        told = {"format": choice.format, "confidence": choice.confidence, "reason": choice.reason}
        fits = [asdict(fit) for fit in explained.fits]
        _print_json(told | {"lines": explained.events.height, "unparsed": unread, "fits": fits, "rows": rows})
        return
    console = out()
    console.print(f"[bold]{safe(explained.choice.format)}[/]  confidence {explained.choice.confidence:.2f}")
    console.print(f"  {safe(explained.choice.reason)}", markup=False)
    console.print(f"  {plural(explained.events.height, 'line')} looked at, {unread} unparsed\n", markup=False)
    if len(explained.fits) > 1:
        table = _table("Also", "Confidence", "Reason")
        for fit in explained.fits[1:4]:
            table.add_row(safe(fit.format_name), f"{fit.confidence:.2f}", safe(fit.reason))
        console.print(table)
        console.print()
    for row in rows:
        _print_columns(str(row.pop("event.original", "")), {name: row[name] for name in row if name not in _PLACES})


@app.command("learn")
def learn(
    file: LogFile,
    accept: Annotated[
        str | None, typer.Option("--accept", metavar="NAME", help="Keep it under this name and use it.")
    ] = None,
    all_lines: Annotated[
        bool, typer.Option("--all", help="Learn from every line, also from those that a format explains.")
    ] = False,
    output: As = Output.TABLE,
    data_dir: DataDir = None,
) -> None:
    """Propose a format for the lines of a file that none explains, print it, and say how good it is.

    \b
    Examples:
      vedette formats learn app.log
      vedette formats learn app.log > shop.yaml
      vedette formats learn app.log --accept shop
    """
    from vedette.formats.learning import propose

    engine = _engine(data_dir)
    lines = _lines_of(file)
    if accept is not None and accept in engine.library.definitions:
        raise SettingsError(f"--accept {accept!r} is the name of a format already; choose another")
    unread = lines if all_lines else _unread(engine, lines)
    if not unread:
        raise SettingsError(
            f"every line of {file!r} is explained by a format already; --all learns from them all the same"
        )
    title = f"Lines of {Path(file).name}" if file != "-" else "Lines of standard input"
    made = propose(unread, name=accept or _name_of(file), title=title, reference_time=_now())
    if made is None:
        raise SettingsError(
            f"the {plural(len(unread), 'line')} of {file!r} that no format explains have too little in common for one"
        )
    if output is Output.JSON:
        _print_json({"text": made.text, "evaluation": asdict(made.evaluation)})
    else:
        typer.echo(made.text, nl=False)
        _complain_evaluation(asdict(made.evaluation))
    if accept is not None:
        with _place(data_dir) as place:
            place.put(accept, made.text)
        complain(f"kept as {accept}; lines that come from now on are read with it")


@app.command("test")
def try_format(
    format_file: Annotated[Path, typer.Argument(metavar="FORMAT.yaml", help="A format file.")],
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A log to try it on; - for standard input.")
    ] = None,
    output: As = Output.TABLE,
) -> None:
    """Try a format file on its own samples, and on the lines of a file. Exit status 1 when a sample does not hold.

    \b
    Examples:
      vedette formats test shop.yaml
      vedette formats test shop.yaml app.log
    """
    from vedette.formats.learning import columns_told, sample_problems

    one = _read_format(format_file)
    problems = sample_problems(one, _now())
    lines = _lines_of(file) if file is not None else []
    told = columns_told(one, lines, _now())
    misfits = [line for line, columns in zip(lines, told, strict=True) if columns is None]
    if output is Output.JSON:
        results = [{"line": line, "columns": columns} for line, columns in zip(lines, told, strict=True)]
        _print_json({"name": one.name, "samples": problems, "results": results, "misfits": len(misfits)})
    else:
        held = len(one.samples) - len(problems)
        typer.echo(f"{held} of {plural(len(one.samples), 'sample')} hold")
        for line, columns in [pair for pair in zip(lines, told, strict=True) if pair[1] is not None][:_EVENTS_SHOWN]:
            _print_columns(line, columns or {})
        if lines:
            typer.echo(f"{len(lines) - len(misfits)} of {plural(len(lines), 'line')} fit")
        for line in misfits[:_EVENTS_SHOWN]:
            typer.echo(f"  does not fit: {safe(line)}")
    for problem in problems:
        complain(f"samples{problem}")
    if problems:
        raise typer.Exit(1)


@app.command("review")
def review(
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this one in full.")] = None,
    output: As = Output.TABLE,
    data_dir: DataDir = None,
) -> None:
    """List the formats that were learned and wait for a decision, or show one of them.

    \b
    Examples:
      vedette formats review
      vedette formats review 3f2a9c41d07e
    """
    with _place(data_dir) as place:
        told = place.proposals() if identifier is None else place.proposal(identifier)
    if output is Output.JSON:
        _print_json(told)
    elif identifier is not None:
        typer.echo(told["text"], nl=False)
        _complain_evaluation(told["evaluation"])
    else:
        _print_proposals(told["rows"])


@app.command("accept")
def accept(
    identifier: ProposalId,
    name: Annotated[str | None, typer.Option("--name", help="Call it so. [default: as proposed]")] = None,
    title: Annotated[str | None, typer.Option("--title", help="What it is, in a few words.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a learned format a format of your own; lines that come from now on are read with it.

    \b
    Example:
      vedette formats accept 3f2a9c41d07e --name shop
    """
    with _place(data_dir) as place:
        told = place.accept(identifier, {"name": name, "title": title})
    typer.echo(f"{safe(told['name'])} is a format now; lines that come from now on are read with it")


@app.command("reject")
def reject(identifier: ProposalId, data_dir: DataDir = None) -> None:
    """Leave the lines of a learned format as they are; the like is not proposed again.

    \b
    Example:
      vedette formats reject 3f2a9c41d07e
    """
    with _place(data_dir) as place:
        told = place.reject(identifier)
    typer.echo(f"{safe(told['name'])} is rejected; its lines stay raw")


_PLACES = frozenset(("event.id", "event.ingested", "log.offset", "log.length", "vedette.source", "log.file.path"))


class _Place(Protocol):
    """Where formats are looked up and changed."""

    def list(self) -> dict[str, Any]: ...

    def show(self, name: str) -> str: ...

    def put(self, name: str, text: str) -> None: ...

    def proposals(self) -> dict[str, Any]: ...

    def proposal(self, identifier: str) -> dict[str, Any]: ...

    def accept(self, identifier: str, names: dict[str, str | None]) -> dict[str, Any]: ...

    def reject(self, identifier: str) -> dict[str, Any]: ...


@contextmanager
def _place(data_dir: Any) -> Iterator[_Place]:
    """The running server, else the data folder itself."""
    import httpx

    from vedette.cli.own_log import set_up_logging
    from vedette.settings import Settings
    from vedette.store import DataFolder, owner_of

    set_up_logging("warning", "auto")
    settings = Settings.load(data_dir=data_dir)
    owner = owner_of(settings.data_dir)
    if owner is not None and owner.address:
        with httpx.Client(base_url=f"{owner.address}/api/v1", timeout=60) as client:
            yield _Server(client)
        return
    with DataFolder(settings.data_dir) as folder:
        from vedette.app.formats import offline_control

        with offline_control(folder.path) as control:
            yield _Folder(control)


class _Server:
    """Formats of a running server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def list(self) -> dict[str, Any]:
        return self._ask("GET", "/formats")

    def show(self, name: str) -> str:
        return str(self._ask("GET", f"/formats/{name}")["text"])

    def put(self, name: str, text: str) -> None:
        self._ask("PUT", f"/formats/{name}", {"text": text})

    def proposals(self) -> dict[str, Any]:
        return self._ask("GET", "/formats/review?state=proposed&limit=200")

    def proposal(self, identifier: str) -> dict[str, Any]:
        return self._ask("GET", f"/formats/review/{identifier}")

    def accept(self, identifier: str, names: dict[str, str | None]) -> dict[str, Any]:
        return self._ask("POST", f"/formats/review/{identifier}/accept", names)

    def reject(self, identifier: str) -> dict[str, Any]:
        return self._ask("POST", f"/formats/review/{identifier}/reject")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        import httpx

        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise SettingsError(f"the server at {self._client.base_url} does not answer ({error})") from error
        told: dict[str, Any] = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.is_error:
            raise SettingsError(str(told.get("detail") or f"the server answered {answer.status_code}"))
        return told


class _Folder:
    """Formats of a data folder that no server uses."""

    def __init__(self, control: FormatControl) -> None:
        self._control = control

    def list(self) -> dict[str, Any]:
        return self._control.list_formats().model_dump(mode="json")

    def show(self, name: str) -> str:
        found = self._control.get(name)
        if found is None:
            raise SettingsError(f"there is no format {name!r}; `vedette formats list` lists them")
        return found.text

    def put(self, name: str, text: str) -> None:
        from vedette.api.format_bodies import FormatText

        self._control.put(name, FormatText(text=text))

    def proposals(self) -> dict[str, Any]:
        return self._control.proposals("proposed", limit=200, cursor=None).model_dump(mode="json")

    def proposal(self, identifier: str) -> dict[str, Any]:
        with _refusals_as_sentences():
            return self._control.proposal(identifier).model_dump(mode="json")

    def accept(self, identifier: str, names: dict[str, str | None]) -> dict[str, Any]:
        from vedette.api.format_bodies import Decision

        with _refusals_as_sentences():
            return self._control.accept(identifier, Decision.model_validate(names)).model_dump(mode="json")

    def reject(self, identifier: str) -> dict[str, Any]:
        with _refusals_as_sentences():
            return self._control.reject(identifier).model_dump(mode="json")


@contextmanager
def _refusals_as_sentences() -> Iterator[None]:
    from vedette.api.problems import Refused

    try:
        yield
    except Refused as refusal:
        raise SettingsError(refusal.detail) from refusal


def _engine(data_dir: Any) -> FormatEngine:
    """The formats that ship and those of the data folder; whoever uses the folder is not disturbed."""
    from vedette.app.core import USER_FORMATS
    from vedette.cli.own_log import set_up_logging
    from vedette.formats import FormatEngine, load_library
    from vedette.settings import Settings

    set_up_logging("warning", "auto")
    return FormatEngine(load_library(Settings.load(data_dir=data_dir).data_dir / USER_FORMATS))


def _unread(engine: FormatEngine, lines: Sequence[str]) -> list[str]:
    import polars as pl

    events = engine.explain(lines, reference_time=_now()).events
    return pl.Series(lines).filter(events["log.format"].is_in(engine.library.catch_alls)).to_list()


def _lines_of(file: str) -> list[str]:
    """The first lines of a file. Raises SettingsError when it cannot be read or holds none."""
    if file == "-":
        text = sys.stdin.buffer.read(2**22).decode("utf-8", "backslashreplace")
        lines = [line for line in text.splitlines() if line.strip()][:_MOST_LINES]
        problem = "standard input holds no lines"
    else:
        from vedette.sources.preview import preview_file

        shown = preview_file(file, most_lines=_MOST_LINES)
        lines = [line for line in shown.lines if line.strip()]
        problem = shown.problem or f"{file!r} holds no lines; name a log"
    if not lines:
        raise SettingsError(problem)
    return lines


def _read_format(path: Path) -> FormatFile:
    from vedette.formats.definition import read_format

    try:
        return read_format(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror}); name a format file") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8; save it as that") from error


def _name_of(file: str) -> str:
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in Path(file).stem.lower())
    return f"learned-{stem.strip('-') or 'lines'}"


def _now() -> datetime:
    return datetime.now(UTC)


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        is_number = title in {"Rank", "Confidence", "Lines"}
        table.add_column(title, justify="right" if is_number else "left", overflow="fold")
    return table


def _print_json(told: Any) -> None:
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2, default=str))


def _print_columns(line: str, columns: dict[str, Any]) -> None:
    typer.echo(safe(line))
    width = max(map(len, columns), default=0)
    for name, value in columns.items():
        typer.echo(f"    {name:<{width}}  {safe(value if isinstance(value, str) else json.dumps(value))}")


def _print_proposals(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        typer.echo(
            "Nothing waits for a decision. Formats are learned from lines that no format explains, while `vedette serve` runs."
        )
        return
    table = _table("Id", "Name", "Confidence", "Lines", "File")
    for row in rows:
        table.add_row(
            row["id"], safe(row["name"]), f"{row['confidence']:.2f}", f"{row['lines_seen']:,}", safe(row["path"])
        )
    out().print(table)
    out().print(f"{plural(len(rows), 'proposal')}; `vedette formats review ID` shows one", style="dim")


def _complain_evaluation(evaluation: dict[str, Any]) -> None:
    """To standard error, so that the format can be written to a file."""
    complain(f"confidence {evaluation['confidence']:.2f}: {'; '.join(evaluation['reasons'])}")
    for line in evaluation["misfits"]:
        complain(f"does not fit: {line}")
