"""The comparison with other detectors, on runs small enough to be worked out by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import challengers, challengers_limits, challengers_scores
from benchmarks.challengers_ladder import SCALES, climb
from benchmarks.challengers_scores import Alarms
from benchmarks.challengers_seen import Seen, see
from collapse_lab.calibration.conformal import Course
from collapse_lab.corpus import CorpusRun
from collapse_lab.labels import label_run
from collapse_lab.records import Record
from collapse_lab.scorecard import JudgedRun

RECORDS = 100
ONSET = 80


def seen(group: str, peak: float, at: int = 50, kind: str = "healthy") -> Seen:
    """A run in which the one score rises from 0 to `peak` at a point."""
    score = np.where(np.arange(RECORDS) < at, 0.0, peak)
    onset = ONSET if kind == "collapse" else None
    judged = JudgedRun("run", kind, group, {}, range(RECORDS), onset, onset, ())
    return Seen(judged, {}, Course("run", group, {"x": score}), {"optim/grad_norm": score})


def corpus() -> list[Seen]:
    """Two groups of 20 healthy runs, peaks 1 to 20 and 101 to 120, and a collapse in each."""
    return [
        *(seen("a", peak) for peak in range(1, 21)),
        *(seen("b", peak) for peak in range(101, 121)),
        seen("a", 70, at=70, kind="collapse"),
        seen("b", 70, at=70, kind="collapse"),
    ]


def test_a_score_is_the_highest_rung_with_an_alarm_so_far():
    def alarms_at(scale: float) -> list[int]:
        return [int(10 * scale), 90] if scale <= 4 else []

    score = climb(alarms_at, RECORDS)
    assert (score[0], score[9], score[10], score[39], score[40]) == (0, SCALES[5], 1, 2**1.5, 4)
    assert score[-1] == 4


def test_a_tool_that_is_silent_at_the_lowest_rung_scores_nothing():
    assert not climb(lambda scale: [], RECORDS).any()


def test_limits_held_out_come_from_the_other_groups_alone():
    """By b's peaks nothing of a is alarmed on; by a's, all of b is."""
    alarms = challengers_scores.held_out(corpus(), ("x",))
    assert list(alarms) == [()] * 20 + [(50,)] * 20 + [()] + [(70,)]


def test_equal_limits_alarm_on_alpha_of_all_healthy_runs():
    """40 healthy runs allow two of 41 places above the limit, the limit itself is one of them."""
    alarms = challengers_scores.equal(corpus(), ("x",))
    assert [len(some) for some in alarms[:40]] == [0] * 39 + [1]


def test_nothing_is_raised_where_healthy_runs_are_too_few_to_claim_anything():
    few = [seen("a", 5), seen("b", 9), seen("b", 99, kind="collapse")]
    assert list(challengers_scores.held_out(few, ("x",))) == [()] * 3


def test_a_contender_is_scored_over_healthy_and_collapsed_runs():
    runs = [one.run for one in corpus()]
    alarms: Alarms = [(3,)] + [()] * 39 + [(ONSET - 1,), (ONSET + 10,)]
    found = challengers_scores.measure(runs, alarms)
    assert (found.healthy.hits, found.healthy.of) == (1, 40)
    assert (found.early.hits, found.late.hits, found.by_crossing.hits) == (1, 2, 1)
    assert found.lead == 1


def test_the_best_single_signal_is_the_one_that_caught_collapses_elsewhere():
    """High gradient norms foretell the collapse of either group, so either finds it for the
    other; noise that is never beyond its healthy range does not."""
    noise = np.random.default_rng(0)
    runs = [
        *(seen(group, peak) for group in "ab" for peak in range(1, 31)),
        *(seen(group, 70, at=70, kind="collapse") for group in "ab"),
    ]
    runs = [
        Seen(one.run, {}, one.course, {**one.series, "kl/ref": noise.uniform(size=RECORDS)})
        for one in runs
    ]
    held_out, equal = challengers_scores.best_single_signal(runs)
    assert list(held_out[-2:]) == list(equal[-2:]) == [(70,), (70,)]


def test_ours_is_held_against_the_challenger_that_caught_most():
    runs = [one.run for one in corpus()]
    nothing: Alarms = [()] * 42
    one: Alarms = [()] * 40 + [(ONSET - 1,), ()]
    both: Alarms = [()] * 40 + [(ONSET - 1,), (ONSET - 1,)]
    found = challengers_scores.against_best(runs, both, {"silent": nothing, "half": one})
    assert (found.challenger, found.ratio, found.difference) == ("half", 2.0, 0.5)
    assert found.ratio_interval == (1.0, math.inf)
    assert found.difference_interval == (0.0, 1.0)


def test_recall_ten_records_later_has_a_best_challenger_of_its_own():
    runs = [one.run for one in corpus()]
    early: Alarms = [()] * 40 + [(ONSET - 1,), ()]
    late: Alarms = [()] * 40 + [(ONSET + 10,), (ONSET + 10,)]
    others = {"early": early, "late": late}
    assert challengers_scores.against_best(runs, early, others).challenger == "early"
    found = challengers_scores.against_best(runs, early, others, "recall_10_later")
    assert (found.challenger, found.ratio) == ("late", 0.5)


def test_nothing_against_nothing_is_a_ratio_of_one():
    runs = [one.run for one in corpus()]
    nothing: Alarms = [()] * 42
    found = challengers_scores.against_best(runs, nothing, {"silent": nothing})
    assert (found.ratio, found.ratio_interval) == (1.0, (1.0, 1.0))


def test_zclip_counts_deviations_from_its_moving_average_and_takes_spikes_in_clipped():
    """Warm-up: mean 2, variance 24 / 25. A norm of 6 is z = 4.08, taken in as 2 + 2.5^2 / z."""
    warm_up = [1.0, 3.0] * 12 + [2.0]
    score = challengers_limits.zclip({"optim/grad_norm": np.array([*warm_up, 6.0, 6.0])})
    spread = math.sqrt(24 / 25)
    z = 4 / spread
    assert not score[:25].any()
    assert score[25] == pytest.approx(z / 2.5, rel=1e-5)
    taken_in = 2 + 2.5**2 / z * spread
    mean = 2 + 0.03 * (taken_in - 2)
    variance = 0.97 * 24 / 25 + 0.03 * (taken_in - mean) ** 2
    assert score[26] == pytest.approx((6 - mean) / math.sqrt(variance) / 2.5, rel=1e-5)


def test_limits_score_one_where_they_are_reached_and_nothing_where_nothing_is_logged():
    series = {"ratio/khat": np.array([0.7, math.nan]), "ratio/ess_frac": np.array([0.1, 1.0])}
    assert challengers_limits.token_khat(series).tolist() == pytest.approx([1, 0])
    assert challengers_limits.lost_samples(series).tolist() == pytest.approx([1, 0])
    assert challengers_limits.sequence_khat(series).tolist() == [0, 0]


def test_the_health_bands_tell_the_one_that_is_used_up_most():
    series = {
        "mismatch/is_mean": np.array([1.0, 0.5, 1.0]),
        "mismatch/k1_kl": np.array([0.05, 0.0, -0.2]),
    }
    bands = challengers_limits.health_bands(series, challengers_limits.MISMATCH)
    assert bands.tolist() == pytest.approx([0.5, 1.0, 2.0])


def test_every_row_is_made_from_a_run_and_drawn_as_a_line():
    noise = np.random.default_rng(0).normal(size=(60, 2))
    records = [
        Record(step, values={"reward/mean": 0.5 + 0.1 * a, "optim/grad_norm": math.exp(0.1 * b)})
        for step, (a, b) in enumerate(noise)
    ]
    facts = {"framework": "f", "task": "t", "algorithm": "a", "failure": "healthy"}
    run = CorpusRun("run", records, label_run(records), facts, "g")
    runs = [see(run, with_peers=False)]
    found = challengers.contenders(runs, with_peers=False, learned={"model": [(5,)]})
    lines = challengers.table(runs, found).splitlines()[2:]
    assert len(lines) == sum(
        way is not None for one in found.values() for way in (one.defaults, one.held_out, one.equal)
    )
    assert "| never | defaults |" in "\n".join(lines)
    assert sum("collapse-lab, model" in line for line in lines) == 1
    assert challengers.OURS in challengers.short_table(runs, found)


def test_the_verdict_names_the_best_challenger_and_how_many_times_as_many_it_catches():
    runs = corpus()
    nothing: Alarms = [()] * 42
    early: Alarms = [()] * 40 + [(ONSET - 1,)] * 2
    half: Alarms = [()] * 40 + [(ONSET - 1,), ()]
    ours = challengers.Contender(None, early)
    found = {
        challengers.OURS + challengers.ALARM: ours,
        "silent": challengers.Contender(None, nothing),
        "half": challengers.Contender(None, half),
    }
    text = challengers.verdict(runs, found)
    assert "2.00 [1.00, inf] times as many collapses before the fall" in text
    assert "(half)" in text


def test_some_of_the_runs_keep_their_alarms_and_what_was_never_run_stays_so():
    one = challengers.Contender(None, [(1,), (2,), ()]).only([2, 0])
    assert (one.defaults, one.held_out, one.equal) == (None, [(), (1,)], None)
