"""The ceiling: what one signal sees at most, and what luck would have chosen."""

from __future__ import annotations

import numpy as np

from benchmarks.ceiling import Candidate, Run, ceilings, report

ONSET = 40


def run(onset: int | None, seed: int) -> Run:
    """Noise in three signals; before an onset `ratio/m2` is high for the last eight records."""
    random = np.random.default_rng(seed)
    levels = {name: random.normal(size=60) for name in ("ratio/m2", "kl/old", "policy/entropy")}
    if onset is not None:
        levels["ratio/m2"][onset - 8 : onset] += 20
    return Run(onset, levels)


def test_the_signal_that_rises_before_every_fall_is_found_and_luck_is_not():
    runs = [run(None, seed) for seed in range(40)] + [run(ONSET, seed) for seed in range(40, 60)]
    found, blind = ceilings(runs)
    assert found[0].candidate == Candidate("ratio/m2", 1, "level")
    assert (found[0].early, found[0].later) == (20, 20)
    assert all(one.early < 10 for one in found if one.candidate.signal != "ratio/m2")
    assert blind.max() < 10
    assert "| ratio/m2, level up | 20/20, 100 % [84, 100] |" in report(runs)


def test_what_comes_before_the_horizon_or_ten_records_after_the_onset_does_not_count():
    quiet = np.zeros(60)
    early, late, much_later = quiet.copy(), quiet.copy(), quiet.copy()
    early[ONSET - 11] = late[ONSET + 10] = much_later[ONSET + 11] = 1.0
    runs = [Run(None, {"ratio/m2": quiet}) for _ in range(20)]
    runs += [Run(ONSET, {"ratio/m2": level}) for level in (early, late, much_later)]
    level = next(one for one in ceilings(runs)[0] if one.candidate == ("ratio/m2", 1, "level"))
    assert (level.early, level.later) == (0, 1)


def test_a_rise_is_counted_from_the_lowest_level_so_far():
    score = Run(None, {"kl/old": np.array([np.nan, 3.0, 1.0, 4.0])}).score(
        Candidate("kl/old", 1, "rise")
    )
    assert score.tolist() == [-np.inf, 0.0, 0.0, 3.0]
    falling = Run(None, {"kl/old": np.array([3.0, 1.0])}).score(Candidate("kl/old", -1, "rise"))
    assert falling.tolist() == [0.0, 2.0]
