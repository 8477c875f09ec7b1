"""Costs as tables: of one run for the terminal, of several for a page."""

from collections.abc import Sequence

from position_interpolation.display import terminal
from position_interpolation.display.tables import Column, Table, fill
from position_interpolation.evidence.extensions import LABELS
from position_interpolation.evidence.words import rate_text, thousands
from position_interpolation.planning.costs import Costs, Tuning
from position_interpolation.settings import derived
from position_interpolation.tasks.perplexity import config as perplexity_config

GIB = 2**30
# What readers call the parts of `Memory`, in the order of a table.
NAMES = {
    "weights": "weights, float32",
    "gradients": "gradients, float32",
    "optimizer": "AdamW's two moments, float32",
    "gathered": "whole copies of what is at work, bfloat16",
    "activations": "activations, bfloat16",
    "loss": "last states, head and logits, float32",
    "total": "total",
}


def print_costs(costs: Costs) -> None:
    """Print everything planned for one run."""
    console = terminal.opened()
    treatment = derived.treatment(costs.config)
    method = LABELS.get(treatment.method, treatment.method)
    extension = f"{costs.config.model.name}, {method} x{treatment.factor:g}, L' = {treatment.window}"
    console.rule(f"[bold]{extension}: what it costs")
    tuned = [] if costs.tuning is None else [("Tuning", tuning(costs)), ("Memory of a GPU, GiB", memory(costs))]
    for title, table in [*tuned, ("Perplexity", evaluation(costs))]:
        terminal.show(console, table, title)


def tuning(costs: Costs) -> Table:
    """What tuning costs, and how each number is computed."""
    planned, sequence, task = _tuned(costs), derived.sequence(costs.config), costs.task
    steps, batch = costs.config.train.steps, costs.config.train.batch_size
    seen = f"6 layers queries ({sequence} + 1)"
    if any(costs.shape.spans):
        seen = "12 queries x keys seen in every layer, some of which see a sliding window"
    lines = (
        ("Parameters", thousands(costs.shape.parameters), f"{costs.shape.layers} layers of {costs.shape.hidden}"),
        ("Tokens", f"{planned.tokens / 1e9:.3g} x 10^9", f"{steps} steps x {batch} sequences x {sequence}"),
        ("FLOPs a token", f"{planned.flops_per_token / 1e9:.3g} x 10^9", f"6 N + {seen}"),
        ("FLOPs", f"{planned.flops / 1e18:.3g} x 10^18", "tokens x FLOPs a token"),
        ("Hours", quantity(planned.hours), _assumed(costs)),
        ("Fewest GPUs", count(planned.fewest_kept), f"{task.gpu} that hold it and share the batch evenly"),
        ("Fewest GPUs, checkpointed", count(planned.fewest_checkpointed), "the same, activations made again"),
    )
    caption = (
        f"N: elements of all matrices with the head, without the embedding. Queries of a position: "
        f"{costs.shape.heads} heads of {costs.shape.head_dimension}."
    )
    columns = (
        Column("Number", lambda number, value, how: number),
        Column("Value", lambda number, value, how: value),
        Column("How", lambda number, value, how: how),
    )
    return fill(lines, columns, caption)


def memory(costs: Costs) -> Table:
    """What fills a GPU, with activations kept and checkpointed."""
    planned = _tuned(costs)
    columns = (
        Column("Number", NAMES.get),
        Column("kept", lambda name: getattr(planned.kept, name) / GIB, tenths),
        Column("checkpointed", lambda name: getattr(planned.checkpointed, name) / GIB, tenths),
    )
    sharing = costs.config.compute.context_parallel
    shared = "a GPU" if sharing == 1 else f"for {sharing} GPUs together"
    caption = (
        f"{costs.task.gpus} x {costs.task.gpu}, one sequence {shared} at a time; "
        f"{tenths(costs.cluster.gpu.usable / GIB)} GiB of each are taken for usable. "
        "Activations all kept, or made again from the layers' inputs."
    )
    return fill(NAMES, columns, caption)


def evaluation(costs: Costs) -> Table:
    """What sliding-window perplexity costs at each window size, in full and sampled."""
    columns = (
        Column("Window", lambda each: each.window),
        Column("Windows run", lambda each: each.full.windows, thousands),
        Column("10^6 positions", lambda each: each.full.positions / 1e6, quantity),
        Column("10^18 FLOPs", lambda each: each.full.flops / 1e18, quantity),
        Column("Hours", lambda each: costs.cluster.hours(each.full.flops), quantity),
        Column("Sampled", lambda each: each.sampled.windows, thousands),
        Column("Hours, sampled", lambda each: costs.cluster.hours(each.sampled.flops), quantity),
        Column("Times fewer", lambda each: each.full.flops / each.sampled.flops, quantity),
    )
    task = costs.task
    caption = (
        f"{thousands(task.documents)} documents of {thousands(task.tokens_per_document)} tokens, stride "
        f"{perplexity_config.stride(costs.config, task)}; sampled with task.sample={task.sample}; {_assumed(costs)}. "
        f"A GPU {'holds' if costs.evaluation_fits else 'does not hold'} the whole model and a window of "
        f"{costs.evaluations[-1].window}, which every process needs."
    )
    return fill(costs.evaluations, columns, caption)


def tuning_runs(runs: Sequence[Costs]) -> Table:
    """One row per run: what its tuning costs."""
    columns = (
        Column("Model", lambda costs: costs.config.model.name),
        Column("L'", lambda costs: derived.reach(costs.config)),
        Column("Rate", lambda costs: f"{costs.config.train.learning_rate:g}"),
        Column("Batch", lambda costs: costs.config.train.batch_size),
        Column("GPUs", lambda costs: costs.task.gpus),
        Column("Tokens, 10^9", lambda costs: _tuned(costs).tokens / 1e9, quantity),
        Column("FLOPs a token, 10^9", lambda costs: _tuned(costs).flops_per_token / 1e9, quantity),
        Column("FLOPs, 10^18", lambda costs: _tuned(costs).flops / 1e18, quantity),
        Column("Hours", lambda costs: _tuned(costs).hours, quantity),
        Column("GiB a GPU", lambda costs: _tuned(costs).kept.total / GIB, tenths),
        Column("checkpointed", lambda costs: _tuned(costs).checkpointed.total / GIB, tenths),
        Column("Fewest GPUs", lambda costs: count(_tuned(costs).fewest_kept)),
        Column("checkpointed", lambda costs: count(_tuned(costs).fewest_checkpointed)),
    )
    task, usable = runs[0].task, tenths(runs[0].cluster.gpu.usable / GIB)
    caption = (
        f"{task.gpu} at {rate_text(task.utilisation)} of the peak, {usable} GiB of each usable; `checkpointed`: the "
        "column before it with activations made again."
    )
    return fill(runs, columns, caption)


def evaluation_runs(runs: Sequence[Costs]) -> Table:
    """One row per run: GPU hours of sliding-window perplexity at all its windows together."""

    def flops(costs: Costs, kind: str) -> float:
        return float(sum(getattr(each, kind).flops for each in costs.evaluations))

    def hours(costs: Costs, kind: str) -> float:
        return costs.cluster.hours(flops(costs, kind)) * costs.cluster.count

    columns = (
        Column("Model", lambda costs: costs.config.model.name),
        Column("L'", lambda costs: derived.reach(costs.config)),
        Column("Positions, 10^6", lambda costs: sum(each.full.positions for each in costs.evaluations) / 1e6, quantity),
        Column("FLOPs, 10^18", lambda costs: flops(costs, "full") / 1e18, quantity),
        Column("GPU hours", lambda costs: hours(costs, "full"), quantity),
        Column("sampled", lambda costs: hours(costs, "sampled"), quantity),
        Column("Times fewer", lambda costs: flops(costs, "full") / flops(costs, "sampled"), quantity),
        Column("One GPU holds it", lambda costs: "yes" if costs.evaluation_fits else "no"),
    )
    task = runs[0].task
    caption = (
        f"Windows L, 2 L, ... L' of {thousands(task.documents)} documents of {thousands(task.tokens_per_document)} "
        f"tokens, stride L / 8; sampled with task.sample={task.sample}; {task.gpu} at {rate_text(task.utilisation)} of "
        "the peak."
    )
    return fill(runs, columns, caption)


def _tuned(costs: Costs) -> Tuning:
    assert costs.tuning is not None
    return costs.tuning


def _assumed(costs: Costs) -> str:
    peak = f"{costs.cluster.gpu.teraflops:g} TFLOP/s"
    return f"{costs.task.gpus} x {costs.task.gpu} at {rate_text(costs.task.utilisation)} of {peak}"


def quantity(value: float) -> str:
    """A number with three significant digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def tenths(value: float) -> str:
    """A number with one decimal."""
    return f"{value:,.1f}"


def count(gpus: int | None) -> str:
    """A number of GPUs; `none` if no number is enough."""
    return "none" if gpus is None else str(gpus)
