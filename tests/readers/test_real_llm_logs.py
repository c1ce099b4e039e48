"""Real logs of LLM frameworks: exact steps in order, and the signals that each format can state.

That each is read whole is tested in test_real_logs_are_read.py. COLLAPSE_LAB_REALLOGS names the
folder that holds the logs; `python -m benchmarks.fetch_real_logs` fetches them.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.readers.reader import read
from collapse_lab.records import RESTART
from collapse_lab.signals import SIGNALS

INDEX = Path(__file__).resolve().parents[2] / "data" / "real_logs.json"
TRAINED = {"reward/mean", "reward/std", "loss/total", "optim/grad_norm", "optim/lr", "length/mean"}
EXPECTED = {
    "trl-console": TRAINED | {"time/epoch"},
    "trainer-state": TRAINED | {"time/epoch"},
    "verl-console": {
        *("reward/mean", "reward/penalised_mean", "reward/max", "reward/min", "policy/entropy"),
        *("loss/pg", "kl/old", "ratio/clip_frac", "ratio/dual_clip_frac", "optim/grad_norm"),
        *("optim/lr", "length/mean", "length/trunc_frac", "credit/advantage_mean", "time/step"),
    },
}
ENTRIES: list[dict[str, Any]] = (
    [entry for entry in json.loads(INDEX.read_text()) if entry["format"] in EXPECTED]
    if INDEX.exists()
    else []
)


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"] for entry in ENTRIES])
def test_its_steps_are_exact_and_its_signals_known(entry: dict[str, Any], real_logs: Path) -> None:
    path = real_logs / entry["file"]
    if not path.exists():
        pytest.skip(f"{path} has not been fetched")
    records, log = read(path)
    steps = [record.step for record in records]
    (stride,) = {later - earlier for earlier, later in pairwise(steps)}
    assert steps[0] == stride  # logged every `stride` steps from the first on
    assert not any(RESTART in record.notes for record in records)
    signals = {name for record in records for name in record.values if name in SIGNALS}
    assert signals >= EXPECTED[entry["format"]]
    assert not any(key in SIGNALS for key in log.unmapped)
