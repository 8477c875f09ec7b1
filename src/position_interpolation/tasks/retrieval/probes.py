"""Puzzles as token ids: prompts of an exact length, in which the place of what is asked for is uniform.

As in the passkey test the filler is cut to the token, lines stand between line breaks, and prompt and answer fill the
window. Only the digits of the values are judged (rule `key` of `tasks/passkey/prompts.py`): what stands before the
first value whatever its digits belongs to the prompt, and what stands between two values is given.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from position_interpolation.models.answers import Reading
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.retrieval.puzzles import KINDS, Puzzle
from position_interpolation.text.encoding import encode
from position_interpolation.text.prompts import FILLER, fill, head, split

Ids = list[int]
BETWEEN = ", "  # two values of an answer


@dataclass(frozen=True)
class Probe:
    """One trial: a prompt, the answer that follows it, and what in it is judged."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]  # where in the answer's tokens each value starts and stops
    puzzle: Puzzle
    distance: int  # tokens from the end of the prompt back to the first digit of the value asked for


def probes(tokenizer: Any, kind: str, count: int, window: int, trials: int, digits: int, seed: int) -> list[Probe]:
    """Trials of one kind, the same for every model; none if some of them do not fit the window.

    Raises:
        UsageError: the tokenizer does not give every value the same number of tokens.
    """
    generator = random.Random(f"{seed} {kind} {count} {window}")
    made = [build(tokenizer, KINDS[kind](generator, count, digits), window, generator) for _ in range(trials)]
    found = [probe for probe in made if probe is not None]
    if len({end - start for probe in found for start, end in probe.spans}) > 1:
        raise UsageError("this tokenizer joins digits, so values differ in their tokens: choose another task")
    return found if len(found) == trials else []


def build(tokenizer: Any, puzzle: Puzzle, window: int, generator: random.Random) -> Probe | None:
    """A prompt that fills `window` positions with its answer; None if its lines need more.

    Lines that belong together stand in a row, in which the line asked for changes places with another one, so that its
    depth is uniform. Otherwise each line stands anywhere in the filler, in their order.
    """
    question, answer, spans = _asked(tokenizer, puzzle)
    begin, end = head(tokenizer), encode(tokenizer, "\n")
    written = {line: encode(tokenizer, line + "\n") for line in puzzle.lines}
    # The last answer token is predicted, never read, so prompt and answer fill window + 1 ids.
    room = window + 1 - len(begin) - sum(map(len, written.values())) - len(question) - len(answer)
    if room < 0:
        return None
    if puzzle.together:
        place, before = _in_a_row(generator, [len(written[line]) for line in puzzle.lines], room)
        puzzle, cuts = _moved(puzzle, place), [before] * len(puzzle.lines)
    else:
        cuts = sorted(generator.randint(0, room) for _ in puzzle.lines)
    flow = fill(tokenizer, room, generator.randrange(len(encode(tokenizer, FILLER))))
    fillers = [
        [*flow[start : max(start, stop - len(end))], *end][: stop - start] for start, stop in pairwise([0, *cuts, room])
    ]
    prompt, starts = begin + fillers[0], []
    for line, filler in zip(puzzle.lines, fillers[1:], strict=True):
        starts.append(len(prompt))
        prompt += written[line] + filler
    prompt += question
    line, value = puzzle.lines[puzzle.holder], puzzle.values[0]
    before_value, _ = split(tokenizer, line[: line.index(value)], value)
    stated = starts[puzzle.holder] + len(before_value)
    return Probe(tuple(prompt), tuple(answer), spans, puzzle, len(prompt) - stated)


def right(probe: Probe, reading: Reading) -> bool:
    """Whether greedy decoding would write every digit of the values."""
    return all(greedy for start, end in probe.spans for greedy in reading.greedy[start:end])


def log_likelihood(probe: Probe, reading: Reading) -> float:
    """Log-likelihood of the values, in nats per digit."""
    nats = sum(sum(reading.losses[start:end]) for start, end in probe.spans)
    return -nats / sum(map(len, probe.puzzle.values))


def mistaken(probe: Probe, written: str) -> bool:
    """Whether what was written has another number of the prompt in place of the first value that it misses."""
    puzzle = probe.puzzle
    numbers = re.findall(r"\d+", written)
    wrong = (number for value, number in zip(puzzle.values, numbers, strict=False) if number != value)
    return next(wrong, None) in {*puzzle.values, *puzzle.others}


def _asked(tokenizer: Any, puzzle: Puzzle) -> tuple[Ids, Ids, tuple[tuple[int, int], ...]]:
    """The question's tokens, the answer's, and where in the latter each value stands."""
    text, spans = puzzle.question + " ", []
    for value in puzzle.values:
        before, own = split(tokenizer, text, value)
        spans.append((len(before), len(before) + len(own)))
        text += value + BETWEEN
    ids, first = before + own, spans[0][0]
    return ids[:first], ids[first:], tuple((start - first, end - first) for start, end in spans)


def _in_a_row(generator: random.Random, costs: Sequence[int], room: int) -> tuple[int, int]:
    """Place in the row of the line asked for, and filler tokens before the row; all possible depths are as likely."""
    starts = list(accumulate(costs[:-1], initial=0))
    while True:
        depth = generator.randint(0, room + starts[-1])
        if able := [place for place, start in enumerate(starts) if 0 <= depth - start <= room]:
            place = generator.choice(able)
            return place, depth - starts[place]


def _moved(puzzle: Puzzle, place: int) -> Puzzle:
    """The puzzle with the line asked for in this place of the row."""
    lines = list(puzzle.lines)
    lines[place], lines[puzzle.holder] = lines[puzzle.holder], lines[place]
    return replace(puzzle, lines=tuple(lines), holder=place)
