"""`collapse-lab dash`: the app."""

from __future__ import annotations

from pathlib import Path

import click

MISSING = "the app needs dash and plotly: pip install 'collapse-lab[dash]'"


@click.command()
@click.argument("root", default=Path("runs"), type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen. Anything but this machine itself asks for the token in the printed "
    "link.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8050,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option(
    "--reference",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of healthy runs, such as a calibration corpus: Compare draws its band behind.",
)
@click.option("--run", "name", help="Open on this run instead of the table.")
@click.option("--beside", type=int, hidden=True, help="End some time after this process has.")
def dash(
    root: Path,
    host: str,
    port: int,
    no_browser: bool,
    reference: Path | None,
    name: str | None,
    beside: int | None,
) -> None:
    """Opens the app on the runs in the folder ROOT (default: runs). Ctrl-C ends it.

    Nothing leaves this machine: it listens on 127.0.0.1 and loads nothing from elsewhere.
    """
    try:
        from collapse_lab.dashboards.server import serve
        from collapse_lab.dashboards.view import run_link
    except ModuleNotFoundError as error:
        raise click.UsageError(f"{MISSING} ({error})") from None

    def ready(link: str) -> None:
        if name:
            base, _, query = link.partition("/?")
            link = base.rstrip("/") + run_link(name) + (f"?{query}" if query else "")
        click.echo(f"collapse-lab is at {link}")
        if not no_browser:
            import webbrowser

            webbrowser.open(link)

    try:
        serve(root, host, port, ready, reference=reference, beside=beside)
    except OSError as error:
        raise click.UsageError(f"cannot listen on {host}:{port}: {error}") from None
    except KeyboardInterrupt:
        pass


def start(folder: Path) -> str:
    """The app in a process of its own, opened on the run in `folder`; returns its link.

    It outlives this process while a page is open. Raises ModuleNotFoundError without dash.
    """
    import os
    import socket
    import subprocess
    import sys
    from importlib.util import find_spec
    from urllib.parse import quote

    if find_spec("dash") is None:
        raise ModuleNotFoundError(MISSING)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = "from collapse_lab.cli import main; main()"
    options = ["--port", str(port), "--run", folder.name, "--beside", str(os.getpid())]
    subprocess.Popen(
        [sys.executable, "-c", program, "dash", str(folder.parent), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return f"http://127.0.0.1:{port}/run/{quote(folder.name, safe='')}"
