"""Web shop: search, look through two pages of results, open an item, choose options, buy.

An episode ends with a purchase, which is scored as WebShop does (Yao et al. 2022): the share of
wanted attributes, options and price that the purchase meets, times whether the type is right.
Only a perfect purchase is rewarded, as in ARLArena.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from collapse_lab.trainers.tasks.base import Observation, Task

TYPES = ("shirt", "shoes", "jacket", "towel", "rug")
ATTRIBUTES = ("cotton", "wool", "linen", "nylon")
COLOURS = ("red", "blue", "green", "black")
SIZES = ("small", "medium", "large")
PRICES = tuple(str(price) for price in range(10, 100, 10))
LETTERS = ("a", "b", "c")
ITEMS, SHOWN = 12, 6


@dataclass(frozen=True, slots=True)
class Item:
    type: str
    attribute: str
    price: int


@dataclass(slots=True)
class Basket:
    """The item that is open and the options chosen on its page."""

    item: Item
    options: dict[str, str] = field(default_factory=dict[str, str])


class WebShop(Task):
    """The wanted item is always for sale, sometimes on the second page."""

    name = "web_shop"
    kinds = ("first_page", "second_page")
    words = (
        *TYPES,
        *ATTRIBUTES,
        *COLOURS,
        *SIZES,
        *PRICES,
        *LETTERS,
        *("under", "home", "page", "one", "two", "item", "empty", "plain"),
        *("search", "click", "buy", "next", "back", "open", "choose", "turn", "return"),
    )
    rules = (
        "An observation is what to buy (colour, size, material, type, highest price), the page "
        "you see and how the last action went. Actions: search TYPE, click LETTER (opens an item "
        "of the page), click next, click back, click COLOUR, click SIZE (on an item), buy."
    )
    turn_limit = 10
    response_limit = 12

    def begin(self, random: Random) -> None:
        self.type, self.attribute = random.choice(TYPES), random.choice(ATTRIBUTES)
        self.colour, self.size = random.choice(COLOURS), random.choice(SIZES)
        self.limit = int(random.choice(PRICES[2:]))
        self.items = [
            Item(random.choice(TYPES), random.choice(ATTRIBUTES), int(random.choice(PRICES)))
            for _ in range(ITEMS - 2)
        ]
        self.items += [
            Item(self.type, self.attribute, random.randrange(10, self.limit + 1, 10)),
            Item(self.type, random.choice(ATTRIBUTES), int(random.choice(PRICES))),
        ]
        place = SHOWN
        while place >= SHOWN:
            random.shuffle(self.items)
            place = next(i for i, x in enumerate(self._search(self.type, ITEMS)) if self._wanted(x))
        self.kind = self.kinds[place >= len(LETTERS)]
        self.results: list[Item] = []
        self.page = 0
        self.basket: Basket | None = None
        self.bought = False

    def observe(self) -> Observation:
        goal = f"{self.colour} {self.size} {self.attribute} {self.type} under {self.limit}"
        if self.basket is not None:
            item, options = self.basket.item, self.basket.options
            chosen = f"{options.get('colour', 'plain')} {options.get('size', 'plain')}"
            page = f"item {chosen} {item.attribute} {item.type} {item.price}"
        elif self.results:
            shown = (f"{x} {i.attribute} {i.type} {i.price}" for x, i in self._shown().items())
            page = f"page {('one', 'two')[self.page]} {' '.join(shown)}"
        else:
            page = "home"
        return Observation(f"{goal} {page} {self.outcome}", f"{goal} {page}")

    def admissible(self) -> list[str]:
        if self.basket is not None:
            return [*(f"click {option}" for option in (*COLOURS, *SIZES)), "click back", "buy"]
        if not self.results:
            return [f"search {kind}" for kind in TYPES]
        return [*(f"click {letter}" for letter in self._shown()), "click next", "click back"]

    def act(self, action: str) -> None:
        verb, _, noun = action.partition(" ")
        if verb == "buy":
            self.bought = True
        elif verb == "search":
            self.results, self.page = self._search(noun), 0
        elif noun == "back":
            if self.basket is None:
                self.results = []
            self.basket = None
        elif noun == "next":
            self.page = 1 - self.page
        elif noun in COLOURS or noun in SIZES:
            assert self.basket is not None
            self.basket.options["colour" if noun in COLOURS else "size"] = noun
        else:
            self.basket = Basket(self._shown()[noun])

    def over(self) -> bool:
        return self.bought

    def score(self) -> float:
        if not self.bought or self.basket is None:
            return 0.0
        item, options = self.basket.item, self.basket.options
        met = (
            item.attribute == self.attribute,
            options.get("colour") == self.colour,
            options.get("size") == self.size,
            item.price <= self.limit,
        )
        return (item.type == self.type) * sum(met) / len(met)

    def expert(self) -> tuple[str, str]:
        if self.basket is not None:
            if not self._wanted(self.basket.item):
                return f"return {self.type}", "click back"
            for name, option in (("colour", self.colour), ("size", self.size)):
                if self.basket.options.get(name) != option:
                    return f"choose {option}", f"click {option}"
            return f"buy {self.type}", "buy"
        if not self.results:
            return f"search {self.type}", f"search {self.type}"
        for letter, item in self._shown().items():
            if self._wanted(item):
                return f"open {letter}", f"click {letter}"
        if any(item.type == self.type for item in self._shown().values()) or self.page == 0:
            return "turn page", "click next"
        return f"return {self.type}", "click back"

    def _search(self, word: str, most: int = SHOWN) -> list[Item]:
        """Items of the type first, in the shop's order, then others to fill two pages."""
        return sorted(self.items, key=lambda item: item.type != word)[:most]

    def _shown(self) -> dict[str, Item]:
        first = self.page * len(LETTERS)
        return dict(zip(LETTERS, self.results[first : first + len(LETTERS)], strict=True))

    def _wanted(self, item: Item) -> bool:
        right = (item.type, item.attribute) == (self.type, self.attribute)
        return right and item.price <= self.limit
