"""Feeds mutated log lines to every line format: nothing may crash, hang or invent a number.

    python -m benchmarks.fuzz_readers [--lines 100000] [--seed 0]

Lines of every format are cut, spliced, repeated, and sprinkled with what breaks parsers. Each
goes to every format, and to a reader that looks for the format. Every number that comes out must
stand in the text.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import time
from collections import Counter
from collections.abc import Iterable

from collapse_lab.readers import LINE_FORMATS
from collapse_lab.readers.base import ANSI, Row
from collapse_lab.readers.reader import LineReader
from collapse_lab.scoring.markdown import table_of

SAMPLES: dict[str, list[str]] = {
    "dict-lines": [
        "{'step': 12, 'ess': 0.5, 'kl_loss': nan, 'note': 'warm'}",
        "INFO Step 3/90: {'ess': 0.25, 'lr': 1e-06, 'flag': None}",
    ],
    "verl-console": [
        "(TaskRunner pid=7) step:3 - actor/entropy:0.0976 - actor/lr:1e-06 - actor/pg_loss:-0.25",
        "\x1b[36m(main_task pid=7, ip=10.0.0.1)\x1b[0m step:4 - a:np.float64(0.5) - b:nan - c:True",
        "\rTraining Progress:  18%|#8   | 54/300 [29:47<2:15:42, 32.8s/it]step:5 - a:-inf - b:2",
    ],
    "verl-file": ['{"step":12,"data":{"actor/entropy":0.5,"actor/grad_norm":null,"x":"text"}}'],
    "trl-console": [
        "{'loss': -0.0982, 'grad_norm': nan, 'reward': 0.25, 'kl': None, 'epoch': 0.03}",
        "\r  1%|1    | 5/400 [00:15<1:45:14, 15.8s/it]\r     \r{'loss': '0.01', 'epoch': '0.04'}",
        "{'eval_loss': 0.5, 'eval_reward': inf, 'epoch': 1.0}",
        "{'loss': np.float64(0.5), 'l': [1, {'a': 2}], 'epoch': 2, 'global_step/max_steps': '5/9'}",
    ],
    "openrlhf-console": [
        "INFO 08-13 10:00:00 ppo_trainer.py:547] ✨ Global step 12: {'reward': 0.5, 'kl': nan}"
    ],
    "slime-console": [
        "[2026-08-21 10:00:00] model.py:918 - step 3: {'train/loss': 0.5, 'train/step': 3}",
        "[2026-08-21 10:00:00] data.py:88 - rollout 3: {'rollout/raw_reward': 0.25}",
        "[2026-08-21 10:00:00] eval.py:8 - eval 3: {'eval/aime': 0.125}",
    ],
    "prime-rl-console": [
        "10:00:00 SUCCESS Step 12 | 34.5s | Loss 0.0123 | Mismatch KL nan | LR 1.00e-06 | MFU 9%",
        "10:00:00 SUCCESS Step 13 | Time: 34.50s | Loss: 0.5 | Throughput: 123 tokens/s",
        "WARNING Dropping 2 non-finite value(s) from metrics.jsonl: loss/mean, optim/grad_norm",
    ],
    "prime-rl-metrics": [
        '{"step": 3, "time": 1800000000.5, "entropy/all/mean": 0.25, "producer": "trainer"}',
        '{"step": 4, "time": 1800000001, "train/agg/all/agent/reward/mean": 0.5}',
        '{"step": null, "time": 1800000002, "inference/requests": 3}',
    ],
    "nemo-rl-console": [
        "========================= Step 3/1000 =========================",
        "📊 Training Results:",
        "  • Loss: 0.1234",
        "  • Avg Reward: nan",
        "⏱️  Timing:",
        "  • Total step time: 34.50s",
    ],
    "roll-console": [
        '[INFO] metrics_tag: {"step": 3, "metrics": {"critic/score/mean@mean": 0.5, "x": NaN}}',
        '[2026-01-01] [INFO] {"system/step": 3, "actor/pg_loss@sum": -0.25}',
    ],
    "jsonl": [
        '{"step": 3, "reward": 0.5, "loss": NaN, "kl": null, "nested": {"a": 1}}',
        '{"step": 4, "values": {"policy/entropy": "nan"}, "time": "inf"}',
    ],
    "console-table": [
        "-----------------------------",
        "| rollout/          |         |",
        "|    ep_rew_mean    | 21.8    |",
        "| time/             |         |",
        "|    iterations     | 2       |",
        "|    total_timesteps | 4096   |",
        "-----------------------------",
    ],
    "key-value": [
        "Epoch:[1/1](2/500), Reward: 0.38, KL_ref: 0.01, LR: 0.000001",
        "Step 12: loss=0.1 reward=0.3 entropy=1e-3",
        "Step 13 | Loss 0.01 | Reward -inf",
    ],
}
SPRINKLES = [
    *("nan", "inf", "-", "1e999", "1_000", "0x10", "٣", "None", "null", "True", "{", "}", "{'"),
    *("'", '"', "': ", ", ", " - ", ":", "|", " | ", "\r", "\x1b[0m", "\x00", "\ufffd", "•", "="),
    *("9" * 400, "[" * 50, "(" * 50, "step:1 - ", "Step 9 | ", '{"', '"data"', "\r   \r", " " * 99),
]
TOGETHER = 200
"""Lines that are one log: formats keep some back, so a number may stand in an earlier line."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+")

_WORDS = dict.fromkeys(("nan", "null", "none", "non-finite"), math.nan) | {
    "true": 1.0,
    "false": 0.0,
    "inf": math.inf,
    "-inf": -math.inf,
}


def mutated(chance: random.Random, pool: list[str]) -> str:
    """One sample line after a few mutations."""
    line = chance.choice(pool)
    for _ in range(chance.randrange(4)):
        at, end = sorted(chance.randrange(len(line) + 1) for _ in range(2))
        kind = chance.randrange(6)
        if kind == 0:
            line = line[:at] + line[end:]
        elif kind == 1:
            line = line[:at] + chance.choice(SPRINKLES) + line[at:]
        elif kind == 2:
            line = line[:at] + line[at:end] * chance.randrange(2, 9) + line[end:]
        elif kind == 3:
            other = chance.choice(pool)
            line = line[:at] + other[chance.randrange(len(other)) :]
        elif kind == 4:
            line = line[:end]
        else:
            line = line[:at] + "".join(chance.sample(line[at:end], end - at)) + line[end:]
    return line[:20_000]


class Stated:
    """The numbers that stand in some lines, with or without their colours."""

    def __init__(self) -> None:
        self._numbers: set[float] = set()
        self._text: set[str] = set()

    def add(self, line: str) -> None:
        for found in _NUMBER.findall(line + "\n" + ANSI.sub("", line)):
            self._numbers |= {float(found), -float(found)}
        lower = line.lower()
        self._text |= {word for word in _WORDS if word in lower}
        self._numbers |= {_WORDS[word] for word in self._text}

    def invented(self, values: Iterable[float]) -> list[float]:
        """Values that do not stand in the lines."""
        is_nan_stated = any(math.isnan(number) for number in self._numbers)
        return [
            value
            for value in values
            if not (is_nan_stated if math.isnan(value) else value in self._numbers)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the line formats.")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    pool = [line for lines in SAMPLES.values() for line in lines]
    rows: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    slowest: dict[str, float] = dict.fromkeys(LINE_FORMATS, 0.0)
    records = 0
    for start in range(0, options.lines, TOGETHER):
        lines = [mutated(chance, pool) for _ in range(min(TOGETHER, options.lines - start))]
        stated = Stated()
        for line in lines:
            stated.add(line)
        for name, kind in LINE_FORMATS.items():
            form = kind()
            found: list[Row] = []
            for line in lines:
                started = time.perf_counter()
                found += form.feed(line)
                kind.claims([line])
                slowest[name] = max(slowest[name], time.perf_counter() - started)
            for row in [*found, *form.close()]:
                rows[name] += 1
                numbers[name] += len(row.values)
                if wrong := stated.invented(row.values.values()):
                    raise SystemExit(f"{name} invented {wrong} in {lines}")
        reader = LineReader()
        for record in [
            *(record for line in lines for record in reader.feed(line)),
            *reader.close(),
        ]:
            records += 1
            if wrong := stated.invented(record.values.values()):
                raise SystemExit(f"the reader invented {wrong} in {lines}")
    body = [
        [name, f"{rows[name]:,}", f"{numbers[name]:,}", f"{slowest[name] * 1e3:.1f}"]
        for name in LINE_FORMATS
    ]
    print(
        f"{options.lines:,} mutated lines to each format; {records:,} records where none was given"
    )
    print("nothing crashed, no number was invented\n")
    print(table_of(["format", "rows", "numbers", "slowest line, ms"], body))


if __name__ == "__main__":
    main()
