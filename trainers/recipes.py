"""A recipe is everything that a run depends on, complete and frozen, kept verbatim in run.json.

One shared setting a task for all algorithms; `override` changes single fields by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, cast, get_args, get_type_hints

from collapse_lab.trainers.algorithms import Algorithm, algorithm
from collapse_lab.trainers.cloning import Cloning
from collapse_lab.trainers.policy import Size
from collapse_lab.trainers.tasks import TASKS


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The defaults are the shared setting: ARLArena's recipe at the scale of one CPU core.

    A step samples `groups` tasks `group_size` times each and makes `epochs` passes over them in
    `mini_batches` updates. The first `curriculum` steps draw tasks of the first half of their kinds
    only. `filter`, `advantage`, `clip` and `weigh` replace a column of the
    algorithm where they are not "". The rate grows linearly over the first `warm_up` steps,
    and falls to 0 over all of them where `decay` says how.
    `kl` is the weight of the k3 divergence from the cloned policy, `penalty` what an invalid turn
    costs (`penalised`: by format, as the paper says, or by admissible action, as its code does),
    and `proxy` the most that an episode earns for what `proxied` names instead of for the task.
    `tries` and `cold_start` are the filter's: batches a step at most, steps before it starts.
    Success on held-out tasks is evaluated every `eval_every` steps. Responses are drawn by the
    policy itself or by vLLM (`sampler`), whose weights may be `sampler_lag` steps old and rounded
    to `sampler_bits` (0: exact). A ratio's old log-probs are the trainer's or the `sampler`'s own
    (`old_log_probs`).

    `policy` is the folder or hub name of a pretrained causal language model; "" is a small decoder
    of this `size`, cloned from the expert. A pretrained one is trained whole, or through adapters
    of rank `lora` where that is not 0, and answers in at most `response_tokens` (0: four for each
    word that the task allows).
    """

    task: str
    algorithm: str
    seed: int = 0
    filter: str = ""
    advantage: str = ""
    clip: str = ""
    weigh: str = ""
    steps: int = 150
    groups: int = 8
    group_size: int = 8
    mini_batches: int = 8
    epochs: int = 1
    lr: float = 4e-4
    warm_up: int = 15
    decay: Literal["none", "linear", "cosine"] = "none"
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    kl: float = 0.01
    entropy: float = 0.0
    penalty: float = 0.1
    penalised: Literal["format", "action"] = "format"
    proxy: float = 0.0
    proxied: Literal["length", "brevity", "turns"] = "length"
    curriculum: int = 0
    tries: int = 3
    cold_start: int = 0
    temperature: float = 1.0
    sampler: Literal["cached", "vllm"] = "cached"
    sampler_lag: int = 0
    sampler_bits: int = 0
    old_log_probs: Literal["trainer", "sampler"] = "trainer"
    eval_every: int = 10
    eval_episodes: int = 128
    eval_temperature: float = 0.6
    sample_every: int = 10
    checkpoint_every: int = 25
    policy: str = ""
    lora: int = 0
    response_tokens: int = 0
    size: Size = field(default_factory=Size)
    cloning: Cloning = field(default_factory=Cloning)

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0 on."""
        grown = min(1.0, (step + 1) / max(1, self.warm_up))
        done = step / self.steps
        left = {"none": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
        return self.lr * grown * left[self.decay]

    def choices(self) -> Algorithm:
        """The algorithm with this recipe's columns; ValueError says what is possible."""
        columns = ("filter", "advantage", "clip", "weigh")
        named = {column: getattr(self, column) for column in columns}
        return algorithm(self.algorithm, **{k: text for k, text in named.items() if text})


def household(algorithm: str, seed: int = 0) -> Recipe:
    return Recipe(task="household", algorithm=algorithm, seed=seed)


def sokoban(algorithm: str, seed: int = 0) -> Recipe:
    """More slips in the demonstrations and more of them learnt: a clone that knows the rooms and
    plays them badly has something to gain, one that fails for ignorance has little. The rate is the
    lowest of a few at which clips differ (docs/arena.md)."""
    cloning = Cloning(random_actions=0.5, success=0.45)
    return Recipe(task="sokoban", algorithm=algorithm, seed=seed, lr=6e-4, cloning=cloning)


def web_shop(algorithm: str, seed: int = 0) -> Recipe:
    return Recipe(task="web_shop", algorithm=algorithm, seed=seed)


def maths(algorithm: str, seed: int = 0) -> Recipe:
    return Recipe(task="maths", algorithm=algorithm, seed=seed)


def alfworld(algorithm: str, seed: int = 0) -> Recipe:
    """ARLArena's own setting: a pretrained policy wants a rate far below a tiny decoder's."""
    return Recipe(
        task="alfworld",
        algorithm=algorithm,
        seed=seed,
        steps=200,
        groups=16,
        lr=1e-6,
        warm_up=0,
        eval_every=5,
    )


RECIPES: dict[str, Callable[[str, int], Recipe]] = {
    recipe.__name__: recipe for recipe in (household, sokoban, web_shop, maths, alfworld)
}
assert RECIPES.keys() == TASKS.keys()


def recipe(task: str, algorithm: str, seed: int = 0, settings: tuple[str, ...] = ()) -> Recipe:
    """The task's recipe with "name=value" settings; ValueError says what is wrong and possible."""
    if task not in RECIPES:
        raise ValueError(f"no task {task!r}; there are {', '.join(RECIPES)}")
    made = RECIPES[task](algorithm, seed)
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} is not NAME=VALUE")
        made = override(made, name.strip(), text.strip())
    made.choices()
    if made.lora and made.sampler == "vllm":
        raise ValueError("sampler=vllm takes whole weights: leave lora at 0, or sampler at cached")
    if not (made.policy or TASKS[task].words):
        raise ValueError(
            f"{task} speaks freely, and a tiny decoder knows only the words of a closed "
            "vocabulary: set policy to the folder or hub name of a pretrained model"
        )
    if made.sampler_bits == 1:
        raise ValueError("sampler_bits=1 leaves only zeros: take 2 or more, or 0 for exact")
    if (made.lora or made.response_tokens) and not made.policy:
        raise ValueError("lora and response_tokens are for a pretrained policy: set policy too")
    return made


def override(made: Any, name: str, text: str) -> Any:
    """A copy with one field set from text; a dot reaches into a part: "cloning.success"."""
    head, _, rest = name.partition(".")
    names = [field.name for field in fields(made)]
    if head not in names:
        raise ValueError(f"no setting {head!r}; there are {', '.join(names)}")
    old = getattr(made, head)
    if rest and not is_dataclass(old):
        raise ValueError(f"{head!r} has no parts")
    if is_dataclass(old) and not rest:
        parts = ", ".join(f"{head}.{part.name}" for part in fields(old))
        raise ValueError(f"{head!r} is set part by part: {parts}")
    if rest:
        return replace(made, **{head: override(old, rest, text)})
    kind: Any = get_type_hints(cast("type[Any]", type(made)))[head]
    return replace(made, **{head: _parse(name, text, kind)})


def _parse(name: str, text: str, kind: Any) -> Any:
    if choices := get_args(kind):
        if text not in choices:
            raise ValueError(f"{name}={text}: choose one of {', '.join(choices)}")
        return text
    try:
        value = kind(text)
    except ValueError as error:
        what = {int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"{name}={text}: {what} is needed") from error
    if kind is not str and not 0 <= value < float("inf"):
        raise ValueError(f"{name}={text}: it must be finite and not negative")
    return value
