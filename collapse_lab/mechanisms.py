"""How training goes wrong, and what to try: one table, each entry with where it comes from.

`detectors/naming.py` says which of these an alarm points at; the command line, alerts, reports and
the app show the same names and the same advice.
"""

from __future__ import annotations

from dataclasses import dataclass

ARLARENA = "ARLArena, arXiv 2602.21534"
DAPO = "DAPO, arXiv 2503.14476"
VERL_MISMATCH = "verl, docs/algo/rollout_corr.md"


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something to try, and the paper or documentation that says so."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Mechanism:
    """`key` stands in alarms, and in `run.json` where somebody made a run fail on purpose.
    `remedies` are in the order in which to try them."""

    key: str
    name: str
    meaning: str
    remedies: tuple[Remedy, ...]


# fmt: off
_TABLE = (
    Mechanism(
        "numerical", "numerical failure",
        "A number overflowed or a division by nothing happened, and what is not a number spreads through the weights.",
        (
            Remedy("clip the gradient's norm and skip updates whose norm is not finite", "verl, workers/engine: the update is skipped"),
            Remedy("clamp log-ratios before they are exponentiated", "verl issue 891; prime-rl pull request 2973"),
            Remedy("compute the output layer and its log-probs in float32", "MiniMax-M1, arXiv 2506.13585; ScaleRL, arXiv 2510.13786"),
        ),
    ),
    Mechanism(
        "reward_hacking", "reward hacking",
        "What is rewarded keeps growing while the task itself is solved less: the policy earns by something that was not meant.",
        (
            Remedy("read the best-paid rollouts and mend or remove what pays them", "Gao et al., arXiv 2210.10760"),
            Remedy("choose checkpoints by a held-out score that the policy cannot earn otherwise", "Gao et al., arXiv 2210.10760"),
            Remedy("hold the policy closer to the reference (a KL term)", "Gao et al., arXiv 2210.10760"),
        ),
    ),
    Mechanism(
        "staleness", "off-policy staleness",
        "The samples come from an older policy than the one that learns from them, and the ratio between the two is far from one.",
        (
            Remedy("fewer mini-batches or epochs for each batch of rollouts, less lag of the sampler", f"{ARLARENA}, Table 5"),
            Remedy("mask the tokens that carry the second moment of the log-ratio", "M2PO, arXiv 2510.01161"),
            Remedy("scale the learning rate by the root of the effective sample size", "VCPO, arXiv 2602.17616"),
        ),
    ),
    Mechanism(
        "mismatch", "mismatch of trainer and sampler",
        "The sampler gives other probabilities than those that the ratio starts from, by its precision, its kernels or weights that came late, so that every batch is off policy unnoticed.",
        (
            Remedy("truncated importance weights of trainer to sampler, by token or by sequence", f"{VERL_MISMATCH}; Yao et al., On the Rollout-Training Mismatch in Modern RL Systems"),
            Remedy("the same precision and the same weights on both sides: check the weight synchronisation, try float16", "arXiv 2510.26788"),
            Remedy("for mixtures of experts, replay the sampler's routing in the trainer", "R3, arXiv 2510.11370"),
        ),
    ),
    Mechanism(
        "tolerant_clip", "tolerant clip",
        "Tokens far outside of the band keep their gradient, and those of negative advantage that have become rare are pushed further down.",
        (
            Remedy("mask sequences of negative advantage that have become rare", f"{ARLARENA}, Table 4; DeepSeek-V3.2, arXiv 2512.02556"),
            Remedy("clip by sequence", "GSPO, arXiv 2507.18071; SAMPO in ARLArena, arXiv 2602.21534"),
            Remedy("a lower learning rate, which such a clip bears less of", "docs/arena.md"),
        ),
    ),
    Mechanism(
        "entropy_explosion", "entropy explosion",
        "The policy becomes ever less sure of its tokens until it writes noise.",
        (
            Remedy("lower the entropy bonus, or let its weight follow a target entropy", "Skywork-OR1, arXiv 2505.22312"),
            Remedy("hold the policy to the reference (a KL term)", f"{ARLARENA}, Table 2"),
            Remedy("drop responses that hit the length limit from the loss", DAPO),
        ),
    ),
    Mechanism(
        "entropy_collapse", "entropy collapse",
        "The policy has become so sure that its samples of one task are all alike, and nothing is left to learn from.",
        (
            Remedy("raise the upper clip bound alone", f"Clip-Higher, {DAPO}"),
            Remedy("spare the tokens with the largest covariance of log-prob and advantage (Clip-Cov, KL-Cov)", "Cui et al., arXiv 2505.22617"),
            Remedy("an entropy bonus whose weight follows a target, a higher sampling temperature", "Skywork-OR1, arXiv 2505.22312"),
        ),
    ),
    Mechanism(
        "format", "format collapse",
        "Answers no longer have the form that is asked for, so that they earn nothing whatever they say.",
        (
            Remedy("a penalty for invalid answers, and clone the format before training", f"{ARLARENA}, Table 2"),
            Remedy("hold the policy to the reference (a KL term)", f"{ARLARENA}, Table 2"),
            Remedy("drop trajectories with an empty turn", "SimpleTIR, arXiv 2509.02479"),
        ),
    ),
    Mechanism(
        "length", "length runaway",
        "Responses grow or shrink for their own sake until they hit the limit or say nothing.",
        (
            Remedy("leave truncated responses out of the loss, punish length softly before the limit", f"Overlong Filtering, {DAPO}"),
            Remedy("sum over tokens by a constant, not by each response's length", "Dr. GRPO, arXiv 2503.20783"),
            Remedy("lower the learning rate as soon as the length surges", "arXiv 2602.01826"),
        ),
    ),
    Mechanism(
        "starvation", "starvation of informative groups",
        "In nearly all groups every rollout earns the same, so that there is no gradient but that of noise and penalties.",
        (
            Remedy("sample until enough groups have both good and bad rollouts", f"Dynamic Sampling, {DAPO}"),
            Remedy("larger groups, or tasks whose success is neither 0 nor 1", "RAGEN, arXiv 2504.20073"),
            Remedy("keep the groups with the largest spread of reward", "RAGEN-2, arXiv 2604.06268"),
        ),
    ),
    Mechanism(
        "learning_rate", "learning rate too high",
        "Every update moves the policy further than its samples can vouch for, whatever the clip does.",
        (
            Remedy("halve the learning rate, from the last healthy checkpoint", "docs/arena.md; arXiv 2602.01826"),
            Remedy("a longer warm-up that ends at a lower rate, then decay", "arXiv 2602.01826"),
            Remedy("clip the gradient's norm lower", "ZClip, arXiv 2504.02507"),
        ),
    ),
)
# fmt: on

MECHANISMS: dict[str, Mechanism] = {mechanism.key: mechanism for mechanism in _TABLE}


def mechanism(key: str) -> Mechanism:
    """The entry of this key; one that says nothing for a key of another version."""
    return MECHANISMS.get(key) or Mechanism(key, key, "", ())
