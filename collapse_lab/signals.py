"""The vocabulary: every canonical signal, what it means and how a detector should look at it.

The same name means different things in different frameworks (`kl` is policy against reference in
TRL, `ppo_kl` is new against old policy, `rollout_corr/kl` is trainer against sampler), so a
canonical name always says which pair of distributions it compares. Detectors, axes, docs and
readers all read this table; a signal is added here in one line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Family = Literal[
    "reward", "policy", "ratio", "mismatch", "optimiser", "credit", "length", "async", "time"
]
Transform = Literal["log", "logit", "identity"]
Direction = Literal["up", "down", "both", "none"]
"""Which way is bad; `none` is recorded and drawn but never judged."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One row of the vocabulary.

    `pair` names the two distributions a divergence or ratio compares, else "". `transform` is the
    scale on which healthy variation is about even: log for positive heavy tails, logit for
    shares. `constant` says that a run may hold it at one value by construction (clip fractions on
    policy), which means unavailable, not healthy.
    """

    name: str
    family: Family
    transform: Transform
    bad: Direction
    unit: str
    meaning: str
    pair: str = ""
    constant: bool = False
    zero: Literal["event", "value"] = "event"
    """On a log scale: is zero an event of its own (no gradient, no spread) or the end of the tail?"""
    least: float = 0.0
    """On a log scale: below this it is as good as nothing (rounding, a policy that has not moved)."""


NEW_OLD = "new policy / old policy"
POLICY_REF = "policy / reference"
TRAIN_SAMPLER = "trainer / sampler"

# fmt: off
_TABLE = (
    Signal("reward/mean", "reward", "identity", "down", "reward", "mean task reward of the batch, before any KL penalty"),
    Signal("reward/penalised_mean", "reward", "identity", "none", "reward", "mean reward after the KL penalty"),
    Signal("reward/std", "reward", "log", "down", "reward", "spread of the reward over the batch"),
    Signal("reward/max", "reward", "identity", "none", "reward", "largest reward of the batch"),
    Signal("reward/min", "reward", "identity", "none", "reward", "smallest reward of the batch"),
    Signal("reward/success_rate", "reward", "logit", "down", "share", "share of rollouts that solve the task"),
    Signal("reward/accuracy", "reward", "identity", "down", "reward", "mean reward for right answers, where others are paid for too"),
    Signal("reward/format", "reward", "identity", "down", "reward", "mean reward for a well-formed answer"),
    Signal("reward/group_std", "credit", "log", "down", "reward", "mean spread of the reward within a group"),
    Signal("reward/zero_std_frac", "credit", "logit", "up", "share", "share of groups whose rewards are all equal: no gradient", constant=True),
    Signal("credit/advantage_mean", "credit", "identity", "none", "advantage", "mean advantage", constant=True),
    Signal("credit/advantage_max", "credit", "log", "none", "advantage", "largest advantage"),
    Signal("credit/advantage_min", "credit", "identity", "none", "advantage", "smallest advantage"),
    Signal("credit/advantage_std", "credit", "log", "none", "advantage", "spread of the advantages", constant=True),
    Signal("credit/return_mean", "credit", "identity", "none", "return", "mean return"),
    Signal("credit/filter_pass_frac", "credit", "logit", "down", "share", "share of groups that dynamic filtering keeps", constant=True),
    Signal("credit/filter_tries", "credit", "identity", "none", "batches", "batches sampled for the step by dynamic filtering", constant=True),
    Signal("credit/filler_frac", "credit", "logit", "none", "share", "share of the batch's groups that the filter had dropped and the fill took back", constant=True),
    Signal("credit/singleton_anchor_frac", "credit", "logit", "none", "share", "share of turns whose observation no other turn of the group shares (GiGPO)"),
    Signal("credit/value_explained_var", "credit", "identity", "none", "share", "share of the return's variance that the critic explains"),
    Signal("credit/value_loss", "credit", "log", "up", "loss", "critic loss"),
    Signal("credit/value_mean", "credit", "identity", "none", "return", "mean predicted value"),
    Signal("credit/value_clip_frac", "credit", "logit", "none", "share", "share of value updates clipped", constant=True),
    Signal("policy/entropy", "policy", "log", "both", "nats", "token-mean entropy of the policy"),
    Signal("policy/token_entropy_q10", "policy", "log", "none", "nats", "0.1 quantile of the token entropy, from the histogram"),
    Signal("policy/sure_frac", "policy", "logit", "none", "share", "share of near-deterministic tokens (entropy below 0.05 nats)"),
    Signal("policy/entropy_turn_0", "policy", "log", "none", "nats", "token-mean entropy in the first turn"),
    Signal("policy/entropy_turn_1", "policy", "log", "none", "nats", "token-mean entropy in the second turn"),
    Signal("policy/entropy_turn_2", "policy", "log", "none", "nats", "token-mean entropy in turns 2 and 3, counted from 0"),
    Signal("policy/entropy_turn_4", "policy", "log", "none", "nats", "token-mean entropy in turns 4 to 7, counted from 0"),
    Signal("policy/entropy_turn_8", "policy", "log", "none", "nats", "token-mean entropy from turn 8 on, counted from 0"),
    Signal("policy/logp_advantage_cov", "policy", "identity", "none", "nats", "covariance of log-prob and advantage over tokens; entropy falls in its proportion"),
    Signal("policy/differential_entropy", "policy", "identity", "both", "nats", "entropy of a continuous-action policy; may be negative"),
    Signal("policy/entropy_loss", "policy", "identity", "none", "loss", "entropy bonus as a loss term (minus the entropy)"),
    Signal("policy/action_std", "policy", "log", "none", "action", "standard deviation of a Gaussian policy"),
    Signal("policy/valid_frac", "policy", "logit", "down", "share", "share of answers in the required format"),
    Signal("policy/format_invalid_frac", "policy", "logit", "none", "share", "share of answers that break the required format", constant=True),
    Signal("policy/action_invalid_frac", "policy", "logit", "none", "share", "share of answers in the right format whose action is not admissible", constant=True),
    Signal("policy/repetition_frac", "policy", "logit", "up", "share", "share of answers that repeat themselves"),
    Signal("policy/repeated_gram_frac", "policy", "logit", "none", "share", "share of 4-grams that occurred before in their answer", constant=True),
    Signal("policy/distinct_action_frac", "policy", "logit", "none", "share", "share of turns whose action is new in its episode", constant=True),
    Signal("policy/turns_mean", "policy", "log", "none", "turns", "mean turns of an episode", constant=True),
    Signal("policy/tool_failure_frac", "policy", "logit", "up", "share", "share of tool calls that fail", constant=True),
    Signal("policy/tool_call_mean", "policy", "log", "none", "calls", "mean tool calls of an episode", constant=True),
    Signal("kl/ref", "policy", "log", "up", "nats", "divergence from the reference policy", POLICY_REF, constant=True, least=1e-4),
    Signal("kl/ref_share_neg_low", "policy", "logit", "none", "share", "share of the reference divergence on tokens with negative advantage and ratio < 1", POLICY_REF, constant=True),
    Signal("kl/ref_share_neg_high", "policy", "logit", "none", "share", "share of the reference divergence on tokens with negative advantage and ratio > 1", POLICY_REF, constant=True),
    Signal("kl/ref_share_pos_low", "policy", "logit", "none", "share", "share of the reference divergence on tokens with positive advantage and ratio < 1", POLICY_REF, constant=True),
    Signal("kl/ref_share_pos_high", "policy", "logit", "none", "share", "share of the reference divergence on tokens with positive advantage and ratio > 1", POLICY_REF, constant=True),
    Signal("kl/ref_coef", "optimiser", "log", "none", "1", "coefficient of the reference KL", constant=True),
    Signal("kl/old", "ratio", "log", "up", "nats", "divergence of the updated policy from the one that made the data", NEW_OLD, constant=True, least=1e-5),
    Signal("kl/old_max", "ratio", "log", "none", "nats", "kl/old of the mini-batch where it is largest", NEW_OLD, constant=True),
    Signal("kl/old_last", "ratio", "log", "none", "nats", "kl/old of the last mini-batch", NEW_OLD, constant=True),
    Signal("kl/old_share_neg_low", "ratio", "logit", "none", "share", "share of kl/old on tokens with negative advantage and ratio < 1", NEW_OLD, constant=True),
    Signal("kl/old_share_neg_high", "ratio", "logit", "none", "share", "share of kl/old on tokens with negative advantage and ratio > 1", NEW_OLD, constant=True),
    Signal("kl/old_share_pos_low", "ratio", "logit", "none", "share", "share of kl/old on tokens with positive advantage and ratio < 1", NEW_OLD, constant=True),
    Signal("kl/old_share_pos_high", "ratio", "logit", "none", "share", "share of kl/old on tokens with positive advantage and ratio > 1", NEW_OLD, constant=True),
    Signal("ratio/mean", "ratio", "log", "both", "ratio", "mean importance ratio", NEW_OLD, constant=True, zero="value"),
    Signal("ratio/max", "ratio", "log", "up", "ratio", "largest importance ratio", NEW_OLD, constant=True, zero="value"),
    Signal("ratio/max_last", "ratio", "log", "none", "ratio", "largest importance ratio of the last mini-batch", NEW_OLD, constant=True, zero="value"),
    Signal("ratio/min", "ratio", "log", "down", "ratio", "smallest importance ratio", NEW_OLD, constant=True, zero="value"),
    Signal("ratio/log_q01", "ratio", "identity", "none", "nats", "0.01 quantile of the log-ratio, from the histogram", NEW_OLD, constant=True),
    Signal("ratio/log_q50", "ratio", "identity", "none", "nats", "median of the log-ratio, from the histogram", NEW_OLD, constant=True),
    Signal("ratio/log_q99", "ratio", "identity", "none", "nats", "0.99 quantile of the log-ratio, from the histogram", NEW_OLD, constant=True),
    Signal("ratio/sequence_log_q01", "ratio", "identity", "none", "nats", "0.01 quantile of the log-ratio summed over a response, from the histogram", NEW_OLD, constant=True),
    Signal("ratio/sequence_log_q50", "ratio", "identity", "none", "nats", "median of the log-ratio summed over a response, from the histogram", NEW_OLD, constant=True),
    Signal("ratio/sequence_log_q99", "ratio", "identity", "none", "nats", "0.99 quantile of the log-ratio summed over a response, from the histogram", NEW_OLD, constant=True),
    Signal("ratio/m2", "ratio", "log", "up", "1", "mean squared log-ratio", NEW_OLD, constant=True),
    Signal("ratio/m2_last", "ratio", "log", "none", "1", "mean squared log-ratio of the last mini-batch", NEW_OLD, constant=True),
    Signal("ratio/chi2", "ratio", "identity", "none", "1", "mean squared ratio less 1: chi-square divergence of new from old", NEW_OLD, constant=True),
    Signal("ratio/ess_frac", "ratio", "logit", "down", "share", "effective sample size of the importance weights over their number", NEW_OLD, constant=True),
    Signal("ratio/ess_frac_last", "ratio", "logit", "none", "share", "ratio/ess_frac of the last mini-batch", NEW_OLD, constant=True),
    Signal("ratio/sequence_ess_frac", "ratio", "logit", "down", "share", "effective sample size of whole responses' ratios over their number", NEW_OLD, constant=True),
    Signal("ratio/sequence_ess_frac_last", "ratio", "logit", "none", "share", "ratio/sequence_ess_frac of the last mini-batch", NEW_OLD, constant=True),
    Signal("ratio/khat", "ratio", "identity", "up", "shape", "Pareto shape of the ratio's upper tail; above 0.7 the weights are unreliable", NEW_OLD),
    Signal("ratio/khat_median", "ratio", "identity", "none", "shape", "median of ratio/khat over the last five steps", NEW_OLD),
    Signal("ratio/khat_last", "ratio", "identity", "none", "shape", "ratio/khat of the last mini-batch", NEW_OLD),
    Signal("ratio/sequence_khat", "ratio", "identity", "up", "shape", "Pareto shape of the upper tail of whole responses' ratios", NEW_OLD),
    Signal("ratio/sequence_khat_median", "ratio", "identity", "none", "shape", "median of ratio/sequence_khat over the last five steps", NEW_OLD),
    Signal("ratio/clip_frac", "ratio", "logit", "up", "share", "share of tokens whose ratio is clipped", NEW_OLD, constant=True),
    Signal("ratio/clip_frac_low", "ratio", "logit", "up", "share", "share of tokens clipped below", NEW_OLD, constant=True),
    Signal("ratio/clip_frac_high", "ratio", "logit", "up", "share", "share of tokens clipped above", NEW_OLD, constant=True),
    Signal("ratio/clip_gate", "ratio", "logit", "none", "share", "share of the unclipped gradient that the clip lets through; above 1 where it adds", NEW_OLD, constant=True),
    Signal("ratio/clip_gate_last", "ratio", "logit", "none", "share", "ratio/clip_gate of the last mini-batch", NEW_OLD, constant=True),
    Signal("ratio/out_low_frac", "ratio", "logit", "up", "share", "share of tokens with negative advantage and ratio below the band", NEW_OLD, constant=True),
    Signal("ratio/out_low_frac_last", "ratio", "logit", "none", "share", "ratio/out_low_frac of the last mini-batch", NEW_OLD, constant=True),
    Signal("ratio/out_high_frac", "ratio", "logit", "none", "share", "share of tokens with positive advantage and ratio above the band", NEW_OLD, constant=True),
    Signal("ratio/out_high_frac_last", "ratio", "logit", "none", "share", "ratio/out_high_frac of the last mini-batch", NEW_OLD, constant=True),
    Signal("ratio/sequence_mask_frac", "ratio", "logit", "none", "share", "share of responses that ARLArena's sequence mask would drop (A < 0, left behind by 0.003 nats a token)", NEW_OLD, constant=True),
    Signal("ratio/dual_clip_frac", "ratio", "logit", "up", "share", "share of tokens on the dual clip (A < 0, huge ratio)", NEW_OLD, constant=True),
    Signal("mismatch/is_mean", "mismatch", "log", "both", "ratio", "mean trainer/sampler importance ratio", TRAIN_SAMPLER, constant=True, zero="value"),
    Signal("mismatch/is_max", "mismatch", "log", "up", "ratio", "largest trainer/sampler importance ratio", TRAIN_SAMPLER, constant=True, zero="value"),
    Signal("mismatch/is_min", "mismatch", "log", "down", "ratio", "smallest trainer/sampler importance ratio", TRAIN_SAMPLER, constant=True, zero="value"),
    Signal("mismatch/is_std", "mismatch", "log", "up", "ratio", "spread of the trainer/sampler importance ratio", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/ess", "mismatch", "logit", "down", "share", "effective sample size of the trainer/sampler weights", TRAIN_SAMPLER, constant=True),
    Signal("mismatch/k1_kl", "mismatch", "identity", "both", "nats", "mean log-ratio of sampler to trainer (k1, signed)", TRAIN_SAMPLER),
    Signal("mismatch/k3_kl", "mismatch", "log", "up", "nats", "k3 estimate of the trainer/sampler divergence", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/rev_k3_kl", "mismatch", "log", "up", "nats", "k3 estimate in the other direction: heavy in the tail", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/absdiff_mean", "mismatch", "log", "up", "source unit", "mean absolute trainer/sampler difference of (log-)probability", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/absdiff_max", "mismatch", "log", "up", "source unit", "largest absolute trainer/sampler difference of (log-)probability", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/absdiff_std", "mismatch", "log", "up", "source unit", "spread of the trainer/sampler difference", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/pearson", "mismatch", "identity", "down", "correlation", "correlation of trainer and sampler probabilities", TRAIN_SAMPLER, constant=True),
    Signal("mismatch/chi2", "mismatch", "log", "up", "1", "chi-square divergence of trainer from sampler", TRAIN_SAMPLER, constant=True, least=1e-4),
    Signal("mismatch/extreme_frac", "mismatch", "logit", "up", "share", "share of tokens whose trainer and sampler probabilities differ by more than a factor of 2", TRAIN_SAMPLER, constant=True),
    Signal("mismatch/ppl_ratio", "mismatch", "log", "both", "ratio", "trainer perplexity over sampler perplexity", TRAIN_SAMPLER, constant=True),
    Signal("mismatch/masked_frac", "mismatch", "logit", "up", "share", "share of tokens or sequences masked for mismatch", TRAIN_SAMPLER, constant=True),
    Signal("optim/grad_norm", "optimiser", "log", "up", "norm", "gradient norm before clipping"),
    Signal("optim/grad_norm_max", "optimiser", "log", "none", "norm", "largest gradient norm of the step's mini-batches, before clipping"),
    Signal("optim/grad_norm_input", "optimiser", "log", "none", "norm", "gradient norm of what comes before the layers (embeddings), before clipping"),
    Signal("optim/grad_norm_early", "optimiser", "log", "none", "norm", "gradient norm of the first third of the layers, before clipping"),
    Signal("optim/grad_norm_middle", "optimiser", "log", "none", "norm", "gradient norm of the middle third of the layers, before clipping"),
    Signal("optim/grad_norm_late", "optimiser", "log", "none", "norm", "gradient norm of the last third of the layers, before clipping"),
    Signal("optim/grad_norm_output", "optimiser", "log", "none", "norm", "gradient norm of what comes after the layers (final norm, head), before clipping"),
    Signal("optim/grad_cosine", "optimiser", "identity", "none", "cosine", "cosine of the step's first gradient with that of the step before"),
    Signal("optim/update_ratio", "optimiser", "log", "none", "ratio", "norm of what the step changed in the weights over the norm of the weights"),
    Signal("optim/critic_grad_norm", "optimiser", "log", "up", "norm", "gradient norm of the critic before clipping"),
    Signal("optim/lr", "optimiser", "log", "none", "1", "learning rate", constant=True),
    Signal("loss/total", "optimiser", "identity", "none", "loss", "total loss; about zero by construction in policy gradients"),
    Signal("loss/pg", "optimiser", "identity", "none", "loss", "policy-gradient loss; about zero by construction"),
    Signal("length/mean", "length", "log", "both", "tokens", "mean response length", constant=True),
    Signal("length/max", "length", "log", "none", "tokens", "longest response", constant=True),
    Signal("length/min", "length", "log", "none", "tokens", "shortest response", constant=True),
    Signal("length/terminated_mean", "length", "log", "none", "tokens", "mean length of the responses that ended by themselves"),
    Signal("length/trunc_frac", "length", "logit", "up", "share", "share of responses cut at the length limit", constant=True),
    Signal("length/prompt_mean", "length", "log", "none", "tokens", "mean prompt length", constant=True),
    Signal("length/episode_mean", "length", "log", "none", "steps", "mean episode length in environment steps"),
    Signal("async/staleness", "async", "log", "up", "steps", "policy versions between sampling and training", constant=True),
    Signal("async/dropped", "async", "log", "up", "rollouts", "rollouts dropped for being too old", constant=True),
    Signal("eval/score", "reward", "identity", "none", "score", "held-out score"),
    Signal("eval/success_rate", "reward", "logit", "none", "share", "held-out success rate"),
    Signal("time/step", "time", "log", "none", "seconds", "wall time of the step"),
    Signal("time/rollouts", "time", "log", "none", "seconds", "wall time of sampling, the environment's turns included"),
    Signal("time/log_probs", "time", "log", "none", "seconds", "wall time of the old policy's log-probs, and of the reference's where they are timed together"),
    Signal("time/updates", "time", "log", "none", "seconds", "wall time of the policy's updates"),
    Signal("time/eval", "time", "log", "none", "seconds", "wall time of the held-out evaluation", constant=True),
    Signal("time/tokens", "time", "identity", "none", "tokens", "tokens seen so far"),
    Signal("arena/turns_played", "time", "identity", "none", "steps", "environment steps so far, those of groups that a filter dropped included"),
    Signal("time/epoch", "time", "identity", "none", "epochs", "epochs of the data seen so far"),
)
# fmt: on

SIGNALS: dict[str, Signal] = {signal.name: signal for signal in _TABLE}


@dataclass(frozen=True, slots=True)
class Bins:
    """The fixed bins of a histogram: shared, so that counts add up across ranks, steps and runs.

    One count more than edges: the first and last bin are open. A value on an edge is in the bin
    below it. `quantiles` are recorded beside it as values.
    """

    edges: tuple[float, ...]
    quantiles: tuple[float, ...]
    unit: str
    meaning: str


def _spaced(low: float, high: float, count: int, linear: float) -> tuple[float, ...]:
    """Edges evenly spaced within about +-`linear` of zero, and by a constant factor beyond."""
    first, last = math.asinh(low / linear), math.asinh(high / linear)
    return tuple(linear * math.sinh(first + (last - first) * k / (count - 1)) for k in range(count))


# fmt: off
HISTOGRAMS: dict[str, Bins] = {
    "ratio/log": Bins(_spaced(-20, 20, 128, 1e-3), (0.01, 0.5, 0.99), "nats", "log-ratio of a token"),
    "ratio/sequence_log": Bins(_spaced(-200, 200, 128, 1e-2), (0.01, 0.5, 0.99), "nats", "log-ratio summed over a response"),
    "policy/token_entropy": Bins(_spaced(0, 12, 64, 1e-2), (0.1,), "nats", "entropy of a token"),
}
# fmt: on


def known(name: str) -> bool:
    """Whether the vocabulary has this name; names it lacks are kept and listed as unmapped."""
    return name in SIGNALS
