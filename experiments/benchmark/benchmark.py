"""Speed against the plain recipes, on this machine, in one run: `make benchmark`.

Both sides work on the same model, the same tokens and, unless a row says otherwise, the same precision; they take turns
and must agree on the numbers. The plain evaluation is the documented one: one window at a time, full logits, default
cache. The plain tuning is the Trainer as it comes. Prints a table and writes it to results/benchmark/README.md.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from position_interpolation import compute, files, training
from position_interpolation.config import Compute, Train
from position_interpolation.scoring import scored_losses
from position_interpolation.tasks.windows import Span, plan

ROUNDS = 3
STEPS = 8
TINY = {
    "hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 4, "vocab_size": 4096,
}  # fmt: skip
SMOLLM2 = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": True,
}  # fmt: skip


def random_model(shape: dict[str, Any], window: int) -> Any:
    """A model of this shape; its speed does not depend on what its weights are."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**shape, max_position_embeddings=window)).eval()


def operations(shape: dict[str, Any], length: int, rows: int) -> float:
    """Floating-point operations of one window of `length` positions whose last `rows` are wanted.

    All of them wanted is the plain recipe. A multiply-add counts as two, causal attention as half.
    """
    width, inner, heads = shape["hidden_size"], shape["intermediate_size"], shape["num_attention_heads"]
    shared = width * shape["num_key_value_heads"] // heads  # of keys, and of values

    def layer(queries: int) -> float:
        everywhere = length * width * 2 * shared
        asked = queries * width * (2 * width + 3 * inner)
        attention = 2 * width * queries * (length - queries / 2)
        return 2 * (everywhere + asked + attention)

    head = 2 * rows * width * shape["vocab_size"]
    return (shape["num_hidden_layers"] - 1) * layer(length) + layer(rows) + head


@torch.inference_mode()
def plain_losses(model: Any, tokens: torch.Tensor, spans: list[Span]) -> torch.Tensor:
    """One window at a time, full logits, default cache."""
    found = []
    for span in spans:
        ids = tokens[span.start : span.stop].unsqueeze(0)
        logits = model(ids).logits[0, :-1].float()
        found.append(cross_entropy(logits, ids[0, 1:], reduction="none")[-span.scored :])
    return torch.cat(found)


@torch.inference_mode()
def our_losses(model: Any, tokens: torch.Tensor, spans: list[Span], batch: int) -> torch.Tensor:
    """What tasks/perplexity runs: equal windows together, only scored rows past the last layer's keys and values."""
    found = [scored_losses(model, tokens[: spans[0].stop].unsqueeze(0), spans[0].scored)[0]]
    rest = spans[1:]
    for first in range(0, len(rest), batch):
        group = rest[first : first + batch]
        ids = torch.stack([tokens[span.start : span.stop] for span in group])
        found += list(scored_losses(model, ids, group[0].scored))
    return torch.cat(found)


def evaluation(name: str, shape: dict[str, Any], window: int, stride: int, later: int) -> list[str]:
    """A row: tokens scored a second by both recipes, on a first window and `later` full ones."""
    model = random_model(shape, window)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(3, 4000, window + stride * later))
    spans = plan(len(tokens), window, stride, bos=False)[: later + 1]
    scored = sum(span.scored for span in spans[1:])
    batch = max(1, 8192 // window)
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    results: dict[str, torch.Tensor] = {}
    for _ in range(ROUNDS):
        for side, work in (
            ("plain", lambda: plain_losses(model, tokens, spans)),
            ("ours", lambda: our_losses(model, tokens, spans, batch)),
        ):
            seconds[side].append(timed(work, results, side))
    worst = float((results["plain"] - results["ours"]).abs().max())
    assert worst < 1e-4, f"token losses differ by {worst}"
    saved = sum(operations(shape, s.stop - s.start, s.stop - s.start) for s in spans) / sum(
        operations(shape, s.stop - s.start, s.scored) for s in spans
    )
    what = f"perplexity, {name}, W = {window}"
    return row(what, scored, "scored tokens/s", seconds, f"losses within {worst:.0e}", f"{saved:.2f}")


def tuning(name: str, shape: dict[str, Any], window: int, batch: int, bf16: bool) -> list[str]:
    """A row: training steps a second of the plain Trainer (float32, as it comes) and of ours, same batches."""
    tokens = np.random.default_rng(0).integers(3, 4000, (STEPS * batch, window))
    data: Any = [{"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(ids)} for ids in tokens]
    recipe = Train(steps=STEPS, batch_size=batch, learning_rate=1e-3, save_every=10**6, log_every=1)
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    curves: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for side, work in (
                ("plain", lambda told: plain_tuning(shape, window, data, recipe, Path(folder) / "plain", told)),
                ("ours", lambda told: our_tuning(shape, window, data, recipe, Path(folder) / "ours", bf16, told)),
            ):
                curves[side], seconds_a_step = watched(work)
                seconds[side].append(seconds_a_step)
    worst = max(abs(a - b) for a, b in zip(curves["plain"], curves["ours"], strict=True))
    assert worst < (3e-2 if bf16 else 1e-3), f"loss curves differ by {worst}"
    precision = "ours in bfloat16" if bf16 else "both in float32"
    return row(f"tuning, {name}, L' = {window}, {precision}", 1, "steps/s", seconds, f"losses within {worst:.0e}")


def watched(work: Callable[[Callable[[dict[str, float]], None]], None]) -> tuple[list[float], float]:
    """The losses that a training reports, one a step, and the median seconds from one report to the next."""
    losses: list[float] = []
    times: list[float] = []

    def told(values: dict[str, float]) -> None:
        if "train/loss" in values:
            losses.append(values["train/loss"])
            times.append(time.perf_counter())

    work(told)
    return losses, statistics.median(later - earlier for earlier, later in pairwise(times))


def plain_tuning(
    shape: dict[str, Any],
    window: int,
    data: Any,
    recipe: Train,
    folder: Path,
    told: Callable[[dict[str, float]], None],
) -> None:
    """The Trainer as it comes, with the same optimiser and schedule."""
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=recipe.steps, per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate, adam_beta1=recipe.beta1, adam_beta2=recipe.beta2, weight_decay=0.0,
        max_grad_norm=recipe.clip, train_sampling_strategy="sequential", save_strategy="no", logging_steps=1,
        report_to=[], use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(
        model=random_model(shape, window), args=arguments, train_dataset=data, callbacks=[training.Forward(told)]
    )
    trainer.remove_callback(PrinterCallback)
    trainer.create_optimizer()
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(trainer.optimizer, training.learning_rate_factor(recipe))
    trainer.train()


def our_tuning(
    shape: dict[str, Any],
    window: int,
    data: Any,
    recipe: Train,
    folder: Path,
    bf16: bool,
    told: Callable[[dict[str, float]], None],
) -> None:
    """The same through `training.tune`."""
    training.tune(
        lambda: random_model(shape, window), data, recipe, folder, micro_batch=recipe.batch_size, device="cpu",
        bf16=bf16, compiled=False, seed=0, listener=told,
    )  # fmt: skip


def timed(work: Callable[[], Any], results: dict[str, Any], side: str) -> float:
    """Seconds that `work` takes; its result is kept under `side`."""
    started = time.perf_counter()
    results[side] = work()
    return time.perf_counter() - started


def row(
    what: str, amount: int, unit: str, seconds: dict[str, list[float]], agreement: str, saved: str = "1.00"
) -> list[str]:
    """A table row: median rates, and the ratio of each round with its spread beside that of the arithmetic."""
    plain, ours = (amount / statistics.median(seconds[side]) for side in ("plain", "ours"))
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return [what, f"{plain:.3g} {unit}", f"{ours:.3g} {unit}", ratio, saved, agreement]


def main() -> None:
    """Measure, print, write."""
    rows = [
        evaluation("tiny", TINY, 256, 32, 64),
        evaluation("tiny", TINY, 1024, 128, 24),
        evaluation("SmolLM2-135M shape", SMOLLM2, 2048, 256, 3),
        *(
            tuning("tiny", TINY, 1024, 4, bf16)
            for bf16 in ([False, True] if compute.dtype(Compute()) == "bfloat16" else [False])
        ),
    ]
    header = ["what", "plain recipe", "ours", "ratio (spread)", "of operations", "agreement"]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
    table = "\n".join(lines) + "\n"
    conditions = (
        f"CPU, {torch.get_num_threads()} threads, torch {torch.__version__}, median of {ROUNDS} rounds in "
        "float32 unless a row says otherwise. Plain: one window at a time, full logits, default cache; the Trainer as "
        "it comes. The spread of a ratio is over rounds. Of operations: how many times fewer floating-point operations "
        "ours needs; a ratio above it comes from batching, no cache and precision."
    )
    files.write_text(
        Path("results/benchmark/README.md"), f"# Speed against the plain recipes\n\n{conditions}\n\n{table}"
    )
    print(table)


if __name__ == "__main__":
    main()
