"""Who may ask the app for anything, and what a browser may do with its answers.

On loopback every request must name a loopback host, so that a web page cannot reach the app by
pointing its own name at 127.0.0.1 (DNS rebinding). Bound elsewhere, a token is required: once in
the link, from then on in a cookie that no script and no other site can use.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from flask import Flask, Response

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
REFUSED_HOST = (
    "This app answers only under localhost or 127.0.0.1. To reach it from another machine, start "
    "it with --host and open the link with the token that it prints.\n"
)
REFUSED_TOKEN = (
    "This needs the token: open the link that `collapse-lab dash` printed when it was started.\n"
)
REFUSED_ORIGIN = "Another site's page may not send requests here.\n"
# without scripts or redirects: a redirect from a link in a chat would not carry a strict cookie
ENTER = '<!doctype html><meta http-equiv="refresh" content="0; url={}"><title>Opening</title>'


def new_token() -> str:
    """A token that cannot be guessed, for a link."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an app that is bound to `host`."""
    return host in LOOPBACK


def guard(server: Flask, token: str | None, script_hashes: Callable[[], list[str]]) -> None:
    """Checks every request and marks every answer. `token` None means loopback only.

    `script_hashes` are the CSP hashes of the scripts that stand inside the page.
    """
    from flask import Response, request

    cookie = f"collapse-lab-{hashlib.sha256((token or '').encode()).hexdigest()[:8]}"

    def check() -> Response | None:
        if token is None:
            if _hostname(request.host) not in LOOPBACK:
                return _refuse(REFUSED_HOST)
        elif not hmac.compare_digest(request.cookies.get(cookie, "").encode(), token.encode()):
            if not hmac.compare_digest(request.args.get("token", "").encode(), token.encode()):
                return _refuse(REFUSED_TOKEN)
            path = "/" + quote(request.path.lstrip("/"))  # one slash: two would name another host
            answer = Response(ENTER.format(path), mimetype="text/html")
            answer.set_cookie(cookie, token, httponly=True, samesite="Strict")
            return answer
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return _refuse(REFUSED_ORIGIN)
        return None

    def mark(response: Response) -> Response:
        scripts = " ".join(["'self'", *script_hashes()])
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    server.before_request(check)
    server.after_request(mark)


def _hostname(host: str) -> str:
    """
    >>> _hostname("localhost:8050"), _hostname("[::1]:8050"), _hostname("evil.example")
    ('localhost', '::1', 'evil.example')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _refuse(reason: str) -> Response:
    from flask import Response

    return Response(reason, status=403, mimetype="text/plain")
