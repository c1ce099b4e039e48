"""Serving the app: one process, some threads, and the index kept up to date beside them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from collapse_lab.dashboards import access
from collapse_lab.dashboards.app import create_app, open_desk


def serve(
    root: Path,
    host: str = "127.0.0.1",
    port: int = 8050,
    ready: Callable[[str], object] = print,
    judge: bool = True,
    reference: Path | None = None,
) -> None:
    """Serves until interrupted. `ready` gets the link, with its token when bound off loopback.

    Raises OSError when the port is taken; port 0 takes a free one.
    """
    from werkzeug.serving import make_server

    token = None if access.is_loopback(host) else access.new_token()
    desk = open_desk(root, judge, reference)
    app = create_app(desk, token)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(host, port, app.server, threaded=True)
    stop = threading.Event()
    threading.Thread(target=desk.index.run_forever, args=(stop,), daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    query = f"?token={quote(token)}" if token else ""
    ready(f"http://{shown}:{server.server_port}/{query}")
    try:
        server.serve_forever()
    finally:
        stop.set()
        desk.index.save(least_seconds=0)
        server.server_close()
