"""The commands `serve` and `serve-key`."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from screener.cli.option_types import FILE, OUTPUT, OneOf, Place
from screener.cli.options import JOBS, POLICY, number_from
from screener.system.installation import format_install

_LIST_FOLDER = Place(exists=True, file_okay=False, readable=False, path_type=Path)
_SECONDS = number_from(0, fraction=True, above=True)
_BYTES = number_from(1)


def _import_service(name: str) -> Any:
    """Return a module of the service. Raises ClickException if the extra is not installed."""
    try:
        return import_module(f"screener.service.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "screener":
            raise
        raise click.ClickException(
            f"{error.name} is not installed: install the extra, {format_install('serve')}"
        ) from None


@click.command()
@click.option(
    "--list", "lists", multiple=True, type=_LIST_FOLDER,
    help="A hash list made by `screener import`. Repeatable; optional with --hma.",
)  # fmt: skip
@click.option("--hugepages", is_flag=True,
              help="Copy the lists into memory, in large pages, for faster look-ups.")  # fmt: skip
@POLICY
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=number_from(0), default=8000, show_default=True,
    help="The port; 0 for a free one.",
)  # fmt: skip
@click.option("--keys", type=FILE, help="The file of keys that `screener serve-key` made.")
@click.option("--allowed-host", "allowed_hosts", multiple=True, metavar="NAME",
              help="A host name to answer under without keys. Repeatable.")  # fmt: skip
@JOBS
@click.option("--queue", type=number_from(1), default=256, show_default=True,
              help="Uploads that may wait for a worker.")  # fmt: skip
@click.option("--max-body", "body_bytes", type=_BYTES, default=256 << 20, show_default=True,
              help="Bytes of one request.")  # fmt: skip
@click.option("--max-buffered", "buffered_bytes", type=_BYTES, default=1 << 30, show_default=True,
              help="Bytes of all requests that are in memory.")  # fmt: skip
@click.option("--connections", type=number_from(1), default=1000, show_default=True,
              help="Open connections.")  # fmt: skip
@click.option("--header-seconds", type=_SECONDS, default=10.0, show_default=True,
              help="Time for the header of a request.")  # fmt: skip
@click.option("--body-seconds", type=_SECONDS, default=60.0, show_default=True,
              help="Time for the body of a request, and to read an answer.")  # fmt: skip
@click.option("--answer-seconds", type=_SECONDS, default=120.0, show_default=True,
              help="Time for the Result of an upload; then 503.")  # fmt: skip
@click.option("--poll-seconds", type=_SECONDS, default=30.0, show_default=True,
              help="Time between two looks for newer lists, keys and policy.")  # fmt: skip
@click.option("--grace-seconds", type=number_from(0, fraction=True), default=1.0, show_default=True,
              help="Time to be not ready before a stop.")  # fmt: skip
@click.option("--drain-seconds", type=_SECONDS, default=30.0, show_default=True,
              help="Time to finish requests at a stop.")  # fmt: skip
@click.option("--tls-cert", type=FILE, help="A certificate chain (PEM).")
@click.option("--tls-key", type=FILE, help="Its private key (PEM).")
@click.option("--access-log", type=OUTPUT,
              help="Append the access log to this file (default: standard output).")  # fmt: skip
@click.option("--keep-hashes", type=number_from(0, fraction=True),
              help="Days to store hashes of uploads, to match newer lists.")  # fmt: skip
@click.option("--keep-weights", is_flag=True,
              help="Store the weights of PDQs too: a blurred picture of each upload.")  # fmt: skip
@click.option("--state", type=Place(file_okay=False, path_type=Path),
              help="The folder for them, and for the counts of lists.")  # fmt: skip
@click.option("--accept-shrink", is_flag=True,
              help="Take up lists that have lost more than half since the last start.")  # fmt: skip
@click.option("--matches-file", type=OUTPUT,
              help="Append stored uploads that match a newer list to this file.")  # fmt: skip
@click.option("--webhook-url", help="Send them to this URL.")
@click.option("--webhook-secret", type=FILE, help="The file with its secret: whsec_...")
@click.option("--hma", is_flag=True, help="Serve the API of Meta's HMA too.")
@click.option("--hma-state", type=Place(file_okay=False, path_type=Path),
              help="The folder of its banks and ids; made if missing.")  # fmt: skip
@click.option("--hma-fetch", is_flag=True, help="Let its clients name files by public URLs.")
@click.option("--hma-fetch-allow", multiple=True, metavar="HOST",
              help="Let them name files of this host, also a private one. Repeatable.")  # fmt: skip
@click.option("--hma-evidence", is_flag=True, help="Let it answer with matches by evidence too.")
def serve(policy_file: Path | None, **options: Any) -> int:
    """Screen uploads over HTTP, and answer each with its result.

    Without --keys it serves only this machine. SIGTERM and Ctrl-C stop it: it is not ready for
    --grace-seconds, then finishes what is under way.

    \b
    Example:
      screener serve --list known.list
      curl --data-binary @photo.jpg http://127.0.0.1:8000/v1/screen
    """
    serving, server = _import_service("serving"), _import_service("server")
    settings = _import_service("settings").Settings(policy=policy_file, **options)
    _log_to_stderr()
    service = server.Service(settings)
    if service.keys is None:
        served = "everybody who reaches" if settings.allowed_hosts else "only this machine, on"
        click.echo(f"no keys: {served} {settings.host} is served, and may do everything", err=True)
    serving.serve(service)
    return 0


def _log_to_stderr() -> None:
    """Write what the service logs, with times, and nothing of each request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("screener")
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    uvicorns = logging.getLogger("uvicorn")
    uvicorns.handlers = [handler]
    uvicorns.setLevel(logging.ERROR)
    uvicorns.propagate = False
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes bytes of bodies


@click.command(name="serve-key")
@click.argument("file", type=OUTPUT)
@click.option("--name", required=True, help="Whose key it is; shown in the access log.")
@click.option(
    "--role", "roles", multiple=True, type=OneOf(("screen", "match", "curate", "metrics")),
    help="What it allows. Repeatable.",
)  # fmt: skip
@click.option("--remove", is_flag=True, help="Remove the key of this name.")
def serve_key(file: Path, name: str, roles: tuple[str, ...], remove: bool) -> int:
    """Make a key for `screener serve`, and print it once.

    A running service reads the file again with its next look for newer lists.

    \b
    Example:
      screener serve-key keys.json --name uploads --role screen --role match
    """
    keys = _import_service("keys")
    if remove:
        keys.remove_key(file, name)
        click.echo("removed", err=True)
        return 0
    if not roles:
        raise click.UsageError("--role is missing: a key without one allows nothing")
    click.echo(keys.add_key(file, name, map(keys.Role, roles)))
    return 0


COMMANDS = (serve, serve_key)
