"""NeMo-RL's blocks of bullet lines."""

from __future__ import annotations

import math

from collapse_lab.readers.reader import LineReader
from collapse_lab.records import Record

STEP = """
========================= Step {step}/1000 =========================
▶ Preparing batch...
  • GPU memory: 61.2
▶ Training policy...

📊 Training Results:
  • Loss: {loss}
  • Generation KL Error: 0.0012
  • Avg Reward: 0.3210
  • Mean Generation Length: 812.0000

⏱️  Timing:
  • Total step time: 34.50s
  • generation: 20.00s (58.0%)
"""
VALIDATION = """
📊 Validation Results:
    • Accuracy: 0.4800
    • Average response length: 812.0 tokens
    • Samples processed: 256
"""


def feed(text: str) -> list[Record]:
    reader = LineReader()
    lines = text.split("\n")
    records = [record for line in lines for record in reader.feed(line)] + reader.close()
    assert (reader.format, reader.assembler.names.framework) == ("nemo-rl-console", "nemo-rl")
    return records


def test_a_block_is_a_record_under_the_names_of_the_trackers() -> None:
    records = feed(
        "NeMo-RL 0.5\n" + STEP.format(step=3, loss=0.1234) + STEP.format(step=4, loss=0.2)
    )
    assert [record.step for record in records] == [3, 4]
    assert records[0].values == {
        "loss/total": 0.1234,
        "mismatch/k3_kl": 0.0012,
        "reward/mean": 0.321,
        "length/mean": 812.0,
        "time/step": 34.5,
    }


def test_nan_is_a_number() -> None:
    (record,) = feed(STEP.format(step=3, loss="nan"))
    assert math.isnan(record.values["loss/total"])


def test_a_validation_is_part_of_its_step() -> None:
    validated = STEP.format(step=3, loss=0.5).replace("📊 Training", VALIDATION + "\n📊 Training")
    (record,) = feed(validated)
    assert record.step == 3
    assert record.values["eval/success_rate"] == 0.48
    assert record.values["validation/Samples processed"] == 256
    assert record.values["loss/total"] == 0.5


def test_with_dynamic_sampling_the_reward_is_that_of_all_groups() -> None:
    filtered = "Avg Filtered Reward: 0.5000\n  • Avg Total Reward: 0.2500"
    (record,) = feed(STEP.format(step=3, loss=0.5).replace("Avg Reward: 0.3210", filtered))
    assert record.values["reward/mean"] == 0.25
    assert record.values["train/filtered_reward"] == 0.5
