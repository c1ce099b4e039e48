"""Makes the recorded runs of `collapse-lab demo`: an RL training that collapses, one that holds.

    python data/make_demo_run.py --out data/demo/collapse
    python data/make_demo_run.py --bonus-max 0.05 --out data/demo/healthy

A real training, small enough for one CPU core and a few minutes. Task: answer six digits with the
same digits sorted, between two brackets, then stop. Reward 1 for the right answer, 0 for a wrong
one, -0.1 for one that is not of that form. A two-layer decoder (about 0.1 M parameters) imitates
noisy demonstrations until about a third of its samples are right, then learns by group-relative
policy gradients with no KL term; each batch serves 16 small updates, and tokens pass SAPO's soft
gate (arXiv 2511.20347).

What ends one of the runs is a common remedy: an entropy bonus under a controller. While entropy
is below its target the coefficient rises by the same amount every step. A good policy has little
entropy, so the coefficient keeps rising, until the bonus outweighs the reward; by the time the
controller lowers it again there is no right answer left to learn from. In the other run the
coefficient may not exceed `--bonus-max`. Both have one seed.

Shapes: B rows, P prompt tokens, T response tokens. `log_ratio` is new minus old.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from collapse_lab.records import Record

DIGITS, OPEN, CLOSE, STOP, ASK, PAD = 10, 10, 11, 12, 13, 14
VOCABULARY = 15
LENGTH = 6
PROMPT = LENGTH + 1
RESPONSE = LENGTH + 6
"""Longest response; the right one has LENGTH + 3 tokens."""


class Policy(nn.Module):
    """Decoder with learned positions: tokens (B, S) -> logits (B, S, VOCABULARY)."""

    def __init__(self, width: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.place = nn.Embedding(PROMPT + RESPONSE, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        size = tokens.shape[1]
        hidden = self.token(tokens) + self.place(torch.arange(size))
        causal = nn.Transformer.generate_square_subsequent_mask(size)
        for block in self.blocks:
            hidden = block(hidden, src_mask=causal, is_causal=True)
        return self.head(self.norm(hidden))

    def log_probs(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability of each response token (B, T), and the entropy where it was drawn."""
        log_p = F.log_softmax(self(tokens)[:, PROMPT - 1 : -1], dim=-1)
        taken = log_p.gather(-1, tokens[:, PROMPT:, None])[..., 0]
        return taken, -(log_p.exp() * log_p).sum(-1)


def questions(rows: int) -> Tensor:
    """Random prompts (B, P)."""
    return F.pad(torch.randint(DIGITS, (rows, LENGTH)), (0, 1), value=ASK)


def answers(prompts: Tensor) -> Tensor:
    """The right responses, padded (B, T)."""
    ordered = F.pad(prompts[:, :LENGTH].sort(dim=1).values, (1, 0), value=OPEN)
    closed = F.pad(F.pad(ordered, (0, 1), value=CLOSE), (0, 1), value=STOP)
    return F.pad(closed, (0, RESPONSE - closed.shape[1]), value=PAD)


def response_mask(responses: Tensor) -> Tensor:
    """True up to and with the first STOP (B, T)."""
    stopped = (responses == STOP).cumsum(1)
    return (stopped == 0) | ((stopped == 1) & (responses == STOP))


@torch.no_grad()
def sample(policy: Policy, prompts: Tensor) -> Tensor:
    """Whole sequences (B, P + T) drawn at temperature 1; PAD after STOP."""
    tokens, done = prompts, torch.zeros(len(prompts), dtype=torch.bool)
    for _ in range(RESPONSE):
        drawn = torch.multinomial(F.softmax(policy(tokens)[:, -1], dim=-1), 1)[:, 0]
        drawn = torch.where(done, PAD, drawn)
        done |= drawn == STOP
        tokens = torch.cat([tokens, drawn[:, None]], dim=1)
    return tokens


def judge(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Reward, right (bool) and well-formed (bool) of each row (B)."""
    prompts, responses = tokens[:, :PROMPT], tokens[:, PROMPT:]
    right = (responses == answers(prompts)).all(1)
    inside = (responses[:, 1 : LENGTH + 1] < DIGITS).all(1)
    frame = responses[:, [0, LENGTH + 1, LENGTH + 2]] == torch.tensor([OPEN, CLOSE, STOP])
    valid = inside & frame.all(1)
    return right.float() - 0.1 * (~valid).float(), right, valid


def imitate(policy: Policy, enough: float) -> None:
    """Clones demonstrations (15 % random digits, 6 % broken) until `enough` samples are right."""
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3)
    for update in range(10_000):
        prompts = questions(256)
        shown = answers(prompts)
        shown = torch.where(
            (torch.rand(shown.shape) < 0.15) & (shown < DIGITS),
            torch.randint(DIGITS, shown.shape),
            shown,
        )
        broken = torch.rand(len(shown)) < 0.06
        shown[broken, LENGTH + 1] = torch.randint(DIGITS, (int(broken.sum()),))
        log_p, _ = policy.log_probs(torch.cat([prompts, shown], dim=1))
        loss = -log_p[response_mask(shown)].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if update % 25 == 0:
            success = judge(sample(policy, questions(512)))[1].float().mean().item()
            if success >= enough:
                print(f"imitation: {update} updates, {success:.2f} of samples right", flush=True)
                return
    raise SystemExit(f"imitation did not reach {enough} of samples right")


def soft_gate(log_ratio: Tensor, adv: Tensor) -> tuple[Tensor, Tensor]:
    """SAPO: what an update climbs, a token (B, T), and the tokens it holds back by half or more."""
    tau = torch.where(adv > 0, 1.0, 1.05)
    gate = torch.sigmoid(tau * (log_ratio.exp() - 1))
    return 4 / tau * gate * adv, 4 * gate * (1 - gate) < 0.5


def k3(log_ratio: Tensor) -> Tensor:
    """Unbiased, never negative estimate of KL(old || new) at tokens drawn from old."""
    return log_ratio.exp() - 1 - log_ratio


class Training:
    """One RL training; `step` returns the numbers of one step under canonical names."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(arguments.seed)
        self.arguments = arguments
        self.policy, self.reference = Policy(), Policy()
        imitate(self.policy, arguments.start)
        self.reference.load_state_dict(self.policy.state_dict())
        self.optimizer = torch.optim.AdamW(self.policy.parameters(), lr=arguments.lr)
        self.steps = 0
        self.bonus = 0.0

    def step(self) -> dict[str, float]:
        """Samples a batch, updates on it, and measures both."""
        a = self.arguments
        self.steps += 1
        lr = a.lr * min(1.0, self.steps / a.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        tokens = sample(self.policy, questions(a.prompts).repeat_interleave(a.group, dim=0))
        reward, right, valid = judge(tokens)
        by_group = reward.view(a.prompts, a.group)
        spread = by_group.std(1, unbiased=False)
        centred = by_group - by_group.mean(1, keepdim=True)
        advantage = (centred / (spread[:, None] + 1e-4)).flatten()
        mask = response_mask(tokens[:, PROMPT:])
        with torch.no_grad():
            old, entropy = self.policy.log_probs(tokens)
            reference, _ = self.reference.log_probs(tokens)
        wanted = entropy[mask].mean().item() < a.entropy_target
        self.bonus += a.bonus_rate if wanted else -a.bonus_rate
        self.bonus = min(max(self.bonus, 0.0), a.bonus_max)
        lengths = mask.sum(1).float()
        values = {
            "reward/mean": reward.mean(),
            "reward/std": reward.std(),
            "reward/success_rate": right.float().mean(),
            "reward/group_std": spread.mean(),
            "reward/zero_std_frac": (spread == 0).float().mean(),
            "policy/entropy": entropy[mask].mean(),
            "policy/valid_frac": valid.float().mean(),
            "kl/ref": k3((reference - old)[mask]).mean(),
            "length/mean": lengths.mean(),
            "length/trunc_frac": (tokens[:, PROMPT:] != STOP).all(1).float().mean(),
            "optim/lr": torch.tensor(lr),
            "entropy_coef": torch.tensor(self.bonus),
        }
        updates = [
            self.update(tokens[rows], old[rows], advantage[rows], mask[rows])
            for _ in range(a.epochs)
            for rows in torch.randperm(len(tokens)).split(len(tokens) // a.updates)
        ]
        for name in updates[0]:
            over = torch.stack([update[name] for update in updates])
            ends = {"ratio/max": over.max, "ratio/min": over.min, "ratio/ess_frac": over.min}
            values[name] = ends.get(name, over.mean)()
        return {name: value.item() for name, value in values.items()}

    def update(
        self, tokens: Tensor, old: Tensor, advantage: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        new, entropy = self.policy.log_probs(tokens)
        log_ratio = torch.where(mask, new - old, 0.0)
        climbed, held = soft_gate(log_ratio, advantage[:, None].expand_as(log_ratio))
        loss = -climbed[mask].mean() - self.bonus * entropy[mask].mean()
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        self.optimizer.step()
        ratio, weight = log_ratio.detach().exp(), log_ratio.detach().sum(1).exp()
        return {
            "loss/pg": loss.detach(),
            "optim/grad_norm": norm.detach(),
            "kl/old": k3(log_ratio.detach()[mask]).mean(),
            "ratio/mean": ratio[mask].mean(),
            "ratio/max": ratio[mask].max(),
            "ratio/min": ratio[mask].min(),
            "ratio/ess_frac": weight.sum() ** 2 / (weight**2).sum() / len(weight),
            "ratio/clip_frac": held[mask].float().mean(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lr", type=float, default=1e-4, help="after the warm-up")
    parser.add_argument("--warmup", type=int, default=20, help="steps of linear warm-up")
    parser.add_argument("--entropy-target", type=float, default=0.5, help="nats a token")
    parser.add_argument(
        "--bonus-rate", type=float, default=0.003, help="of the coefficient, a step"
    )
    parser.add_argument("--bonus-max", type=float, default=1.0)
    parser.add_argument("--start", type=float, default=0.3, help="share right after imitation")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--group", type=int, default=8, help="responses a prompt")
    parser.add_argument("--updates", type=int, default=8, help="mini-batches an epoch")
    parser.add_argument("--epochs", type=int, default=2, help="times each batch is reused")
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    config = {**vars(arguments), "out": arguments.out.name}
    training = Training(arguments)
    with (arguments.out / "records.jsonl").open("w") as lines:
        for step in range(1, arguments.steps + 1):
            values = training.step()
            lines.write(Record(step, time.time(), values).to_json() + "\n")
            if step % 10 == 0:
                shown = ("reward/mean", "policy/entropy", "optim/grad_norm", "kl/old", "ratio/max")
                print(step, *(f"{name} {values[name]:.3g}" for name in shown), flush=True)
    meta = {
        "framework": "collapse-lab",
        "state": "finished",
        "planned_steps": arguments.steps,
        "config": config,
        "torch": torch.__version__,
    }
    (arguments.out / "run.json").write_text(json.dumps(meta, indent=1) + "\n")


if __name__ == "__main__":
    main()
