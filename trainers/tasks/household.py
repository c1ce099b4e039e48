"""Household: ALFWorld's six task types in a text world of ten places and seven things.

put, look (under the lamp), clean, heat, cool and put two. The wording is compact so that a turn
is about fifteen words: goal, place, what is here, what is held, places still worth checking (a
memory that the agent would otherwise need a history for) and how the last action went. The
problems are generated here and are not the benchmark's: results are not ALFWorld scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from collapse_lab.trainers.tasks.base import Observation, Task

STORAGE = ("bed", "cabinet", "desk", "drawer", "shelf", "table")
TREATMENTS = {
    "clean": ("sink", "washed"),
    "heat": ("microwave", "hot"),
    "cool": ("fridge", "cold"),
}
"""Goal and action word -> the appliance it needs and the state it leaves."""
LAMP = "lamp"
PLACES = (*STORAGE, *(place for place, _ in TREATMENTS.values()), LAMP)
KINDS = ("apple", "bowl", "cup", "egg", "fork", "mug", "plate", "potato")
DISTRACTORS = 5


@dataclass(slots=True)
class Thing:
    """`place` is None while it is held; `state` is "" or what the last treatment left."""

    kind: str
    place: str | None
    state: str = ""


class Household(Task):
    """Find, take, treat, deliver; one thing in hand at a time."""

    name = "household"
    kinds = ("put", "look", "clean", "heat", "cool", "two")
    words = (
        *kinds,
        *PLACES,
        *KINDS,
        *(state for _, state in TREATMENTS.values()),
        *("at", "see", "hold", "check", "nothing", "go", "take", "use", "find", "bring", "drop"),
    )
    rules = (
        "An observation is the goal (put, clean, heat, cool, look at, or put two of a thing; the "
        "thing; the place for it), the place you are at, what you see there, what you hold, which "
        "places to check and how the last action went. Actions: go PLACE, take THING, put THING, "
        "clean THING (at the sink), heat THING (at the microwave), cool THING (at the fridge), "
        f"use lamp (to look at what you hold). Places: {', '.join(PLACES)}."
    )
    turn_limit = 12
    response_limit = 12

    def begin(self, random: Random) -> None:
        self.kind = random.choice(self.kinds)
        self.wanted, *others = random.sample(KINDS, 1 + DISTRACTORS)
        self.target = LAMP if self.kind == "look" else random.choice(STORAGE)
        sources = [place for place in STORAGE if place != self.target]
        copies = 2 if self.kind == "two" else 1
        self.things = [Thing(self.wanted, random.choice(sources)) for _ in range(copies)]
        self.things += [Thing(other, random.choice(STORAGE)) for other in others]
        self.things.sort(key=lambda thing: thing.kind)
        self.held: Thing | None = None
        self.lit = False
        self.unseen = list(STORAGE)
        self.remembered: list[str] = []
        self._enter(random.choice(PLACES))

    def observe(self) -> Observation:
        held = self.held
        hand = f"{held.kind} {held.state}".rstrip() if held else "nothing"
        here = " ".join(thing.kind for thing in self._here()) or "nothing"
        scene = f"at {self.place} see {here} hold {hand}"
        check = " ".join(self._worth_checking()) or "nothing"
        goal = f"{self.kind} {self.wanted} {self.target}"
        return Observation(f"{goal} {scene} check {check} {self.outcome}", f"{goal} {scene}")

    def admissible(self) -> list[str]:
        actions = [f"go {place}" for place in PLACES if place != self.place]
        if self.held is None:
            actions += [f"take {kind}" for kind in dict.fromkeys(t.kind for t in self._here())]
        else:
            if self.place in STORAGE:
                actions.append(f"put {self.held.kind}")
            actions += [
                f"{verb} {self.held.kind}"
                for verb, (place, _) in TREATMENTS.items()
                if place == self.place
            ]
        if self.place == LAMP:
            actions.append(f"use {LAMP}")
        return actions

    def act(self, action: str) -> None:
        verb, noun = action.split()
        if verb == "go":
            self._enter(noun)
        elif verb == "take":
            self.held = next(thing for thing in self._here() if thing.kind == noun)
            self.held.place = None
        elif verb == "put":
            assert self.held is not None
            self.held.place, self.held = self.place, None
        elif verb == "use":
            self.lit = self.held is not None and self.held.kind == self.wanted
        else:
            assert self.held is not None
            self.held.state = TREATMENTS[verb][1]
        self._remember()

    def score(self) -> float:
        if self.kind == "look":
            return float(self.lit)
        return sum(map(self._delivered, self.things)) / (2 if self.kind == "two" else 1)

    def expert(self) -> tuple[str, str]:
        held = self.held
        if held is None:
            if self._wanted_here():
                return f"take {self.wanted}", f"take {self.wanted}"
            return f"find {self.wanted}", f"go {self._worth_checking()[0]}"
        if held.kind != self.wanted:
            if self.place in STORAGE:
                return f"drop {held.kind}", f"put {held.kind}"
            return f"drop {held.kind}", f"go {STORAGE[0]}"
        if not self._treated(held):
            where, what = TREATMENTS[self.kind][0], f"{self.kind} {held.kind}"
        elif self.kind == "look":
            where, what = LAMP, f"use {LAMP}"
        else:
            where, what = self.target, f"put {held.kind}"
        thought = f"{what.split()[0]} {held.kind}" if self.place == where else f"bring {held.kind}"
        return thought, what if self.place == where else f"go {where}"

    def _treated(self, thing: Thing) -> bool:
        return self.kind not in TREATMENTS or thing.state == TREATMENTS[self.kind][1]

    def _delivered(self, thing: Thing) -> bool:
        return thing.kind == self.wanted and thing.place == self.target and self._treated(thing)

    def _here(self) -> list[Thing]:
        return [thing for thing in self.things if thing.place == self.place]

    def _wanted_here(self) -> bool:
        return any(t.kind == self.wanted and not self._delivered(t) for t in self._here())

    def _enter(self, place: str) -> None:
        self.place = place
        if place in self.unseen:
            self.unseen.remove(place)
        self._remember()

    def _remember(self) -> None:
        """Keeps in mind where something wanted was last seen and still is."""
        if self.place in self.remembered:
            self.remembered.remove(self.place)
        if self._wanted_here():
            self.remembered.append(self.place)

    def _worth_checking(self) -> list[str]:
        """Places to look for the wanted thing: where one was seen, then the unseen ones; all
        others again once there are none."""
        known = [place for place in self.remembered if place != self.place]
        places = known + [place for place in self.unseen if place not in (self.target, *known)]
        return places or [p for p in STORAGE if p not in (self.place, self.target)]
