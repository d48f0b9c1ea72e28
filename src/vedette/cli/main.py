"""`vedette`: finds the command, turns every expected error into one sentence and exit status 2."""

from __future__ import annotations

import os
import sys
import traceback
from itertools import pairwise
from typing import Annotated

import typer
from typer.exceptions import TyperException

import vedette
from vedette.cli import doctor, formats, import_history, rules, scan, search, serve, sources
from vedette.cli.terminal import complain, safe
from vedette.model.errors import QueryError, VedetteError

USAGE_ERROR = 2
INTERRUPTED = 130

app = typer.Typer(
    name="vedette",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("serve")(serve.serve)
app.command("import")(import_history.import_history)
app.command("scan")(scan.scan)
app.command("search")(search.search)
app.add_typer(sources.app, name="sources")
app.add_typer(formats.app, name="formats")
app.add_typer(rules.app, name="rules")
app.command("doctor")(doctor.doctor)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"vedette {vedette.__version__}")
        raise typer.Exit


@app.callback()
def vedette_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Real-time security monitoring for logs.

    \b
    Examples:
      vedette serve                        watch this machine's logs, console on http://127.0.0.1:8700
      vedette serve /srv/app/*.log         watch these files
      vedette import /var/log              load history into the store
      vedette search 'severity>=7'         look things up
      vedette scan access.log              judge a file without storing anything
    """


def main() -> None:
    """Entry point of the `vedette` command."""
    try:
        status = app(standalone_mode=False, prog_name="vedette")
        sys.stdout.flush()
    except TyperException as error:
        status = _usage_error(error)
    except QueryError as error:
        status = _query_error(error)
    except VedetteError as error:
        complain(str(error))
        status = USAGE_ERROR
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        status = _unexpected(error)
    sys.exit(status if isinstance(status, int) else 0)


def _unexpected(error: Exception) -> int:
    """A mistake of ours; the traceback is for those who ask for it."""
    if os.environ.get("VEDETTE_TRACEBACK"):
        traceback.print_exception(error)
    complain(f"unexpected {type(error).__name__}: {error}; VEDETTE_TRACEBACK=1 shows where, please report it")
    return USAGE_ERROR


def _usage_error(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error))
        return USAGE_ERROR
    command = context.command_path if context is not None else "vedette"
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    text = text.replace("Value error, ", "").replace("Input should", "it should")
    complain(f"{_with_value(error, text.rstrip('.'))}; see '{command} --help'")
    return USAGE_ERROR


def _with_value(error: TyperException, text: str) -> str:
    """The text with the refused value, which the library leaves out of some."""
    names = getattr(getattr(error, "param", None), "opts", [])
    for word, following in pairwise([*sys.argv[1:], ""]):
        flag, equals, attached = word.partition("=")
        if flag in names:
            value = attached if equals else following
            return text if repr(value) in text else text.replace("Invalid value", f"Invalid value {value!r}", 1)
    return text


def _query_error(error: QueryError) -> int:
    hint = f"; {error.suggestion}" if error.suggestion else ""
    complain(f"query: {error}{hint}")
    sys.stderr.write(f"  {safe(error.text)}\n  {' ' * len(safe(error.text[: error.position]))}^\n")
    return USAGE_ERROR
