"""Fetches the real logs of `data/real_logs.json` from their public repositories.

    python -m benchmarks.fetch_real_logs FOLDER [--only TEXT]
    export COLLAPSE_LAB_REALLOGS=FOLDER

Each file is taken at the commit the index names and kept only if its git blob hash is the one in
the index, so a table made from the folder is made from the same bytes as ours. Run it again after
an interruption: what is there and right is not fetched again. Mind the licences: most of these
repositories show none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

INDEX = Path(__file__).resolve().parents[1] / "data" / "real_logs.json"
HOST = "https://raw.githubusercontent.com"
TRIES = 4
TIMEOUT = 60.0
"""Seconds without an answer."""


def blob_hash(content: bytes) -> str:
    """The name git gives a file's content.

    >>> blob_hash(b"hello\\n")
    'ce013625030ba8dba906f756967f9e9ca394464a'
    """
    return hashlib.sha1(b"blob %d\x00" % len(content) + content).hexdigest()


def address(entry: dict[str, Any], host: str = HOST) -> str:
    """Where an index entry's file lies.

    >>> address({"repo": "a/b", "commit": "c0ffee", "path": "logs/x (1).csv"}, "https://host")
    'https://host/a/b/c0ffee/logs/x%20%281%29.csv'
    """
    return f"{host}/{entry['repo']}/{entry['commit']}/{quote(entry['path'])}"


def fetch(entry: dict[str, Any], folder: Path, host: str = HOST) -> str:
    """Fetches one file: "present", "fetched", or what went wrong."""
    target = folder / entry["file"]
    if target.exists() and blob_hash(target.read_bytes()) == entry["sha"]:
        return "present"
    try:
        content = _patiently(lambda: _download(address(entry, host)))
    except (URLError, TimeoutError, ConnectionError) as error:
        return f"failed: {error}"
    if blob_hash(content) != entry["sha"]:
        return f"failed: {address(entry, host)} holds other bytes than the index says"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    partial.write_bytes(content)
    partial.replace(target)
    return "fetched"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetches all; the number of files that could not be had is the exit code's reason."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="fetch the files whose name holds this text")
    parser.add_argument("--index", type=Path, default=INDEX)
    parser.add_argument("--host", default=HOST)
    options = parser.parse_args(arguments)
    entries = json.loads(options.index.read_text())
    wanted = [entry for entry in entries if options.only in entry["file"]]
    failed = 0
    for position, entry in enumerate(wanted, 1):
        outcome = fetch(entry, options.folder, options.host)
        failed += outcome.startswith("failed")
        print(f"{position}/{len(wanted)} {entry['file']}: {outcome}", flush=True)
    print(f"{len(wanted) - failed} of {len(wanted)} files are in {options.folder}")
    return 1 if failed else 0


def _download(url: str) -> bytes:
    with urlopen(url, timeout=TIMEOUT) as answer:
        return answer.read()


def _patiently(attempt: Callable[[], bytes]) -> bytes:
    """Tries again after network trouble; a file that is not there stays so."""
    for wait in range(TRIES - 1):
        try:
            return attempt()
        except HTTPError as error:
            if error.code in (400, 401, 403, 404, 410, 451):
                raise
        except (URLError, TimeoutError, ConnectionError):
            pass
        time.sleep(2**wait)
    return attempt()


if __name__ == "__main__":
    sys.exit(main())
