"""What a trial states and asks, in words. Each kind of puzzle is a function; all numbers of a prompt differ.

- `keys`: each line says the code of somebody's thing; one is asked for, and others share its thing or its owner.
- `values`: one key has several values, and all are asked for, in the order in which they stand.
- `pairs`: the lines of a list, each with a word and a number; one line is asked for again.
- `hops`: letters have a number, or the number of another letter. The letter asked for leads to its number over so many
  others: over none if no hops are asked for. Three more chains of the same length stand among its lines, so that naming
  a number is not enough.

The lines of lists and hops are sentences. After `iron:` tiny goes on like a verse's number, with a 1 whatever the list
holds, so that success measured that habit.

These words stand nowhere in the recall text that models are tuned on (`text/recall.py`). But some of that text gives
numbers to names and asks for them again, as `keys` and `pairs` do; the paper's tuning text does not.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product

OWNERS = (
    "John", "Mary", "Peter", "Alice", "James", "David", "Ruth", "Sarah", "Henry", "George", "Ralph", "Jack", "Martha",
    "Edward", "Helen", "Philip",
)  # fmt: skip
THINGS = (
    "iron", "stone", "silver", "water", "field", "ship", "city", "tree", "hand", "book", "king", "sword", "fire",
    "moon", "star", "hill", "wall", "table", "chair", "wheel", "bell", "ring", "rope", "boat", "cup", "knife",
    "flower", "apple", "wine", "oil", "salt", "sand", "rock", "cloud", "storm", "lion", "wolf", "bear", "eagle",
    "sheep", "goat", "fish", "leaf", "root", "seed", "grain", "corn", "milk", "honey", "butter", "gold", "lead",
    "glass", "paper", "cloth", "wool", "silk", "chain", "nail", "roof", "floor", "mill", "farm", "mountain",
)  # fmt: skip
LETTERS = "BCDEFGHJKLMNOPQRSTUVWXYZ"  # without the words A and I
CHAINS = 4


@dataclass(frozen=True)
class Puzzle:
    """What a prompt states, line by line, and what it asks; numbers are text, as they are written."""

    lines: tuple[str, ...]
    holder: int  # the line that states the value asked for, or the first of several
    question: str  # the answer follows it: a space and the values
    values: tuple[str, ...]
    others: tuple[str, ...]  # further numbers of the prompt
    together: bool = False  # whether the lines stand in a row, without filler between them

    @property
    def chance(self) -> float:
        """How often an answer would be right that takes numbers of the prompt at random, none of them twice."""
        chance = 1.0
        for left in range(len(self.values)):
            chance /= len(self.values) + len(self.others) - left
        return chance


def keys(generator: random.Random, count: int, digits: int) -> Puzzle:
    """One key among `count` others."""
    numbers = _numbers(generator, count + 1, digits)
    names = generator.sample([f"{thing} code of {owner}" for thing, owner in product(THINGS, OWNERS)], count + 1)
    return _one_of(generator, names, numbers)


def values(generator: random.Random, count: int, digits: int) -> Puzzle:
    """`count` values of one key, and nothing else."""
    numbers = _numbers(generator, count, digits)
    thing, owner = generator.choice(THINGS), generator.choice(OWNERS)
    return Puzzle(
        tuple(f"One {thing} code of {owner} is {number}." for number in numbers),
        0,
        f"What are the {thing} codes of {owner}, in the order of the text? The {thing} codes of {owner} are",
        tuple(numbers),
        (),
    )


def pairs(generator: random.Random, count: int, digits: int) -> Puzzle:
    """A list of `count` lines."""
    numbers = _numbers(generator, count, digits)
    return _one_of(generator, generator.sample(THINGS, count), numbers, together=True)


def hops(generator: random.Random, count: int, digits: int) -> Puzzle:
    """`CHAINS` chains, each of a letter with a number and `count` letters that lead to it, their lines shuffled."""
    numbers = _numbers(generator, CHAINS, digits)
    letters = iter(generator.sample(LETTERS, CHAINS * (count + 1)))
    chains = [[next(letters) for _ in range(count + 1)] for _ in numbers]
    steps = [
        iter(
            [
                f"The number of {chain[0]} is {number}.",
                *(f"The number of {after} is the number of {before}." for before, after in pairwise(chain)),
            ]
        )
        for chain, number in zip(chains, numbers, strict=True)
    ]
    turns = [chain for chain in range(CHAINS) for _ in range(count + 1)]
    generator.shuffle(turns)
    letter = chains[0][-1]
    return Puzzle(
        tuple(next(steps[chain]) for chain in turns),
        turns.index(0),
        f"What is the number of {letter}? The number of {letter} is",
        (numbers[0],),
        tuple(numbers[1:]),
    )


KINDS: dict[str, Callable[[random.Random, int, int], Puzzle]] = {
    "keys": keys, "values": values, "pairs": pairs, "hops": hops,
}  # fmt: skip
LEAST = {"keys": 1, "values": 2, "pairs": 2, "hops": 0}
MOST = {"keys": 800, "values": 20, "pairs": len(THINGS), "hops": len(LETTERS) // CHAINS - 1}


def _one_of(generator: random.Random, names: list[str], numbers: list[str], together: bool = False) -> Puzzle:
    """Each line says the number of a name, and one of them is asked for."""
    holder = generator.randrange(len(names))
    name = names[holder]
    return Puzzle(
        tuple(f"The {each} is {number}." for each, number in zip(names, numbers, strict=True)),
        holder,
        f"What is the {name}? The {name} is",
        (numbers[holder],),
        (*numbers[:holder], *numbers[holder + 1 :]),
        together,
    )


def _numbers(generator: random.Random, count: int, digits: int) -> list[str]:
    """`count` different numbers."""
    return list(map(str, generator.sample(range(10 ** (digits - 1), 10**digits), count)))
