"""Serving the app: one process, some threads, and the index kept up to date beside them."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from werkzeug.serving import BaseWSGIServer, make_server

from collapse_lab.dashboards import access
from collapse_lab.dashboards.app import create_app, open_desk
from collapse_lab.dashboards.upkeep import keep
from collapse_lab.liveness import writer_lives

LOOK_SECONDS, IDLE_SECONDS = 5.0, 600.0
"""How often an app beside a watched run looks whether it is still needed, and for how long nobody
must have asked."""


def serve(
    root: Path,
    host: str = "127.0.0.1",
    port: int = 8050,
    ready: Callable[[str], object] = print,
    judge: bool = True,
    reference: Path | None = None,
    beside: int | None = None,
) -> None:
    """Serves until interrupted, or until the process `beside` is gone and nobody asks any more.

    `ready` gets the link, with its token when bound off loopback.

    Raises OSError when the port is taken; port 0 takes a free one.
    """
    token = None if access.is_loopback(host) else access.new_token()
    desk = open_desk(root, judge, reference)
    app = create_app(desk, token)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # bound here: werkzeug ends the whole process where a port is taken
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    server = make_server(host, port, app.server, threaded=True, fd=listening.fileno())
    stop = threading.Event()
    if beside is not None:
        visits = Visits()
        app.server.before_request(visits.note)
        watcher = threading.Thread(
            target=_end_with, args=(beside, visits, stop, server), daemon=True
        )
        watcher.start()
    threading.Thread(target=keep, args=(desk.index, stop), daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    query = f"?token={quote(token)}" if token else ""
    ready(f"http://{shown}:{listening.getsockname()[1]}/{query}")
    try:
        server.serve_forever()
    finally:
        stop.set()
        desk.index.save(least_seconds=0)
        server.server_close()
        listening.close()


class Visits:
    """When somebody last asked for something; an open page does so every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def note(self) -> None:
        self._last = time.monotonic()

    def idle(self) -> float:
        """Seconds since."""
        return time.monotonic() - self._last


def _end_with(pid: int, visits: Visits, stop: threading.Event, server: BaseWSGIServer) -> None:
    process = {"pid": pid, "host": os.uname().nodename}
    while not stop.wait(LOOK_SECONDS):
        if not writer_lives(process) and visits.idle() > IDLE_SECONDS:
            server.shutdown()
            return
