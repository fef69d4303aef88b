"""`evalkit annotate`: start the pages on which people vote, as a process of their own."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys

import click

from evalkit.cli.database import database_option, opened
from evalkit.errors import SettingsError

__all__ = ["annotate"]


@click.command(epilog="Example: evalkit annotate --port 8501")
@database_option
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Address to listen on; 0.0.0.0 for other machines too.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port."
)
def annotate(url: str | None, host: str, port: int) -> None:
    """Serve the pages on which people vote, until Ctrl-C.

    People sign in with the links that `evalkit study invite` prints.
    """
    for package in ("streamlit", "annotate_app"):
        if importlib.util.find_spec(package) is None:
            raise SettingsError(
                f"the pages need {package}, which is not installed; run "
                "pip install 'evalkit-search[app]'."
            )
    with opened(url):
        pass
    _refuse_taken(host, port)
    command = [sys.executable, "-m", "annotate_app", "--host", host, "--port", str(port)]
    # In the environment, since a URL may hold a password and others can read command lines.
    environment = {**os.environ, **({"EVALKIT_DB": url} if url is not None else {})}
    if os.name == "nt":
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606


def _refuse_taken(host: str, port: int) -> None:
    """Refuse an address where nothing can listen.

    Raises:
        SettingsError: with what to do.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise SettingsError(
            f"nothing can listen on {host}:{port} ({error.strerror or error}); give another "
            "--port, or another --host."
        ) from error
