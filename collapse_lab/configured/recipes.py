"""The settings of our own trainer. Source: `trainers/recipes.py`."""

from __future__ import annotations

from collapse_lab.configured.clipping import CHOSEN, named_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, below_one, bonus, tempered


def is_ours(settings: Settings) -> bool:
    return settings.states(CHOSEN, "mini_batches")


PROXIES = {"length": "longer answers", "brevity": "shorter answers", "turns": "more turns"}


def recipe(settings: Settings) -> Setup:
    passes, mini = settings.number("epochs"), settings.number("mini_batches")
    lag, bits = settings.number("sampler_lag"), settings.number("sampler_bits")
    temperature, proxy = settings.number("temperature"), settings.number("proxy")
    raised, lowered = bonus(settings.number("entropy"))
    if below_one(temperature):
        lowered = f"rollouts are drawn at temperature {temperature:g} and learned at 1"
    return Setup(
        clip=named_clip(settings.leaves),
        passes=passes,
        updates=passes * mini if passes and mini else None,
        old=f"the sampler's weights are {lag:g} steps old" if lag else None if lag is None else "",
        from_sampler=settings.text("old_log_probs") == "sampler",
        one_engine=settings.text("sampler") == "cached" and not lag and not bits,
        distorted=(
            *([f"the sampler's weights are rounded to {bits:g} bits"] if bits else []),
            *tempered(temperature, 1.0),
        ),
        raised=raised,
        lowered=lowered,
        paid=PROXIES.get(settings.text("proxied") or "", "") if proxy else "",
    )
