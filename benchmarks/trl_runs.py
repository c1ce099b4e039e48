"""Runs of TRL's GRPOTrainer that hold and that collapse: what `data/trl` is made of.

    python -m benchmarks.trl_runs run --root runs/trl [--only SETTING ...] [--minutes M]
    python -m benchmarks.trl_runs keep --root runs/trl --out data/trl
    python -m benchmarks.trl_runs table --root data/trl

TRL trains the small policies of `trl_tasks` under the settings of `trl_settings` and `trl_later`,
one run after the other in one process on one thread, and `CollapseCallback` records what it logs. A
run is a folder, `root/SETTING-SEED`; finished ones are skipped, so the sweep can be stopped and
begun again at any time. A record is one batch of rollouts; its step counts TRL's updates, several a
batch. The settings of `trl_chat_settings` want a GPU, and are made only where `--only` names them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.trl_chat_settings import CHAT, CHATS
from benchmarks.trl_later import CHANGED, CHANGED_OTHERS, LATER
from benchmarks.trl_settings import SETTINGS, Setting
from collapse_lab.labels import Label, label_run
from collapse_lab.records import Record
from collapse_lab.scoring.markdown import table_of
from collapse_lab.store import RUN, find_runs, read_meta, records_of

if TYPE_CHECKING:
    from trl.trainer.grpo_trainer import GRPOTrainer

GROUP = 8
"""Completions of one prompt."""
ON_CPU = SETTINGS + LATER + CHANGED + CHANGED_OTHERS
"""What is made where `--only` names nothing."""
POLICIES, CHECKPOINTS = "policies", "checkpoints"
ACCURACY = "reward/accuracy"


def run_all(settings: Sequence[Setting], root: Path, minutes: float = math.inf) -> None:
    """All runs that are not there yet, one seed of every setting first."""
    jobs = [
        (setting, seed)
        for place in range(max(len(setting.seeds) for setting in settings))
        for setting in settings
        for seed in setting.seeds[place : place + 1]
        if read_meta(root / name_of(setting, seed)).get("state") != "finished"
    ]
    print(f"{len(jobs)} runs to go, into {root}", flush=True)
    for setting, seed in jobs:
        began = time.perf_counter()
        try:
            label = run_one(setting, seed, root, minutes)
        except Exception as error:  # told, and the sweep goes on
            print(f"{name_of(setting, seed)}: {error!r}", flush=True)
            continue
        took = time.perf_counter() - began
        print(f"{name_of(setting, seed)}: {label.kind}, {took:.0f} s", flush=True)


def name_of(setting: Setting, seed: int) -> str:
    return f"{setting.name}-{seed}"


def run_one(setting: Setting, seed: int, root: Path, minutes: float = math.inf) -> Label:
    """Trains one run into `root`, at most so long; a folder left unfinished is begun anew."""
    import collapse_lab

    name = name_of(setting, seed)
    folder, checkpoints = root / name, root / CHECKPOINTS / name
    for stale in (folder, checkpoints):
        shutil.rmtree(stale, ignore_errors=True)
    arguments = arguments_of(setting, seed)
    run = collapse_lab.init(
        id=name,
        name=name,
        config=config_of(setting, seed),
        root=root,
        planned_steps=arguments["max_steps"],
        framework="trl",
    )
    with run:
        train(setting, seed, root, arguments, collapse_lab.CollapseCallback(run), minutes)
    shutil.rmtree(checkpoints, ignore_errors=True)
    label = label_of(setting, records_of(folder))
    meta = read_meta(folder) | {"setting": setting.name, "failure": setting.failure}
    if setting.hidden:
        meta["label"] = {"class": label.kind, "onset": label.onset, "cross": label.cross}
    (folder / RUN).write_text(json.dumps(meta, indent=1))
    return label


def config_of(setting: Setting, seed: int) -> dict[str, Any]:
    """What makes this run what it is: the setting and TRL's own arguments."""
    shared = asdict(setting)
    for name in ("name", "failure", "seeds"):
        del shared[name]
    return {"seed": seed, **shared, "arguments": arguments_of(setting, seed)}


def label_of(setting: Setting, records: Sequence[Record]) -> Label:
    """By the logged reward; by the right answers where the reward pays for something else."""
    if not setting.hidden:
        return label_run(records)
    return label_run([Record(r.step, r.time, {"reward/mean": r.values[ACCURACY]}) for r in records])


def arguments_of(setting: Setting, seed: int) -> dict[str, Any]:
    """GRPOConfig's, but for the folder."""
    per_record = setting.updates * setting.iterations
    clip = {"importance_sampling_level": "sequence", "epsilon": 3e-3, "epsilon_high": 4e-3}
    loss = {"loss_type": setting.algorithm}
    return {
        "seed": seed,
        "use_cpu": True,
        "bf16": False,
        "per_device_train_batch_size": setting.rows // setting.updates,
        "gradient_accumulation_steps": 1,
        "steps_per_generation": setting.updates,
        "num_iterations": setting.iterations,
        "num_generations": GROUP,
        "max_completion_length": 16,
        "max_steps": setting.records * per_record,
        "learning_rate": setting.lr,
        "lr_scheduler_type": setting.schedule,
        "warmup_steps": setting.warm_up * per_record,
        "reward_weights": [weight for weight in setting.pay if weight is not None],
        "shuffle_dataset": False,
        "gradient_checkpointing": False,
        "logging_steps": per_record,
        "report_to": "none",
        "save_strategy": "no",
        "save_only_model": not setting.keeps_optimiser,
        "disable_tqdm": True,
        **({"loss_type": "grpo", **clip} if setting.algorithm == "gspo" else loss),
        **setting.arguments,
    }


def train(
    setting: Setting,
    seed: int,
    root: Path,
    arguments: dict[str, Any],
    callback: Any,
    minutes: float,
) -> None:
    """Trains to the end; where the setting says so, in two goes with a checkpoint between them."""
    from transformers import TrainerCallback

    ends = time.monotonic() + 60 * minutes

    class Curfew(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if time.monotonic() > ends:
                control.should_training_stop = True

    class Interruption(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step == setting.resume_at * setting.updates * setting.iterations:
                control.should_save = control.should_training_stop = True

    def trainer(*more: TrainerCallback) -> GRPOTrainer:
        return trainer_of(setting, seed, root, arguments, [callback, Curfew(), *more])

    if setting.change is not None:
        from benchmarks.trl_changes import Changing

        changing = Changing(setting, seed)
        whole = trainer(changing)
        changing.trainer = whole
        whole.train()
        return
    if setting.resume_at:
        trainer(Interruption()).train()
    trainer().train(resume_from_checkpoint=setting.resume_at > 0)


def trainer_of(
    setting: Setting, seed: int, root: Path, arguments: dict[str, Any], callbacks: list[Any]
) -> GRPOTrainer:
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    from benchmarks import trl_chat, trl_tasks

    subject = trl_chat if setting.task == CHAT else trl_tasks
    prompts = setting.records * setting.rows // GROUP
    policy, rewards, columns, tokenizer = subject.parts(setting, prompts, seed, root / POLICIES)
    trainer = GRPOTrainer(
        policy,
        rewards,
        GRPOConfig(str(root / CHECKPOINTS / name_of(setting, seed)), **arguments),
        Dataset.from_dict(columns),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def keep(root: Path, out: Path) -> None:
    """Finished runs in little room, as the arena's are kept."""
    from benchmarks import arena_keep

    arena_keep.main(["--root", str(root), "--out", str(out)])


def table(root: Path) -> str:
    """What the settings were meant to end in, and what they ended in."""
    by_name = {setting.name: setting for setting in ON_CPU + CHATS}
    lines: list[tuple[str, ...]] = []
    for folder in find_runs(root):
        meta = read_meta(folder)
        if meta["state"] != "finished":
            continue
        records = records_of(folder)
        label = label_of(by_name[meta["setting"]], records)
        share = "" if label.onset is None else f"{label.onset / records[-1].step:.0%}"
        lines.append((folder.name, meta["failure"], str(len(records)), label.kind, share))
    return table_of(("run", "meant to fail by", "records", "label", "onset at"), lines)


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Trains, keeps or lists the TRL runs.")
    parser.add_argument("action", choices=["run", "keep", "table"])
    parser.add_argument("--root", type=Path, default=Path("runs/trl"))
    parser.add_argument("--out", type=Path, default=Path("data/trl"))
    parser.add_argument("--only", nargs="*", default=[], metavar="SETTING")
    parser.add_argument("--minutes", type=float, default=math.inf, help="the longest a run takes")
    given = parser.parse_args(arguments)
    if given.action == "keep":
        keep(given.root, given.out)
    elif given.action == "table":
        print(table(given.root))
    else:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        warnings.simplefilter("ignore")
        import torch
        import transformers

        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        settings = ON_CPU
        if given.only:
            settings = [s for s in settings + CHATS if s.name in given.only]
        run_all(settings, given.root, given.minutes)


if __name__ == "__main__":
    main()
