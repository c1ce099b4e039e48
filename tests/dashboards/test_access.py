"""Who gets an answer, from whom, and with which headers: a real Flask app, its own test client."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dash")

from app_examples import write_run

from collapse_lab.dashboards.app import create_app
from collapse_lab.records import Record
from collapse_lab.store import RunWriter

LOOPBACK = "http://127.0.0.1:8050"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs" / "one")
    return tmp_path / "runs"


def client_of(root: Path, token: str | None = None) -> Any:
    return create_app(root, token).server.test_client()


@pytest.mark.parametrize("host", ["127.0.0.1:8050", "localhost:8050", "[::1]:8050", "localhost"])
def test_on_loopback_no_token_is_asked_for(root: Path, host: str) -> None:
    assert client_of(root).get("/", base_url=f"http://{host}").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.7:8050", "["])
def test_a_name_that_was_pointed_at_loopback_is_refused(root: Path, host: str) -> None:
    answer = client_of(root).get("/", base_url=LOOPBACK, headers={"Host": host})
    assert answer.status_code in (400, 403)
    assert b"react-entry-point" not in answer.data


def test_every_path_asks_for_the_token(root: Path) -> None:
    client = client_of(root, "secret")
    for path in ("/", "/run/one", "/_dash-layout", "/_dash-dependencies", "/assets/app.css"):
        assert client.get(path, base_url="http://10.0.0.7:8050").status_code == 403, path
    body = {"output": "x", "inputs": []}
    assert client.post("/_dash-update-component", json=body).status_code == 403
    assert client.get("/?token=secreT").status_code == 403


def test_the_token_in_the_link_becomes_a_strict_cookie_and_leaves_the_address(root: Path) -> None:
    client = client_of(root, "secret")
    entered = client.get("/run/one?token=secret")
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert b'content="0; url=/run/one"' in entered.data and b"secret" not in entered.data
    assert client.get("/").status_code == 200


def test_the_way_in_leads_to_no_other_host(root: Path) -> None:
    entered = client_of(root, "secret").get("//evil.example/%22%3E%3Cscript%3E?token=secret")
    assert b"url=//" not in entered.data and b"<script" not in entered.data


def test_another_sites_page_may_not_post(root: Path) -> None:
    client = client_of(root)
    for origin, status in (("https://evil.example", 403), ("null", 403), (LOOPBACK, 500)):
        answer = client.post(
            "/_dash-update-component", base_url=LOOPBACK, json={}, headers={"Origin": origin}
        )
        assert (answer.status_code == 403) == (status == 403), origin


def test_scripts_come_from_here_alone_and_nothing_is_sniffed(root: Path) -> None:
    answer = client_of(root).get("/", base_url=LOOPBACK)
    policy = answer.headers["Content-Security-Policy"]
    scripts = policy.split("script-src ")[1].split(";")[0]
    assert "'unsafe-inline'" not in scripts and "'unsafe-eval'" not in scripts
    assert "frame-ancestors 'none'" in policy and "object-src 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_loads_nothing_from_elsewhere(root: Path) -> None:
    page = client_of(root).get("/", base_url=LOOPBACK).text
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page


def test_the_pulse_tells_of_new_rows_and_of_a_run_that_is_gone(root: Path) -> None:
    client = client_of(root)
    writer = write_run(root / "live", finish=False)
    first = client.get("/_pulse?run=live", base_url=LOOPBACK).json
    assert first["rows"] == "3|0|0|True" and first["head"].startswith("running|")
    writer.append(Record(3, 1003.0, {"reward/mean": 1.0}))
    assert client.get("/_pulse?run=live", base_url=LOOPBACK).json["rows"] == "4|0|0|True"
    shutil.rmtree(root / "live")
    assert client.get("/_pulse?run=live", base_url=LOOPBACK).json["rows"] == "gone"
    assert client.get("/_pulse?run=../one", base_url=LOOPBACK).json["rows"] == "gone"


def test_the_pulse_tells_a_page_when_the_ages_on_it_are_out_of_date(tmp_path: Path) -> None:
    """A run that has hung raises no other sign, and "1 s ago" must not stand there for hours."""
    writer = RunWriter(tmp_path / "hung")
    writer.append(Record(0, time.time() - 7300, {"reward/mean": 0.5}))
    answer = client_of(tmp_path).get("/_pulse?run=hung", base_url=LOOPBACK).json
    assert "2 h" in answer["head"].split("|")
    assert answer["minute"] in (int(time.time() // 60), int(time.time() // 60) - 1)
