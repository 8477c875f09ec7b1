"""Sliding-window perplexity: each peer's own function, and this project's under that peer's protocol."""

import importlib.util
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from position_interpolation.machine import compute
from position_interpolation.planning.formulas import forwards
from position_interpolation.settings.schema import Compute
from position_interpolation.tasks.perplexity import losses, windows

from . import peers
from .inputs import DOCUMENT, TOKENS_PER_FORWARD, Base, base, engines, precisions
from .rounds import Names, Row, middle, take_turns_apart


@dataclass(frozen=True)
class Case:
    """Windows of one document: a first one, and `later` ones that each score `stride` tokens more."""

    model: str
    window: int
    stride: int
    later: int

    @property
    def name(self) -> str:
        """What the row of the engine as it comes is called."""
        return f"{self.model}, W = {self.window}"

    @property
    def tokens(self) -> int:
        """Of the document, BOS left out."""
        return self.window - 1 + self.stride * self.later


CASES = [
    Case("tiny", 256, 32, 96),
    Case("tiny", 1024, 32, 48),
    Case("tiny", 4096, 32, 12),
    Case("smollm2", 2048, 256, 3),
    Case("smollm2", 8192, 256, 1),
]


HARNESS = "lm-evaluation-harness"
PROTOCOLS = {
    "documented recipe": "token", "YaRN": "window", "PoSE": "token", "LongLoRA": "overlapping",
    HARNESS: "rolling",
}  # fmt: skip


def measure(folder: Path | None, cache: Path, rounds: int, models: list[str], known: set[Names]) -> Iterator[list[Row]]:
    """Rows of each case and peer but those known; the peers' own only where `folder` has their clones.

    The longest window, a quarter of an hour, in the machine's fast precision alone.
    """
    bases = {name: base(name, cache) for name in models}
    for precision in precisions():
        for case in CASES:
            if case.model in bases and (case.window < 8192 or precision == precisions()[0]):
                for peer in compared(folder):
                    if (case.name, precision, peer) not in known:
                        yield compare(bases[case.model], case, precision, peer, folder, rounds)


def compare(own: Base, case: Case, precision: str, name: str, folder: Path | None, rounds: int) -> list[Row]:
    """One case: a peer takes turns with ours under its protocol, each in a process of its own."""
    protocol, rows = PROTOCOLS[name], []
    sides: dict[str, Callable[[], Callable[[], Any]]] = {"theirs": partial(theirs, name, own, case, precision, folder)}
    for engine, compiled in engines(precision).items():
        sides[engine] = partial(mine, protocol, own, case, precision, compiled=compiled)
    seconds, found = take_turns_apart(sides, rounds)
    for engine in engines(precision):
        value, notes = found[engine]
        off = abs(value / found["theirs"] - 1)
        row = Row(
            "perplexity", f"{case.name}{engine}", name, precision, seconds["theirs"],
            seconds[engine], f"{protocol}: {found['theirs']:.6g} and {value:.6g}, {off:.0e} apart",
            flops(own, case, protocol), work(case, protocol) + notes, version(name, folder),
        )  # fmt: skip
        rows.append(row)
        print(f"{row.what} {precision} {name}: {middle(row.ratios):.2f}x, {row.agreement}", flush=True)
    return rows


def work(case: Case, protocol: str) -> str:
    """What is run, in words."""
    if protocol == "rolling":
        return "3 windows, which do not overlap"
    count = case.later if protocol == "overlapping" else case.later + 1
    return f"{count} windows, stride {case.stride}" if count > 1 else "1 window"


def compared(folder: Path | None) -> list[str]:
    """The peers that are there."""
    clones = ["YaRN", "PoSE", "LongLoRA"] if folder is not None else []
    harness = [HARNESS] if importlib.util.find_spec("lm_eval") is not None else []
    return ["documented recipe", *clones, *harness]


def version(name: str, folder: Path | None) -> str:
    """Of a peer, where transformers' does not say it."""
    if name == HARNESS:
        return metadata.version("lm_eval")
    return "" if folder is None or name == "documented recipe" else peers.version(folder, f"{name} perplexity")


def theirs(name: str, own: Base, case: Case, precision: str, folder: Path | None) -> Callable[[], float]:
    """A peer's turn, which returns its perplexity."""
    model = own.plain(precision)
    turn = rolling(model, own, case) if name == HARNESS else partial(function(name, folder), model, own, case)
    turn()  # warms up
    return turn


def function(name: str, folder: Path | None) -> Callable[[Any, Base, Case], float]:
    """What a peer does with a model and a case."""
    if name == "documented recipe":
        return recipe
    assert folder is not None  # the others are compared with their clones alone
    found = peers.function(folder, f"{name} perplexity")
    return partial({"YaRN": yarn, "PoSE": pose, "LongLoRA": whole_windows}[name], found)


def mine(protocol: str, own: Base, case: Case, precision: str, *, compiled: bool) -> Callable[[], tuple[float, str]]:
    """Our turn under a protocol, after what a run does first: the perplexity, and a note on what compiling took."""
    compute.set_up(Compute(device="cpu"))
    model = own.ours(precision, compiled=compiled)
    if protocol == "rolling":
        turn = ours_rolling(model, own, case)
    else:
        turn = partial(ours_whole if protocol == "overlapping" else partial(ours, protocol), model, own, case)
    started = time.perf_counter()
    turn()  # warms up
    notes = f"; first turn, compiling included, {time.perf_counter() - started:.0f} s" if compiled else ""
    return lambda: (turn(), notes)


def ours(protocol: str, model: Any, own: Base, case: Case) -> float:
    """Perplexity as `task=pg19` computes it."""
    return engine(model, [own.tokens[: case.tokens]], case.window, case.stride, own.bos, protocol)


def engine(model: Any, documents: list[list[int]], window: int, stride: int, bos: int | None, protocol: str) -> float:
    """Perplexity through the functions that the tasks call, raw losses written as they write them."""
    corpus = {str(number): np.asarray(tokens, np.int64) for number, tokens in enumerate(documents)}
    overlapping = protocol == "overlapping"
    planned = losses.plans(corpus, window, stride, bos=bos is not None, overlapping=overlapping, sample=None)
    with tempfile.TemporaryDirectory() as folder:
        scored = losses.token_losses(
            model, corpus, planned, bos=bos, tokens_per_forward=TOKENS_PER_FORWARD, folder=Path(folder)
        )
    return windows.perplexity(scored, protocol, samples=0).value


@torch.inference_mode()
def recipe(model: Any, own: Base, case: Case) -> float:
    """As the transformers documentation has it: a window at a time, labels masked, weighted by scored tokens."""
    total, count, scored_until = 0.0, 0, 0
    for start in range(0, case.tokens, case.stride):
        stop = min(start + case.window - 1, case.tokens)
        ids = torch.tensor([[own.bos, *own.tokens[start:stop]]])
        labels = ids.clone()
        labels[:, : -(stop - scored_until)] = -100
        scored = int((labels[:, 1:] != -100).sum())
        total += float(model(ids, labels=labels).loss) * scored
        count, scored_until = count + scored, stop
        if stop == case.tokens:
            break
    return math.exp(total / count)


def yarn(function: Callable[..., Any], model: Any, own: Base, case: Case) -> float:
    """YaRN's function."""
    return bos_first(function, model, own, case, sliding_window=case.stride, device="cpu")


def pose(function: Callable[..., Any], model: Any, own: Base, case: Case) -> float:
    """PoSE's, which came from YaRN's; it turns the cache off."""
    model.config.use_cache = False
    return bos_first(function, model, own, case, sliding_window_step=case.stride)


def bos_first(function: Callable[..., Any], model: Any, own: Base, case: Case, **options: Any) -> float:
    """Either, with BOS in front of each window."""
    tokens = own.tokens[: case.tokens]
    encodings = {"input_ids": [tokens], "attention_mask": [[1] * len(tokens)]}
    tokenizer = SimpleNamespace(bos_token="", bos_token_id=own.bos)
    options["max_length"] = case.window
    found: float = function(encodings, model, tokenizer, add_start_token=True, **options)["mean_perplexity"]
    return found


def whole_windows(function: Callable[..., Any], model: Any, own: Base, case: Case) -> float:
    """LongLoRA's function, which scores every token of every window; in batches like ours, for it drops a last part."""
    most = max(1, TOKENS_PER_FORWARD // case.window)
    batch = max(size for size in range(1, case.later + 1) if size <= most and case.later % size == 0)
    # It leaves out the last window and one token more.
    data = np.asarray(own.tokens[: case.window + case.stride * (case.later + 1)], np.int64)
    found: float = function(model, {"val": data}, batch, "cpu", case.window, sliding_window=case.stride)["val_loss"]
    return math.exp(found)


def ours_whole(model: Any, own: Base, case: Case) -> float:
    """The same windows, every token of each."""
    tokens = own.tokens[: case.window + case.stride * (case.later - 1)]
    return engine(model, [tokens], case.window, case.stride, None, "overlapping")


def rolling(model: Any, own: Base, case: Case) -> Callable[[], float]:
    """lm-evaluation-harness's turn: windows that do not overlap, the token before each as its start."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    text, tokens = rolling_text(own, case)
    harness = HFLM(
        pretrained=model, tokenizer=own.tokenizer, batch_size=max(1, TOKENS_PER_FORWARD // case.window),
        max_length=case.window, add_bos_token=False,
    )  # fmt: skip
    harness.custom_prefix_token_id = own.bos
    request = Instance("loglikelihood_rolling", {}, (text,), 0)

    def turn() -> float:
        (total,) = harness.loglikelihood_rolling([request], disable_tqdm=True)
        return math.exp(-total / len(tokens))

    return turn


def ours_rolling(model: Any, own: Base, case: Case) -> Callable[[], float]:
    """The same: its windows read W tokens and score the W behind them."""
    text, _ = rolling_text(own, case)

    def turn() -> float:
        tokens = own.tokenizer(text, add_special_tokens=False)["input_ids"]  # as the harness does in its turn
        return engine(model, [[own.bos, *tokens]], case.window + 1, case.window, None, "token")

    return turn


def rolling_text(own: Base, case: Case) -> tuple[str, list[int]]:
    """Three whole windows of text, and their tokens: a shorter last window has another context there than here."""
    wanted = 3 * case.window
    for taken in range(wanted - 8, wanted + 8):  # what is decoded may be cut otherwise when it is encoded again
        text: str = own.tokenizer.decode(own.tokens[:taken], clean_up_tokenization_spaces=False)
        tokens = own.tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(tokens) == wanted:
            return text, tokens
    raise ValueError(f"no start of {DOCUMENT} has {wanted} tokens")


def flops(own: Base, case: Case, protocol: str) -> float:
    """Of ours, by the planner's formula."""
    if protocol == "overlapping":
        tokens = case.window + case.stride * (case.later - 1)
        return float(
            forwards(own.shape, [windows.plan_overlapping(tokens, case.window, case.stride, False)], False).flops
        )
    if protocol == "rolling":
        return float(
            forwards(own.shape, [windows.plan(3 * case.window + 1, case.window + 1, case.window, False)], False).flops
        )
    return float(forwards(own.shape, [windows.plan(case.tokens, case.window, case.stride, True)], True).flops)
