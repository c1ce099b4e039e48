"""The policy made here: a small Llama-shaped decoder over a task's own words.

The decoder is written out here because RL at this size is bound by overhead: prompts are
left-padded, so that responses of a batch start in one column, and the last block runs at the
columns whose output is asked for and nowhere else. `to_transformers` gives the same network as a
`LlamaForCausalLM`, whose outputs it equals (tested).

Shapes: B rows, S new columns, K columns in all, H heads, D width of a head, V words.
"""

# torch leaves some of its own methods (tolist, backward, step) without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from collapse_lab.trainers.language_model import LanguageModel
from collapse_lab.trainers.tasks.base import Task, vocabulary_words

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

PAD, END = "<pad>", "<end>"
PAD_ID, END_ID = 0, 1
ROTARY_BASE = 10_000.0
"""The default of a LlamaConfig."""
NORM_EPSILON = 1e-6


class Vocabulary:
    """Words to ids and back. Closed: a word that it lacks is a KeyError."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = (PAD, END, *words)
        self._ids = {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """Ids of whitespace-separated words."""
        return [self._ids[word] for word in text.split()]

    def decode(self, ids: Iterable[int]) -> str:
        """The words before the end token; a pad among them is a word like any other."""
        return " ".join(self.words[i] for i in takewhile(lambda i: i != END_ID, ids))

    def response_limit(self, task: type[Task]) -> int:
        return task.response_limit


@dataclass(frozen=True)
class Size:
    """Dimensions of a decoder; about 0.1 million parameters as they stand."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    inner: int = 176
    columns: int = 64


class Cache:
    """Keys and values of the columns so far, for `rows` rows of at most `columns` columns."""

    def __init__(self, size: Size, rows: int, columns: int) -> None:
        shape = (size.layers, rows, size.heads, columns, size.width // size.heads)
        self.keys, self.values = torch.empty(shape), torch.empty(shape)
        self.filled = 0

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Puts new columns (BHSD) of one layer after `filled`; returns all of its, BHKD."""
        end = self.filled + key.shape[2]
        self.keys[layer, :, :, self.filled : end] = key
        self.values[layer, :, :, self.filled : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def rows(self, index_B: Tensor) -> None:
        """Keeps these rows, in this order; a row may be taken several times."""
        self.keys, self.values = self.keys[:, index_B], self.values[:, index_B]


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each on a normed input and added to it."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=False)
        self.out = nn.Linear(size.width, size.width, bias=False)
        self.gate = nn.Linear(size.width, size.inner, bias=False)
        self.up = nn.Linear(size.width, size.inner, bias=False)
        self.down = nn.Linear(size.inner, size.width, bias=False)
        self.norm_attention = nn.RMSNorm(size.width, eps=NORM_EPSILON)
        self.norm_inner = nn.RMSNorm(size.width, eps=NORM_EPSILON)

    def forward(
        self,
        x_BSW: Tensor,
        turn_SD: Tensor,
        hidden: Tensor,
        keep: int,
        layer: int,
        cache: Cache | None,
    ) -> Tensor:
        """Output at the last `keep` columns; keys and values come from all of them.

        `turn_SD` are the columns' rotations (complex, half the width of a head); `hidden`,
        broadcast to BHSK, is 0 where a column may look and -inf elsewhere.
        """
        rows, columns, width = x_BSW.shape
        qkv = self.qkv(self.norm_attention(x_BSW)).view(rows, columns, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).contiguous().unbind()
        query, key = rotated(query[:, :, -keep:], turn_SD[-keep:]), rotated(key, turn_SD)
        if cache is not None:
            key, value = cache.extend(layer, key, value)
        # written out: the fused kernel is slower at heads as small as these
        look = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + hidden[..., -keep:, :]
        mixed = (look.softmax(-1) @ value).transpose(1, 2).reshape(rows, keep, width)
        x = x_BSW[:, -keep:] + self.out(mixed)
        inner = self.norm_inner(x)
        return x + self.down(F.silu(self.gate(inner)) * self.up(inner))


def rotated(x_BHSD: Tensor, turn_SD: Tensor) -> Tensor:
    """Rotary positions: neighbouring coordinates are the two parts of a complex number.

    Positions count from the left edge, padding included: only differences matter to attention,
    so that a row's padding shifts nothing.
    """
    pairs = torch.view_as_complex(x_BHSD.view(*x_BHSD.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turn_SD).flatten(-2)


class Policy(LanguageModel):
    """Next-token logits over the words of one task."""

    end_ids = (END_ID,)
    rows_a_pass = 64  # the processor's cache holds them
    _turns: Tensor

    def __init__(self, words: int, size: Size) -> None:
        super().__init__()
        self.size, self.num_words = size, words
        self.embed = nn.Embedding(words, size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = nn.RMSNorm(size.width, eps=NORM_EPSILON)
        self.head = nn.Linear(size.width, words, bias=False)
        half = size.width // size.heads // 2
        angle = torch.arange(size.columns)[:, None] / ROTARY_BASE ** (torch.arange(half) / half)
        turns = torch.polar(torch.ones_like(angle), angle)
        self.register_buffer("_turns", turns, persistent=False)

    def codec(self, task: type[Task]) -> Vocabulary:
        return Vocabulary(vocabulary_words(task))

    def empty_cache(self, rows: int, columns: int) -> Cache:
        return Cache(self.size, rows, columns)

    def forward(
        self, ids_BS: Tensor, mask_BK: Tensor, keep: int, cache: Cache | None = None
    ) -> Tensor:
        start = cache.filled if cache is not None else 0
        columns, total = ids_BS.shape[1], mask_BK.shape[1]
        visible = mask_BK[:, None, None]
        if columns > 1:
            causal = torch.ones(columns, total, dtype=torch.bool).tril(start)
            # a padded query would see nothing at all, and the softmax of nothing is NaN
            own = torch.eye(columns, total, dtype=torch.bool)
            visible = (visible & causal) | own
        hidden = torch.zeros(visible.shape).masked_fill(~visible, -math.inf)
        turn = self._turns[start : start + columns]
        x = self.embed(ids_BS)
        for layer, block in enumerate(self.blocks):
            last = layer == self.size.layers - 1
            x = block(x, turn, hidden, keep if last else columns, layer, cache)
        if cache is not None:
            cache.filled += columns
        return self.head(self.norm(x))


def new_policy(task: type[Task], size: Size, seed: int) -> Policy:
    """An untrained policy for a task; its initial weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(len(Vocabulary(vocabulary_words(task))), size)


def left_padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask of prompts, (B, P) each, ending in one column."""
    width = max(map(len, rows))
    ids = torch.tensor([[PAD_ID] * (width - len(row)) + [*row] for row in rows])
    length_B = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(width) >= width - length_B[:, None]


def to_transformers(policy: Policy) -> LlamaForCausalLM:
    """The same network as a transformers model, with copies of the weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    size = policy.size
    config = LlamaConfig(
        vocab_size=policy.num_words,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=size.columns,
        rms_norm_eps=NORM_EPSILON,
        tie_word_embeddings=False,
        pad_token_id=PAD_ID,
        eos_token_id=END_ID,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.load_state_dict(_transformers_weights(policy))
    return model.eval()


def _transformers_weights(policy: Policy) -> dict[str, Tensor]:
    own = policy.state_dict()
    weights = {
        "model.embed_tokens.weight": own["embed.weight"],
        "model.norm.weight": own["norm.weight"],
        "lm_head.weight": own["head.weight"],
    }
    for layer in range(policy.size.layers):
        ours, theirs = f"blocks.{layer}.", f"model.layers.{layer}."
        query, key, value = own[ours + "qkv.weight"].chunk(3)
        weights |= {
            theirs + "self_attn.q_proj.weight": _halves_apart(query, policy.size),
            theirs + "self_attn.k_proj.weight": _halves_apart(key, policy.size),
            theirs + "self_attn.v_proj.weight": value,
            theirs + "self_attn.o_proj.weight": own[ours + "out.weight"],
            theirs + "mlp.gate_proj.weight": own[ours + "gate.weight"],
            theirs + "mlp.up_proj.weight": own[ours + "up.weight"],
            theirs + "mlp.down_proj.weight": own[ours + "down.weight"],
            theirs + "input_layernorm.weight": own[ours + "norm_attention.weight"],
            theirs + "post_attention_layernorm.weight": own[ours + "norm_inner.weight"],
        }
    return weights


def _halves_apart(weight: Tensor, size: Size) -> Tensor:
    """Ours has the two parts of a rotated pair side by side, theirs half a head apart."""
    pairs = weight.view(size.heads, -1, 2, size.width)
    return pairs.transpose(1, 2).reshape(size.width, size.width)
