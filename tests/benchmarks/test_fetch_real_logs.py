"""Fetching the real logs, from a server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.fetch_real_logs import INDEX, blob_hash, main

CONTENT = {"logs/a (1).csv": b"step,loss\n1,0.5\n", "b.log": b"step:1 - x:2\n"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address of a server that holds two files of one commit, and an index of them."""
    entries: list[dict[str, str]] = []
    for path, content in CONTENT.items():
        place = tmp_path / "served" / "me" / "repository" / "c0ffee" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        entries.append(
            {
                "file": f"llm/{len(entries)}/{place.name}",
                "repo": "me/repository",
                "commit": "c0ffee",
                "path": path,
                "sha": blob_hash(content),
            }
        )
    (tmp_path / "index.json").write_text(json.dumps(entries))
    handler = partial(QuietHandler, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path
    server.shutdown()
    server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def run(served: tuple[str, Path], *more: str) -> int:
    host, folder = served
    index = str(folder / "index.json")
    return main([str(folder / "logs"), "--index", index, "--host", host, *more])


def test_files_are_fetched_once_and_found_again(
    served: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(served) == 0
    logs = served[1] / "logs" / "llm"
    assert (logs / "0" / "a (1).csv").read_bytes() == CONTENT["logs/a (1).csv"]
    assert (logs / "1" / "b.log").read_bytes() == CONTENT["b.log"]
    assert capsys.readouterr().out.count(": fetched") == 2
    (logs / "1" / "b.log").write_bytes(b"half")
    assert run(served) == 0
    assert (logs / "1" / "b.log").read_bytes() == CONTENT["b.log"]
    output = capsys.readouterr().out
    assert output.count(": present") == 1 and output.count(": fetched") == 1


def test_other_bytes_than_the_index_says_are_not_kept(
    served: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (served[1] / "served/me/repository/c0ffee/b.log").write_bytes(b"changed")
    assert run(served) == 1
    assert "other bytes than the index says" in capsys.readouterr().out
    assert [file.name for file in (served[1] / "logs").rglob("*") if file.is_file()] == [
        "a (1).csv"
    ]


def test_a_file_that_is_gone_is_reported_and_the_rest_fetched(
    served: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (served[1] / "served/me/repository/c0ffee/logs/a (1).csv").unlink()
    assert run(served) == 1
    output = capsys.readouterr().out
    assert "404" in output and "1 of 2 files are in" in output


def test_only_the_files_asked_for_are_fetched(served: tuple[str, Path]) -> None:
    assert run(served, "--only", "b.log") == 0
    assert [file.name for file in (served[1] / "logs").rglob("*") if file.is_file()] == ["b.log"]


def test_the_index_names_every_file_once_with_a_full_commit_and_hash() -> None:
    entries = json.loads(INDEX.read_text())
    assert len({entry["file"] for entry in entries}) == len(entries) == 136
    for entry in entries:
        assert len(entry["commit"]) == len(entry["sha"]) == 40
        assert Path(entry["path"]).name and entry["repo"].count("/") == 1
        assert (entry["coll"] is None) == (entry["v"] != "COLLAPSED")
