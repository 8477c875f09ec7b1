"""Passkey retrieval: the peers generate from a pipeline, this project reads the verdict from one forward."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from transformers import pipeline

from position_interpolation.machine import compute
from position_interpolation.models.answers import read
from position_interpolation.planning.formulas import forward_flops
from position_interpolation.settings.schema import Compute
from position_interpolation.tasks.passkey.prompts import Probe

from . import peers
from .inputs import Base, base, engines, precisions
from .rounds import Names, Row, middle, take_turns_apart

TRIALS = 4
WHAT = "smollm2, 2048 tokens"


def measure(folder: Path | None, cache: Path, rounds: int, models: list[str], known: set[Names]) -> Iterator[list[Row]]:
    """SmolLM2 at 2048 tokens on YaRN's prompts, but for rows known; only where the clones are."""
    if folder is None or "smollm2" not in models:
        return
    own, precision = base("smollm2", cache), precisions()[0]
    prompts = drawn(peers.function(folder, "passkey prompt"), own, 2048)
    probes = [probe(own, text, key) for text, key in prompts]
    work = [forward_flops(own.shape, len(one.prompt) + len(one.answer) - 1, len(one.answer)) for one in probes]
    for name in ("YaRN", "LongRoPE"):
        if (WHAT, precision, name) in known:
            continue
        sides: dict[str, Callable[[], Callable[[], list[bool]]]] = {
            "theirs": partial(generating, name, own, precision, folder, prompts)
        }
        for engine, compiled in engines(precision).items():
            sides[engine] = partial(reading, own, precision, probes, compiled=compiled)
        seconds, found = take_turns_apart(sides, rounds)
        rows = []
        for engine in engines(precision):
            same = sum(a == b for a, b in zip(found["theirs"], found[engine], strict=True))
            row = Row(
                "passkey", f"{WHAT}{engine}", name, precision, seconds["theirs"], seconds[engine],
                f"{same} of {TRIALS} verdicts alike, {sum(found[engine])} retrieved",
                flops=float(sum(work)), notes=f"{TRIALS} prompts of YaRN's",
                version=peers.version(folder, f"{name} passkey"),
            )  # fmt: skip
            rows.append(row)
            print(f"{row.what} {name}: {middle(row.ratios):.2f}x, {row.agreement}", flush=True)
        yield rows


def generating(
    name: str, own: Base, precision: str, folder: Path, prompts: list[tuple[str, int]]
) -> Callable[[], list[bool]]:
    """A peer's turn: greedy, as pipelines were when the peers wrote theirs."""
    theirs = peers.function(folder, f"{name} passkey")
    options = {"use_cache": False} if name == "LongRoPE" else {}
    pipe = pipeline(
        "text-generation", model=own.plain(precision), tokenizer=own.tokenizer,
        pad_token_id=own.tokenizer.eos_token_id, do_sample=False, **options,
    )  # fmt: skip

    def turn(few: int = TRIALS) -> list[bool]:
        if name == "YaRN":
            return [theirs(pipe, text, key) == key for text, key in prompts[:few]]
        return [theirs(pipe, text) == key for text, key in prompts[:few]]

    turn(1)  # warms up
    return turn


def reading(own: Base, precision: str, probes: list[Probe], *, compiled: bool) -> Callable[[], list[bool]]:
    """Our turn, one forward a prompt, after what a run does first."""
    compute.set_up(Compute(device="cpu"))
    model = own.ours(precision, compiled=compiled)

    def turn() -> list[bool]:
        return [all(reading.greedy) for one in probes for reading in read(model, [one], 2048)]

    turn()  # warms up
    return turn


def drawn(prompt: Any, own: Base, tokens: int) -> list[tuple[str, int]]:
    """Prompts of about so many tokens and their keys, by YaRN's own search for the length of the filler."""
    random.seed(0)
    characters = 128
    while len(own.tokenizer.encode(prompt(characters + 128)[0])) < tokens:
        characters += 128
    return [prompt(characters) for _ in range(TRIALS)]


def probe(own: Base, text: str, key: int) -> Probe:
    """A peer's prompt in the form that `read` takes."""
    prompt = own.tokenizer.encode(text, add_special_tokens=False)
    whole = own.tokenizer.encode(f"{text} {key}", add_special_tokens=False)
    return Probe(tuple(prompt), tuple(whole[len(prompt) :]), lead=0, key=str(key), label=0, distance=0)
