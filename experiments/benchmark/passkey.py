"""Passkey retrieval: the peers generate from a pipeline, this project reads the verdict from one forward."""

import random
from functools import partial
from pathlib import Path
from typing import Any

from transformers import pipeline

from position_interpolation.planning import forward_flops
from position_interpolation.tasks.passkey import Probe, verdicts

from . import peers
from .inputs import Base, base, engines, precisions
from .rounds import Row, middle, take_turns

TRIALS = 4


def measure(folder: Path | None, cache: Path, rounds: int, models: list[str]) -> list[Row]:
    """SmolLM2 at 2048 tokens on YaRN's prompts; only where the clones are."""
    if folder is None or "smollm2" not in models:
        return []
    own, precision, rows = base("smollm2", cache), precisions()[0], []
    plain = own.plain(precision)
    loaded = {engine: own.ours(precision, compiled=compiled) for engine, compiled in engines(precision).items()}
    prompts = drawn(peers.function(folder, "passkey prompt"), own, 2048)
    probes = [probe(own, text, key) for text, key in prompts]
    work = [forward_flops(own.shape, len(one.prompt) + len(one.answer) - 1, len(one.answer)) for one in probes]
    for name, options in (("YaRN", {}), ("LongRoPE", {"use_cache": False})):
        theirs = peers.function(folder, f"{name} passkey")
        pipe = pipeline(
            "text-generation",
            model=plain,
            tokenizer=own.tokenizer,
            pad_token_id=own.tokenizer.eos_token_id,
            do_sample=False,
            **options,  # greedy, as pipelines were when the peers wrote theirs
        )

        def generated(theirs: Any = theirs, pipe: Any = pipe, name: str = name) -> list[bool]:
            return [(theirs(pipe, text, key) if name == "YaRN" else theirs(pipe, text)) == key for text, key in prompts]

        turns = {engine: partial(read, model, probes) for engine, model in loaded.items()}
        for turn in turns.values():
            turn()  # compiles what is compiled
        seconds, found = take_turns({"theirs": generated, **turns}, rounds)
        for engine in turns:
            same = sum(a == b for a, b in zip(found["theirs"], found[engine], strict=True))
            row = Row(
                "passkey", f"smollm2, 2048 tokens{engine}", name, precision, seconds["theirs"], seconds[engine],
                f"{same} of {TRIALS} verdicts alike, {sum(found[engine])} retrieved",
                flops=float(sum(work)), notes=f"{TRIALS} prompts of YaRN's",
            )  # fmt: skip
            rows.append(row)
            print(f"{row.what} {name}: {middle(row.ratios):.2f}x, {row.agreement}", flush=True)
    return rows


def read(model: Any, probes: list[Probe]) -> list[bool]:
    """The verdicts, one forward a prompt."""
    return [hit for one in probes for hit in verdicts(model, [one], 2048)]


def drawn(prompt: Any, own: Base, tokens: int) -> list[tuple[str, int]]:
    """Prompts of about so many tokens and their keys, by YaRN's own search for the length of the filler."""
    random.seed(0)
    characters = 128
    while len(own.tokenizer.encode(prompt(characters + 128)[0])) < tokens:
        characters += 128
    return [prompt(characters) for _ in range(TRIALS)]


def probe(own: Base, text: str, key: int) -> Probe:
    """A peer's prompt in the form that `verdicts` reads."""
    prompt = own.tokenizer.encode(text, add_special_tokens=False)
    whole = own.tokenizer.encode(f"{text} {key}", add_special_tokens=False)
    return Probe(tuple(prompt), tuple(whole[len(prompt) :]), 0, 0)
