"""The policy: a small Llama-shaped decoder over a task's own words.

The decoder is written out here because RL at this size is bound by overhead: prompts are
left-padded, so that responses of a batch start in one column, and the last block runs at the
columns whose output is asked for and nowhere else. `to_transformers` gives the same network as a
`LlamaForCausalLM`, whose outputs it equals (tested).

Shapes: B rows, S new columns, K columns in all, H heads, D width of a head, V words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from collapse_lab.trainers.tasks.base import Task, vocabulary_words

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

PAD, END = "<pad>", "<end>"
PAD_ID, END_ID = 0, 1
ROTARY_BASE = 10_000.0
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
        """Appends new columns (BHSD) of one layer; returns all of that layer's, BHKD."""
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
        self.gate_up = nn.Linear(size.width, 2 * size.inner, bias=False)
        self.down = nn.Linear(size.inner, size.width, bias=False)
        self.norm_attention = nn.RMSNorm(size.width, eps=NORM_EPSILON)
        self.norm_inner = nn.RMSNorm(size.width, eps=NORM_EPSILON)

    def forward(
        self, x_BSW: Tensor, turn: Turn, layer: int, keep: int, cache: Cache | None
    ) -> Tensor:
        """Output at the last `keep` columns; keys and values come from all of them."""
        rows, columns, width = x_BSW.shape
        qkv = self.qkv(self.norm_attention(x_BSW)).view(rows, columns, 3, self.heads, -1)
        query, key = turn.rotate(qkv[:, :, :2]).unbind(2)
        query, key = query[:, -keep:].transpose(1, 2), key.transpose(1, 2)
        value = qkv[:, :, 2].transpose(1, 2)
        if cache is not None:
            key, value = cache.extend(layer, key, value)
        mixed = F.scaled_dot_product_attention(query, key, value, turn.visible[:, :, -keep:])
        x = x_BSW[:, -keep:] + self.out(mixed.transpose(1, 2).reshape(rows, keep, width))
        gate, up = self.gate_up(self.norm_inner(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Turn:
    """What all blocks need to know about the columns that a call adds: angles and visibility."""

    def __init__(self, visible: Tensor, cos: Tensor, sin: Tensor) -> None:
        self.visible = visible
        """B1SK, True where a column may look."""
        self._cos, self._sin = cos, sin

    def rotate(self, x_BS2HD: Tensor) -> Tensor:
        """Rotary positions. They count from the left edge, padding included: only differences
        matter to attention, so a row's padding shifts nothing."""
        left, right = x_BS2HD.chunk(2, -1)
        return x_BS2HD * self._cos + torch.cat((-right, left), -1) * self._sin


class Policy(nn.Module):
    """Next-token logits over the words of one task."""

    _cos: Tensor
    _sin: Tensor

    def __init__(self, words: int, size: Size) -> None:
        super().__init__()
        self.size, self.num_words = size, words
        self.embed = nn.Embedding(words, size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.norm = nn.RMSNorm(size.width, eps=NORM_EPSILON)
        self.head = nn.Linear(size.width, words, bias=False)
        half = size.width // size.heads // 2
        angle = torch.arange(size.columns)[:, None] / ROTARY_BASE ** (torch.arange(half) / half)
        angle = torch.cat((angle, angle), -1)[:, None, None]  # column, query or key, head, D
        self.register_buffer("_cos", angle.cos(), persistent=False)
        self.register_buffer("_sin", angle.sin(), persistent=False)

    def forward(
        self, ids_BS: Tensor, mask_BK: Tensor, keep: int, cache: Cache | None = None
    ) -> Tensor:
        """Logits at the last `keep` of the new columns, (B, keep, V).

        `mask_BK` is False on padding; it covers the columns in the cache as well as the new ones.
        """
        start = cache.filled if cache is not None else 0
        columns, total = ids_BS.shape[1], mask_BK.shape[1]
        visible = mask_BK[:, None, None]
        if columns > 1:
            causal = torch.ones(columns, total, dtype=torch.bool).tril(start)
            # a padded query would see nothing at all, and the softmax of nothing is NaN
            own = torch.eye(columns, total, dtype=torch.bool)
            visible = (visible & causal) | own
        turn = Turn(visible, self._cos[start : start + columns], self._sin[start : start + columns])
        x = self.embed(ids_BS)
        for layer, block in enumerate(self.blocks):
            last = layer == self.size.layers - 1
            x = block(x, turn, layer, keep if last else columns, cache)
        if cache is not None:
            cache.filled += columns
        return self.head(self.norm(x))

    def token_statistics(
        self, prompt_ids_BP: Tensor, prompt_mask_BP: Tensor, response_ids_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-prob of each response token and entropy of the choice it was, both BT, in nats."""
        ids = torch.cat((prompt_ids_BP, response_ids_BT[:, :-1]), 1)
        # padding at the end is seen only by padding, so that only the prompt's is masked
        seen = torch.ones_like(response_ids_BT[:, :-1], dtype=torch.bool)
        logits = self(ids, torch.cat((prompt_mask_BP, seen), 1), keep=response_ids_BT.shape[1])
        logp_BTV = logits.log_softmax(-1)
        logp_BT = logp_BTV.gather(-1, response_ids_BT[..., None]).squeeze(-1)
        return logp_BT, -(logp_BTV.exp() * logp_BTV).sum(-1)


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
        rope_theta=ROTARY_BASE,
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
        gate, up = own[ours + "gate_up.weight"].chunk(2)
        weights |= {
            theirs + "self_attn.q_proj.weight": query,
            theirs + "self_attn.k_proj.weight": key,
            theirs + "self_attn.v_proj.weight": value,
            theirs + "self_attn.o_proj.weight": own[ours + "out.weight"],
            theirs + "mlp.gate_proj.weight": gate,
            theirs + "mlp.up_proj.weight": up,
            theirs + "mlp.down_proj.weight": own[ours + "down.weight"],
            theirs + "input_layernorm.weight": own[ours + "norm_attention.weight"],
            theirs + "post_attention_layernorm.weight": own[ours + "norm_inner.weight"],
        }
    return weights
