"""Any Hugging Face causal language model as the policy: its tokenizer, chat template and cache.

Trained whole in single precision, or through LoRA adapters; the reference is then the same model
without them. Nothing is cloned: every prompt tells what the task accepts and shows two turns.
"""

# transformers leaves many of its own methods without types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from collapse_lab.trainers.language_model import LanguageModel, Scorer
from collapse_lab.trainers.tasks.answers import MARKS, answer
from collapse_lab.trainers.tasks.base import Task, task_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

INSTRUCTIONS = (
    "You play a game, turn by turn. {rules} Answer every observation with a short thought and one "
    "action, in this form and nothing else: {form}"
)
SHOWN_TURNS = 2
"""Of the scripted expert, as an example: small models copy a form sooner than they read of it."""
TOKENS_A_WORD = 4
"""Room for the marks, of which a tokenizer makes three or four tokens each."""
MARK = re.compile(rf"\s*({'|'.join(MARKS)})\s*")

Message = dict[str, str]


class TextCodec:
    """Observations as chat messages, or as plain text where the tokenizer has no chat template."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        task: type[Task],
        end_ids: Sequence[int],
        response_tokens: int = 0,
    ) -> None:
        self.tokenizer = tokenizer
        self.end_ids = end_ids
        self.response_tokens = response_tokens
        form = answer("THOUGHT", "ACTION")
        self._instructions = INSTRUCTIONS.format(rules=task.rules, form=form)
        self._shown = list(_expert_turns(task))
        self._system_role = tokenizer.chat_template is not None and self._takes_system_role()

    def encode(self, text: str) -> list[int]:
        said = [part for turn in self._shown for part in turn]
        if self.tokenizer.chat_template is None:
            return self.tokenizer.encode("\n".join([self._instructions, *said, text, ""]))
        if self._system_role:
            return self._chat(self._instructions, [*said, text])
        said = [*said, text]
        return self._chat("", [f"{self._instructions}\n\n{said[0]}", *said[1:]])

    def decode(self, ids: Sequence[int]) -> str:
        """With one space around the marks, which models write close to words."""
        if ids and ids[-1] in self.end_ids:
            ids = ids[:-1]
        text = self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
        return " ".join(part for part in MARK.split(cast("str", text)) if part)

    def response_limit(self, task: type[Task]) -> int:
        return self.response_tokens or TOKENS_A_WORD * task.response_limit

    def _chat(self, system: str, said: Sequence[str]) -> list[int]:
        """`said` by user and assistant in turn, the user first and last."""
        messages: list[Message] = [{"role": "system", "content": system}] if system else []
        for place, text in enumerate(said):
            messages.append({"role": ("user", "assistant")[place % 2], "content": text})
        ids = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False
        )
        return cast("list[int]", ids)

    def _takes_system_role(self) -> bool:
        """Some templates raise at a system message."""
        from jinja2 import TemplateError

        try:
            self._chat(self._instructions, [""])
        except TemplateError:
            return False
        return True


def _expert_turns(task: type[Task]) -> Iterator[tuple[str, str]]:
    """Observation and answer of the first turns of an episode that no run trains on."""
    game = task()
    observation = game.reset(task_seed("train", 0))
    for _ in range(SHOWN_TURNS):
        response = answer(*game.expert())
        yield observation.text, response
        observation = game.step(response).observation


class _Cache:
    """The model's own cache, whatever its kind, once it has made one."""

    past: Any = None

    def rows(self, index_B: Tensor) -> None:
        self.past.reorder_cache(index_B)


class Pretrained(LanguageModel):
    """A transformers model with its tokenizer."""

    rows_a_pass = 8

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        lora: int = 0,
        response_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.lora = lora
        self.response_tokens = response_tokens
        self.end_ids = _end_ids(model, tokenizer)
        self._accepted = frozenset(inspect.signature(model.forward).parameters)
        # what transformers 5 calls it, whose 5.40 takes no other, and what it was called before
        self._past = "cache" if "cache" in self._accepted else "past_key_values"
        # dropout would make the trainer's log-probs others than the sampler's
        self.model: Any = (_with_adapters(model, lora) if lora else model).eval()

    def codec(self, task: type[Task]) -> TextCodec:
        return TextCodec(self.tokenizer, task, self.end_ids, self.response_tokens)

    def empty_cache(self, rows: int, columns: int) -> _Cache:
        return _Cache()

    def forward(
        self, ids_BS: Tensor, mask_BK: Tensor, keep: int, cache: _Cache | None = None
    ) -> Tensor:
        columns = ids_BS.shape[1]
        # learned positions count from the first token that is no padding
        position_BK = (mask_BK.long().cumsum(1) - 1).clamp(min=0)
        past = {self._past: None if cache is None else cache.past}
        optional = {"position_ids": position_BK[:, -columns:], "logits_to_keep": keep}
        output = self.model(
            input_ids=ids_BS,
            attention_mask=mask_BK.long(),
            use_cache=cache is not None,
            **past,
            **{name: value for name, value in optional.items() if name in self._accepted},
        )
        if cache is not None:
            cache.past = output[self._past]
        return output.logits[:, -keep:]

    def frozen(self) -> Scorer:
        return WithoutAdapters(self) if self.lora else super().frozen()


class WithoutAdapters:
    """The reference of a policy whose own weights never change."""

    def __init__(self, policy: Pretrained) -> None:
        self._policy = policy

    def token_statistics(
        self, prompt_ids_BP: Tensor, prompt_mask_BP: Tensor, response_ids_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        with self._policy.model.disable_adapter():
            return self._policy.token_statistics(prompt_ids_BP, prompt_mask_BP, response_ids_BT)


def pretrained_policy(name: str, lora: int = 0, response_tokens: int = 0) -> Pretrained:
    """The model of this folder, .gguf file or hub name; ValueError says what is missing."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = Path(name)
    where: dict[str, Any] = {"pretrained_model_name_or_path": name}
    if path.suffix == ".gguf":
        where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    try:
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(**where)
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"policy={name}: no causal language model with a tokenizer could be read there; it "
            "must be a folder that save_pretrained wrote, a .gguf file, or a name on the Hugging "
            f"Face hub. transformers says: {reason}"
        ) from error
    return Pretrained(model, tokenizer, lora, response_tokens)


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """A chat model ends its turn with one token and a document with another."""
    ends: Any = getattr(model.generation_config, "eos_token_id", None)
    listed: list[Any] = [*ends] if isinstance(ends, list) else [ends]
    listed.append(tokenizer.eos_token_id)
    return tuple(sorted({int(end) for end in listed if end is not None}))


def _with_adapters(model: PreTrainedModel, rank: int) -> Any:
    """Scaled as is usual, by twice the rank; they start as nothing, whatever the seed."""
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise ValueError("lora needs peft: pip install 'collapse-lab[lora]'") from error
    config = LoraConfig(
        task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, target_modules="all-linear"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return get_peft_model(model, config)
