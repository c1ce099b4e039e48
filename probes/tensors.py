"""StepTensors: what a trainer shows its probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from collapse_lab.probes.segments import compact


@dataclass(frozen=True, kw_only=True, eq=False)
class StepTensors:
    """One micro-batch, mini-batch or step, as far as the trainer knows it; None is not known.

    B rows (responses; in multi-turn training, turns) and T response tokens. Per token, (B, T):
    `mask` (True, or not 0, on response tokens that are trained on), `logp` of the policy now,
    `old_logp` of the policy whose ratio the loss uses, `sampler_logp` of the engine that drew the
    tokens, `ref_logp` of the reference, `entropy` in nats, `token_ids`. `advantage` is (B, T) or
    (B,). Per row, (B,): `group` and `trajectory` ids (by default, each row is a trajectory),
    `turn` numbers from 0, `anchor` (equal for equal observations), `action` (equal for equal
    actions), `reward` (raw, of the whole trajectory), `success`, `format_valid`, `action_valid`,
    `truncated`, `prompt_length`.

    `clip` is the loss's (log_ratio, advantage, mask) -> gain, the gain in units of ratio *
    advantage and each row's gain its own affair; `band` is how far below and above 1 a ratio
    counts as out of band.

    Group statistics need whole groups: show `group` and `reward` once a step, for whole groups.
    """

    mask: Tensor
    logp: Tensor | None = None
    old_logp: Tensor | None = None
    advantage: Tensor | None = None
    sampler_logp: Tensor | None = None
    ref_logp: Tensor | None = None
    entropy: Tensor | None = None
    token_ids: Tensor | None = None
    group: Tensor | None = None
    trajectory: Tensor | None = None
    turn: Tensor | None = None
    anchor: Tensor | None = None
    action: Tensor | None = None
    reward: Tensor | None = None
    success: Tensor | None = None
    format_valid: Tensor | None = None
    action_valid: Tensor | None = None
    truncated: Tensor | None = None
    prompt_length: Tensor | None = None
    clip: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    band: tuple[float, float] = (0.2, 0.2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", self.mask.bool())  # trainers have it in any type
        if self.mask.ndim != 2:
            raise ValueError(f"mask must be (rows, tokens) and has shape {tuple(self.mask.shape)}")
        for name, value in self.tensors():
            rows, tokens = self.mask.shape[:1], self.mask.shape
            allowed = (tokens,) if name in PER_TOKEN else (rows,)
            if value.shape not in (allowed if name != "advantage" else (rows, tokens)):
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)}, which does not go with the "
                    f"mask's {tuple(self.mask.shape)}"
                )

    def tensors(self) -> list[tuple[str, Tensor]]:
        """Name and tensor of every field that is known."""
        known = self.__dict__
        return [(name, known[name]) for name in FIELDS if isinstance(known[name], Tensor)]

    def tokens(self, values_BT: Tensor) -> Tensor:
        """The values where the mask is True, in float64 and without gradient; N of them."""
        return values_BT.detach().reshape(-1)[self._place_N].double()

    @property
    def empty(self) -> bool:
        return self._place_N.numel() == 0

    @cached_property
    def row_N(self) -> Tensor:
        """The row of each token."""
        return self._place_N // self.mask.shape[1]

    @cached_property
    def length_B(self) -> Tensor:
        return self.mask.sum(1)

    @cached_property
    def episodes(self) -> tuple[Tensor, int] | None:
        """The number of each row's episode, from 0, and how many there are."""
        if self.trajectory is None:
            return None
        if self.group is None:
            return compact(self.trajectory)
        return compact(self.group, self.trajectory)

    @cached_property
    def logp_N(self) -> Tensor | None:
        return None if self.logp is None else self.tokens(self.logp)

    @cached_property
    def old_logp_N(self) -> Tensor | None:
        return None if self.old_logp is None else self.tokens(self.old_logp)

    @cached_property
    def old_k3_N(self) -> Tensor | None:
        """Estimates KL(old || new)."""
        return None if self.log_ratio_N is None else k3(self.log_ratio_N)

    @cached_property
    def ref_k3_N(self) -> Tensor | None:
        """Estimates KL(new || reference), on tokens of (about) the new policy."""
        if self.ref_logp is None or self.logp_N is None:
            return None
        return k3(self.tokens(self.ref_logp) - self.logp_N)

    @cached_property
    def log_ratio_N(self) -> Tensor | None:
        """new - old."""
        if self.logp_N is None or self.old_logp_N is None:
            return None
        return self.logp_N - self.old_logp_N

    @cached_property
    def ratio_N(self) -> Tensor | None:
        return None if self.log_ratio_N is None else self.log_ratio_N.exp()

    @cached_property
    def sequence_log_ratio_B(self) -> Tensor | None:
        """Sum of the log-ratio over each row that has a token."""
        return None if self.log_ratio_N is None else self.row_sums(self.log_ratio_N)

    @cached_property
    def adv_N(self) -> Tensor | None:
        if self.advantage is None:
            return None
        adv = self.advantage
        return self.tokens(adv if adv.ndim == 2 else adv[:, None].expand(self.mask.shape))

    def row_sums(self, values_N: Tensor) -> Tensor:
        """Sums over each row that has a token."""
        sums_B = values_N.new_zeros(len(self.mask)).index_add(0, self.row_N, values_N)
        return sums_B[self.length_B > 0]

    @cached_property
    def _place_N(self) -> Tensor:
        return self.mask.reshape(-1).nonzero()[:, 0]


FIELDS = tuple(field.name for field in fields(StepTensors))
PER_TOKEN = (
    "mask", "logp", "old_logp", "sampler_logp", "ref_logp", "entropy", "token_ids",
)  # fmt: skip


def concat(parts: Sequence[StepTensors]) -> StepTensors:
    """The rows of all of them, padded to the widest; fields that some lack are left out."""
    if len(parts) == 1:
        return parts[0]
    width = max(part.mask.shape[1] for part in parts)
    columns: dict[str, list[Tensor]] = {}
    for part in parts:
        for name, tensor in part.tensors():
            if tensor.ndim == 2 and tensor.shape[1] < width:
                tensor = pad(tensor, (0, width - tensor.shape[1]))
            columns.setdefault(name, []).append(tensor)
    whole = {name: torch.cat(c) for name, c in columns.items() if len(c) == len(parts)}
    first = parts[0]
    return StepTensors(**whole, clip=first.clip, band=first.band)  # pyright: ignore[reportArgumentType]


def k3(log_ratio_N: Tensor) -> Tensor:
    """r - 1 - log r >= 0, with mean KL(p || q) over samples of p for r = q / p."""
    return log_ratio_N.expm1() - log_ratio_N


def slopes(tensors: StepTensors) -> Tensor | None:
    """d gain / d log_ratio of every token under the trainer's own clip; None when not known."""
    if tensors.clip is None or tensors.advantage is None or tensors.log_ratio_N is None:
        return None
    shape = tensors.mask.shape
    adv = tensors.advantage.detach().double()
    adv_BT = adv if adv.ndim == 2 else adv[:, None].expand(shape)
    log_ratio_BT = torch.zeros(shape, dtype=torch.float64, device=adv.device)
    log_ratio_BT.masked_scatter_(tensors.mask, tensors.log_ratio_N)
    with torch.enable_grad():
        leaf_BT = log_ratio_BT.requires_grad_()
        gain_BT = tensors.clip(leaf_BT, adv_BT, tensors.mask)
        (slope_BT,) = torch.autograd.grad(gain_BT.sum(), leaf_BT)
    return tensors.tokens(slope_BT)
