"""Watching a training loop, ours or somebody else's, from inside: tensors in, a record a step out.

A loop that uses it, in outline::

    probe = observe(writer.append)
    for step, batch in enumerate(batches):
        for mini in batch:
            ...  # forward, loss, backward
            probe.batch(logp=logp, old_logp=mini.old_logp, advantage=mini.adv, mask=mini.mask)
            with probe.update(model.named_parameters()):
                clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
        probe.step(step)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor

from collapse_lab.probes.gradients import Gradients
from collapse_lab.probes.measure import parts_of
from collapse_lab.probes.parts import LargestMean, Parts
from collapse_lab.probes.ratios import gate, quadrants, ratios
from collapse_lab.probes.reduction import merged, read, reduced
from collapse_lab.probes.tensors import StepTensors, concat
from collapse_lab.records import Record

LAST = (
    "kl/old",
    "ratio/clip_gate",
    "ratio/ess_frac",
    "ratio/khat",
    "ratio/m2",
    "ratio/max",
    "ratio/out_high_frac",
    "ratio/out_low_frac",
    "ratio/sequence_ess_frac",
)
"""Signals also recorded for the step's last mini-batch alone, which is the stalest one."""
OF_LAST = {"ratios": ratios, "quadrants": quadrants, "gate": gate}
SMOOTHED = ("ratio/khat", "ratio/sequence_khat")
"""Signals whose median over the last five steps is recorded too: one step's k-hat means little."""


class Observer:
    """Adds up what the probes see until the step is over, then emits it as one record.

    Under torch.distributed every rank shows its own rows, all ranks call `step` together (the
    one exchange between them), and rank 0 emits. Nothing here changes a tensor or draws a random
    number.
    """

    def __init__(
        self,
        emit: Callable[[Record], None] | None = None,
        *,
        clip: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
        band: tuple[float, float] = (0.2, 0.2),
        process_group: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._emit = emit
        self._clip = clip
        self._band = band
        self._process_group = process_group
        self._clock = clock
        self._gradients = Gradients()
        self._recent = {name: deque[float](maxlen=5) for name in SMOOTHED}
        self._shown: list[Parts] = []
        self._updates: list[Parts] = []
        self._batches: list[tuple[int, StepTensors]] = []

    def batch(
        self,
        *,
        logp: Tensor,
        old_logp: Tensor,
        advantage: Tensor,
        mask: Tensor,
        **more: Tensor | None,
    ) -> None:
        """A micro-batch, after its forward pass; `more` are other fields of StepTensors.

        The tensors are kept, without their graph, until the step is over and then measured at
        once: a few numbers a token, where a forward pass holds thousands.
        """
        given = {"logp": logp, "old_logp": old_logp, "advantage": advantage, "mask": mask, **more}
        kept = {name: tensor.detach() for name, tensor in given.items() if tensor is not None}
        tensors = StepTensors(clip=self._clip, band=self._band, **kept)  # pyright: ignore
        self._batches.append((len(self._updates), tensors))

    @contextmanager
    def update(self, parameters: Iterable[tuple[str, Tensor]]) -> Iterator[None]:
        """Around gradient clipping and the optimiser's step; ends a mini-batch."""
        parts = self._gradients.before(dict(parameters))
        yield
        self._updates.append(parts)

    def show(self, tensors: StepTensors) -> None:
        """What belongs to the step and not to a mini-batch, such as rewards in whole groups.

        Calls add up. A signal that both this and the mini-batches have is recorded from this.
        """
        self.add(parts_of(tensors))

    def add(self, parts: Parts) -> None:
        """As `show`, for measurements made elsewhere, such as `credit.filtering`."""
        self._shown.append(parts)

    def step(self, step: int, values: Mapping[str, float] | None = None) -> Record:
        """The record of the step, with `values` that only the caller knows, emitted by rank 0."""
        parts = self._measured() | merged(self._updates) | self._gradients.end_of_step()
        parts |= merged(self._shown)
        numbers, histograms = read(reduced(parts, self._process_group))
        for name, recent in self._recent.items():
            if name in numbers:
                recent.append(numbers[name])
                numbers[f"{name}_median"] = median(recent)
        record = Record(step, self._clock(), numbers | dict(values or {}), histograms)
        self._shown, self._updates, self._batches = [], [], []
        if self._emit is not None and self._rank() == 0:
            self._emit(record)
        return record

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on with the same records; take it between steps."""
        recent = {name: list(values) for name, values in self._recent.items()}
        return {"gradients": self._gradients.state_dict(), "recent": recent}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._gradients.load_state_dict(state["gradients"])
        for name, values in state["recent"].items():
            self._recent[name].extend(values)

    def _measured(self) -> Parts:
        """Of the mini-batches: all together, the last one, and the one that moved furthest."""
        if not self._batches:
            return {}
        whole = concat([tensors for _, tensors in self._batches])
        last_mini = self._batches[-1][0]
        last = concat([tensors for mini, tensors in self._batches if mini == last_mini])
        parts, parts_of_last = parts_of(whole), parts_of(last, OF_LAST)
        parts |= {f"{name}_last": parts_of_last[name] for name in LAST if name in parts_of_last}
        if whole.old_k3_N is not None:
            minis_B = [
                torch.full_like(t.mask[:, 0], mini, dtype=torch.int64) for mini, t in self._batches
            ]
            mini_N = torch.cat(minis_B)[whole.row_N]
            parts["kl/old_max"] = LargestMean.of(whole.old_k3_N, mini_N, last_mini + 1)
        return parts

    def _rank(self) -> int:
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(self._process_group)
        return 0


def observe(
    emit: Callable[[Record], None] | None = None,
    *,
    clip: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    band: tuple[float, float] = (0.2, 0.2),
    process_group: Any = None,
) -> Observer:
    """Attach the probes to a loop; `emit` gets a record a step, `RunWriter.append` for instance.

    `clip` is the loss as (log_ratio, advantage, mask) -> gain, such as
    `collapse_lab.trainers.clips.HardClip()`; without it the clip gate is not recorded.
    """
    return Observer(emit, clip=clip, band=band, process_group=process_group)
