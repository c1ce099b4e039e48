from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from step_examples import fields_of, random_tensors
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from collapse_lab.probes import StepTensors, measure, observe
from collapse_lab.probes.attach import LAST, Observer
from collapse_lab.probes.credit import filtering
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS
from collapse_lab.store import RunReader, RunWriter
from collapse_lab.trainers.clips import HardClip, SecondMoment


def run_ranks(world: int, folder: Path) -> list[Record]:
    """The records that rank 0 of so many processes prints."""
    script = str(Path(__file__).with_name("two_ranks.py"))
    store = str(folder / f"store-{world}")
    ranks = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(world), store],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in ranks]
    assert [process.returncode for process in ranks] == [0] * world
    assert outputs[1:] == [""] * (world - 1)
    return [Record.from_json(line) for line in outputs[0].splitlines()]


def test_two_ranks_give_the_record_of_one(tmp_path):
    one, two = run_ranks(1, tmp_path), run_ranks(2, tmp_path)
    assert len(one) == len(two) == 2
    for alone, shared in zip(one, two, strict=True):
        assert shared.values == pytest.approx(alone.values, rel=1e-9, abs=1e-12)
        assert shared.histograms == alone.histograms
        assert len(alone.values) > 80


def test_the_last_mini_batch_stands_beside_the_step_and_the_worst_one_too():
    probe = Observer()
    minis = [random_tensors(seed) for seed in range(3)]
    each = [measure(mini)[0] for mini in minis]
    for mini in minis:
        probe.batch(**fields_of(mini))
        parameter = torch.nn.Parameter(torch.ones(1))
        parameter.grad = torch.ones(1)
        with probe.update([("w", parameter)]):
            pass
    values = probe.step(0).values
    for name in LAST:
        if name in each[-1]:
            assert values[f"{name}_last"] == pytest.approx(each[-1][name])
    assert values["kl/old_max"] == pytest.approx(max(mini["kl/old"] for mini in each))
    assert min(m["kl/old"] for m in each) < values["kl/old"] < values["kl/old_max"]


def test_micro_batches_give_the_mini_batch():
    tensors = random_tensors(5)
    whole, parts = Observer(), Observer()
    tensors = replace(tensors, group=None, trajectory=None)
    whole.batch(**fields_of(tensors))
    for rows in torch.arange(48).split(7):
        parts.batch(**fields_of(tensors, rows))
    assert parts.step(0).values == pytest.approx(whole.step(0).values)


def test_what_is_shown_of_the_step_goes_before_what_its_mini_batches_say():
    probe, tensors = Observer(), random_tensors(0)
    probe.show(StepTensors(mask=tensors.mask[:1], token_ids=torch.zeros(1, 9).long()))
    probe.batch(**fields_of(tensors))
    assert probe.step(0).values["length/mean"] == tensors.mask[0].sum()


def test_rows_shown_again_for_their_log_probs_do_not_count_as_responses():
    probe, tensors = Observer(), random_tensors(0)
    probe.show(tensors)
    only = {"mask": tensors.mask[:1], "old_logp": tensors.old_logp[:1]}  # pyright: ignore
    probe.show(StepTensors(**only, sampler_logp=only["old_logp"]))
    assert probe.step(0).values["length/mean"] == pytest.approx(float(tensors.mask.sum() / 48))


class Saved:
    """Stands for a tensor that a graph keeps for its backward pass."""


def test_what_is_kept_to_the_end_of_the_step_holds_no_graph() -> None:
    saved: weakref.WeakSet[Saved] = weakref.WeakSet()

    def pack(_: Tensor) -> Saved:
        saved.add(one := Saved())
        return one

    def unpack(_: Saved) -> Tensor:
        raise AssertionError("nothing goes backward here")

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        logits = torch.randn(2, 3, 50, requires_grad=True)
        logp = logits.log_softmax(-1)
        entropy = -(logp.exp() * logp).sum(-1)  # no part of a loss, so that no backward frees it
    assert saved
    probe, mask = Observer(), torch.ones(2, 3, dtype=torch.bool)
    old = logp[..., 0].detach()
    probe.batch(
        logp=logp[..., 0], old_logp=old, advantage=torch.ones(2), mask=mask, entropy=entropy
    )
    del logp, entropy
    assert not saved
    assert probe.step(0).values["policy/entropy"] > 0


@pytest.mark.parametrize("kind", [torch.int64, torch.float32])
def test_a_mask_of_zeros_and_ones_is_as_good_as_one_of_booleans(kind: torch.dtype) -> None:
    named = fields_of(random_tensors(0))
    seen: list[Record] = []
    for mask in (named["mask"], named["mask"].to(kind)):
        probe = observe(clip=SecondMoment())
        probe.batch(**(named | {"mask": mask}))
        seen.append(probe.step(0))
    assert seen[0].values == seen[1].values
    assert "ratio/clip_gate" in seen[0].values


def test_a_step_without_a_token_to_train_on_states_nothing() -> None:
    probe, named = Observer(), fields_of(random_tensors(0))
    probe.batch(**(named | {"mask": torch.zeros_like(named["mask"])}))
    assert probe.step(0).values == {}


def test_a_step_starts_from_nothing():
    probe = Observer(clock=lambda: 5.0)
    probe.batch(**fields_of(random_tensors(0)))
    probe.step(0)
    probe.batch(**fields_of(random_tensors(1)))
    second = probe.step(1)
    fresh = Observer(clock=lambda: 5.0)
    fresh.batch(**fields_of(random_tensors(1)))
    wanted = fresh.step(1)
    medians = {name for name in wanted.values if name.endswith("_median")}
    assert {n: v for n, v in second.values.items() if n not in medians} == {
        n: v for n, v in wanted.values.items() if n not in medians
    }
    assert second.time == 5.0


def test_khat_has_its_median_over_five_steps_beside_it():
    probe = Observer()
    history: list[float] = []
    for step in range(7):
        probe.batch(**fields_of(random_tensors(step)))
        values = probe.step(step).values
        history.append(values["ratio/khat"])
        wanted = sorted(history[-5:])
        middle = (wanted[(len(wanted) - 1) // 2] + wanted[len(wanted) // 2]) / 2
        assert values["ratio/khat_median"] == pytest.approx(middle)


def loop(probe: Observer, steps: range, model: torch.nn.Module) -> list[Record]:
    """Somebody else's policy-gradient loop over random data, watched."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    records: list[Record] = []
    for step in steps:
        make = torch.Generator().manual_seed(step)
        x = torch.randn(32, 6, generator=make)
        advantage = torch.randn(32, generator=make)
        with torch.no_grad():
            old_logp = model(x).log_softmax(-1)[:, :1]
        mask = torch.ones(32, 1, dtype=torch.bool)
        for rows in torch.arange(32).split(8):
            logp = model(x[rows]).log_softmax(-1)[:, :1]
            gain = HardClip()(logp - old_logp[rows], advantage[rows, None], mask[rows])
            optimiser.zero_grad()
            (-gain.mean()).backward()
            probe.batch(
                logp=logp, old_logp=old_logp[rows], advantage=advantage[rows], mask=mask[rows]
            )
            with probe.update(model.named_parameters()):
                clip_grad_norm_(model.parameters(), 0.1)
                optimiser.step()
        probe.add(filtering(tries=2, sampled_groups=8, kept_groups=4, filler_groups=0))
        records.append(probe.step(step, {"eval/success_rate": 0.5}))
    return records


def test_somebody_elses_loop_gets_a_record_a_step_in_a_run_folder(tmp_path):
    torch.manual_seed(0)
    writer = RunWriter(tmp_path / "run")
    loop(observe(writer.append, clip=HardClip()), range(3), torch.nn.Linear(6, 4))
    writer.finish()
    records = list(RunReader(tmp_path / "run").new())
    assert [record.step for record in records] == [0, 1, 2]
    for record in records:
        assert record.values.keys() <= SIGNALS.keys()
        assert record.values["ratio/clip_gate"] > 0
        assert record.values["optim/grad_norm"] > 0.1
        assert record.values["optim/update_ratio"] > 0
        assert record.values["credit/filter_tries"] == 2
        assert record.values["eval/success_rate"] == 0.5
        assert len(record.histograms["ratio/log"]) == 129


def test_watching_does_not_change_the_training():
    models: list[torch.nn.Linear] = []
    for watch in (True, False):
        torch.manual_seed(0)
        models.append(torch.nn.Linear(6, 4))
        loop(Observer(clip=HardClip()) if watch else Blind(), range(2), models[-1])
    watched, plain = models
    assert torch.equal(watched.weight, plain.weight)


class Blind(Observer):
    """Sees nothing, so that the loop runs as if nobody watched."""

    def batch(self, **tensors: Tensor | None) -> None:
        pass

    @contextmanager
    def update(self, parameters: Iterable[tuple[str, Tensor]]) -> Iterator[None]:
        yield


def test_a_resumed_observer_goes_on_with_the_same_records():
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 4)
    probe = Observer(clock=lambda: 0.0)
    loop(probe, range(3), model)
    state, weights = probe.state_dict(), {k: v.clone() for k, v in model.state_dict().items()}
    wanted = loop(probe, range(3, 6), model)

    resumed = Observer(clock=lambda: 0.0)
    resumed.load_state_dict(state)
    other = torch.nn.Linear(6, 4)
    other.load_state_dict(weights)
    assert loop(resumed, range(3, 6), other) == wanted
