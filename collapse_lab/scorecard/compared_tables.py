"""The scores that other fields report, as one Markdown table: pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from collapse_lab.scorecard.compared import Compared
from collapse_lab.scoring.markdown import plain, table_of

COMPARED_ARE = (
    "For comparison with other fields, over ranges from the horizon before an onset to ten records "
    "after it; nothing later is scored. *NAB*, standard profile: 100 is an alarm at the first "
    "record of each range and none elsewhere, 0 never to alarm, less is worse. *Range recall* and "
    "*precision* (Tatbul et al. 2018): which part of a collapse alarms cover, its front first, and "
    "which part of what they cover is a collapse; an alarm stands for its horizon, and one in a "
    "range to the end of it. *VUS-PR*, buffer 20: of a score by record, at any threshold, all runs "
    "as one series."
)


def compared(rows: Mapping[str, Compared], volumes: Mapping[str, float]) -> str:
    """Alarms of the tiers and rows that know nothing, then the detectors' scores."""
    lines = [
        [name, plain(one.nab), plain(one.range_recall, 2), plain(one.range_precision, 2), ""]
        for name, one in rows.items()
    ]
    lines += [[name, "", "", "", plain(one, 2)] for name, one in volumes.items()]
    return table_of(
        ("alarms, or score of", "NAB", "range recall", "range precision", "VUS-PR"), lines
    )
