"""How far: what a token gains as the policy moves away from the one that made the data.

log_ratio is new - old, always. A clip maps (log_ratio_BT, adv_BT, mask_BT) to gain_BT in the
units of ratio * advantage; the loss is -(weight_BT * gain_BT).sum(). On policy every clip here has
the slope d gain / d log_ratio = advantage. B rows (turns), T response tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Clip = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(log_ratio_BT, adv_BT, mask_BT) -> gain_BT."""


@dataclass(frozen=True)
class HardClip:
    """min(w A, clip(w, 1 - low, 1 + high) A) (PPO 1707.06347, GRPO 2402.03300).

    `high` > `low` is DAPO's clip-higher. ARLArena's code, not its paper, always adds the dual
    clip for A < 0 (gain no lower than c A, no slope beyond w = c): `dual=3.0` switches it on.
    """

    low: float = 0.2
    high: float = 0.2
    dual: float | None = None

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        ratio_BT = log_ratio_BT.exp()
        clipped_BT = ratio_BT.clamp(1 - self.low, 1 + self.high)
        gain_BT = torch.minimum(ratio_BT * adv_BT, clipped_BT * adv_BT)
        if self.dual is None:
            return gain_BT
        return torch.where(adv_BT < 0, torch.maximum(gain_BT, self.dual * adv_BT), gain_BT)


@dataclass(frozen=True)
class ClippedWeight:
    """CISPO (MiniMax-M1, 2506.13585): sg(clip(w, 1 - low, 1 + high)) A log pi.

    The weight is capped, the gradient never is: every token keeps its slope. ARLArena runs the
    band [0, 1.2], so low = 1.
    """

    low: float = 1.0
    high: float = 0.2

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        weight_BT = log_ratio_BT.exp().clamp(1 - self.low, 1 + self.high)
        return _fixed_weight(weight_BT, log_ratio_BT) * adv_BT


@dataclass(frozen=True)
class SoftGate:
    """SAPO (2511.20347): f(w) A with f(w) = (4 / tau) sigmoid(tau (w - 1)), so that f'(1) = 1.

    A temperature for A > 0 and another for the rest: the larger, the sooner the gate closes.
    """

    tau_positive: float = 1.0
    tau_negative: float = 1.05

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        tau_BT = torch.where(adv_BT > 0, self.tau_positive, self.tau_negative).to(log_ratio_BT)
        return 4 / tau_BT * torch.sigmoid(tau_BT * (log_ratio_BT.exp() - 1)) * adv_BT


@dataclass(frozen=True)
class SequenceGate:
    """VESPO (2602.10693): sg(phi(W)) A log pi, phi(W) = W^c1 exp(c2 (1 - W)), W = prod_t w_t.

    (c1, c2) is (2, 3) for A >= 0 and (3, 2) for A < 0. The sequence weight is not normalised by
    the length: that is the point of the method. log W is bounded as in its authors' code.
    """

    positive: tuple[float, float] = (2.0, 3.0)
    negative: tuple[float, float] = (3.0, 2.0)

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        log_weight_B1 = (log_ratio_BT * mask_BT).sum(1, keepdim=True).clamp(-18.42, 20)
        power, decay = (
            torch.where(adv_BT >= 0, positive, negative).to(log_ratio_BT)
            for positive, negative in zip(self.positive, self.negative, strict=True)
        )
        phi_BT = (power * log_weight_B1 + decay * (1 - log_weight_B1.exp())).exp()
        return _fixed_weight(phi_BT, log_ratio_BT) * adv_BT


@dataclass(frozen=True)
class PerSequence:
    """GSPO (2507.18071): the inner clip on s_i = exp(mean_t log w_t) instead of on each w_t.

    The GSPO-token form: each token keeps its own log-prob's gradient and takes its row's value,
    so the slope of a token is that of the inner clip at s_i.
    """

    inner: Clip = field(default_factory=lambda: HardClip(3e-3, 4e-3))

    def __post_init__(self) -> None:
        if isinstance(self.inner, (PerSequence, SequenceGate)):
            raise ValueError(
                f"PerSequence({self.inner!r}): the inner clip already works on whole sequences, "
                "so there is nothing left to pool; use it alone"
            )
        if isinstance(self.inner, SecondMoment):
            raise ValueError(
                "PerSequence(SecondMoment(...)): all tokens of a pooled sequence have one ratio, "
                "so there is no worst token to trim; use either of the two"
            )

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        length_B1 = mask_BT.sum(1, keepdim=True).clamp(min=1)
        mean_B1 = (log_ratio_BT.detach() * mask_BT).sum(1, keepdim=True) / length_B1
        return self.inner(mean_B1 + log_ratio_BT - log_ratio_BT.detach(), adv_BT, mask_BT)


@dataclass(frozen=True)
class SequenceMask:
    """The inner clip, less the responses with A < 0 that the policy has already left behind.

    A row counts iff A_i >= 0 or mean_t(-log w_t) <= delta (DeepSeek-V3.2 2512.02556; ARLArena's
    rescue of CISPO and SAPO, delta from its scripts). The weights stay those of the whole
    mini-batch, as the paper writes it. ARLArena's code also takes the dropped tokens out of the
    denominator; that is not offered, since the factor is unknown until every micro-batch has had
    its forward pass, and it only rescales the step.
    """

    inner: Clip = field(default_factory=HardClip)
    delta: float = 3e-3

    def __post_init__(self) -> None:
        if isinstance(self.inner, SequenceMask):
            raise ValueError("SequenceMask(SequenceMask(...)): the smaller delta alone is the same")

    def kept_B(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """True for the rows that stay in the loss."""
        length_B = mask_BT.sum(1).clamp(min=1)
        drift_B = -(log_ratio_BT.detach() * mask_BT).sum(1) / length_B
        return ((adv_BT * mask_BT).sum(1) >= 0) | (drift_B <= self.delta)

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        kept_B1 = self.kept_B(log_ratio_BT, adv_BT, mask_BT)[:, None]
        return torch.where(kept_B1, self.inner(log_ratio_BT, adv_BT, mask_BT), 0.0)


@dataclass(frozen=True)
class SecondMoment:
    """M2PO (2510.01161): w A, less the worst tokens until the mean of (log w)^2 is within `limit`.

    Only tokens whose ratio has moved the way their advantage pushes it (A > 0 and w > 1, or A < 0
    and w < 1) count and may be trimmed. The paper holds the mean over the mini-batch to the
    limit, here every row's own is held to it: then the mini-batch's is too, and micro-batches add
    up. `by_row=False` takes the tokens of one call together, which is the paper's rule when a
    mini-batch is one micro-batch.
    """

    limit: float = 0.04
    by_row: bool = True

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        square_BT = log_ratio_BT.detach().square()
        pushed_BT = mask_BT & (log_ratio_BT.detach() * adv_BT > 0)
        if not self.by_row:
            square_BT, pushed_BT = square_BT.reshape(1, -1), pushed_BT.reshape(1, -1)
        ranked_BT, order_BT = square_BT.masked_fill(~pushed_BT, torch.inf).sort(dim=1)
        place_T = torch.arange(1, ranked_BT.shape[1] + 1, device=ranked_BT.device)
        within_BT = ranked_BT.cumsum(1) / place_T <= self.limit
        kept_BT = torch.empty_like(within_BT).scatter_(1, order_BT, within_BT) | ~pushed_BT
        kept_BT = kept_BT.reshape(mask_BT.shape)
        return torch.where(kept_BT, log_ratio_BT.exp() * adv_BT, 0.0)


@dataclass(frozen=True)
class Bounded:
    """The inner clip with log w held to +-bound before any exp: ARLArena's code, not its paper."""

    inner: Clip = field(default_factory=HardClip)
    bound: float = 20.0

    def __call__(self, log_ratio_BT: Tensor, adv_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return self.inner(log_ratio_BT.clamp(-self.bound, self.bound), adv_BT, mask_BT)


def _fixed_weight(weight_BT: Tensor, log_ratio_BT: Tensor) -> Tensor:
    """Value weight, slope weight in log_ratio: the stop-gradient weight times log pi, centred."""
    return weight_BT.detach() * (1 + log_ratio_BT - log_ratio_BT.detach())


CLIPS: dict[str, Callable[..., Clip]] = {
    "hard_clip": HardClip,
    "clipped_weight": ClippedWeight,
    "soft_gate": SoftGate,
    "sequence_gate": SequenceGate,
    "per_sequence": PerSequence,
    "sequence_mask": SequenceMask,
    "second_moment": SecondMoment,
    "bounded": Bounded,
}
