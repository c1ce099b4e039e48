"""Every log of `data/real_logs.json` is read whole, with the right format and framework.

The logs are not ours to copy: COLLAPSE_LAB_REALLOGS names the folder that holds them, and
`python -m benchmarks.fetch_real_logs` fetches them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.readers.reader import read

INDEX = Path(__file__).resolve().parents[2] / "data" / "real_logs.json"
REWARDS = {"reward/mean", "reward/penalised_mean", "reward/success_rate", "eval/score"}
ENTRIES: list[dict[str, Any]] = json.loads(INDEX.read_text())


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"] for entry in ENTRIES])
def test_a_real_log_is_read_whole(entry: dict[str, Any], real_logs: Path) -> None:
    path = real_logs / entry["file"]
    if not path.exists():
        pytest.skip(f"{path} has not been fetched")
    records, log = read(path)
    assert (log.format, log.framework) == (entry["format"], entry["framework"])
    assert len(records) == entry["records"]
    (signal,) = [name for name, key in log.assembler.names.sources.items() if key == entry["key"]]
    assert signal in REWARDS
    rewarded = [(record.notes, record.step) for record in records if signal in record.values]
    assert entry["n"] in (len(rewarded), len({step for _, step in rewarded}))
