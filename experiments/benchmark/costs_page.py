"""The sections of the page on what work costs a machine: where time goes, growth with the window, peak memory."""

import statistics
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from position_interpolation.display import drawing

Measured = dict[str, Any]  # a row, or all that one machine measured: its conditions, and rows by part

COLOURS = {"ours": "#0072B2", "theirs": "#D55E00"}  # of the palette that all figures use
MACHINES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "v"))  # colour and marker of each
LABELS = {
    "theirs": "transformers", "theirs, logits of the scored rows": "transformers, logits of the scored rows alone",
    "ours": "ours",
    "theirs, compiled": "transformers, compiled", "ours, compiled": "ours, compiled",
}  # fmt: skip
STYLES = {
    "theirs": "s--", "theirs, logits of the scored rows": "d:", "theirs, compiled": "^:",
    "ours": "o-", "ours, compiled": "v-.",
}  # fmt: skip
KINDS = {
    "evaluation": "above the loaded model; transformers has all logits, ours those of the 256 scored rows",
    "tuning": "weights, gradients and moments included",
    "tuning, recomputed": "activations made again in the backward pass",
}
GIB = 2**30
PRODUCT, COPY = "one large matrix product", "one large copy"  # the rows that say what the machine can do


def peaks(measured: Measured) -> dict[str, float]:
    """FLOPs a second of one large matrix product, by precision."""
    return {row["precision"]: row["rate"] for row in measured.get("machine", ()) if row["what"] == PRODUCT}


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def limits(part: str, machines: dict[str, Measured], _: Path) -> str:
    """The machines' peaks, and where the time goes."""
    said, rows = [], []
    for name, measured in machines.items():
        rates = peaks(measured)
        (bandwidth,) = (row["rate"] for row in measured[part] if row["what"] == COPY)
        products = " and ".join(f"{rate / 1e9:,.0f} GFLOP/s in {precision}" for precision, rate in rates.items())
        said.append(
            f"- {name}: one large matrix product reaches {products}; a large copy moves {bandwidth / 1e9:.1f} GB/s, "
            "reads and writes counted."
        )
        rows += [_share(row, name, rates) for row in measured[part] if "flops" in row]
    header = ["what", "precision", "machine", "s", "linear layers", "attention", "head and loss", "rest"]
    header += ["softmax", "all matrix products", "of peak"]
    return "## The machines, and where the time goes\n\n" + "\n\n".join(["\n".join(said), table(header, rows), SHARES])


def _share(row: Measured, machine: str, rates: dict[str, float]) -> list[str]:
    parts = ("products", "attention", "loss", "rest", "softmax", "multiplied")
    return [
        row["what"], row["precision"], machine, f"{row['seconds']:.3g}",
        *(f"{row[part] / row['seconds']:.0%}" if part in row else "" for part in parts),
        f"{row['flops'] / row['seconds'] / rates[row['precision']]:.0%}",
    ]  # fmt: skip


SHARES = (
    "FLOPs are counted by the planner's formula, useful work only. Of a forward the head is one of the linear layers. "
    "The softmax and all matrix products are counted in what they belong to, too. The rest is norms, rotation, "
    "activation, residuals, casts, and in tuning the optimiser. torch's own attention, in float32, has both within it, "
    "where they are not seen. Compiled: with `compute.compile=true`, each layer by torch.compile. One call each, under "
    "torch's profiler, which makes small operations longer: shares rather than speeds."
)


def growth(part: str, machines: dict[str, Measured], results: Path) -> str:
    """Seconds against window, and what the FLOPs give at one rate for all windows, the mean of theirs."""
    cells = []
    for name, measured in machines.items():
        rate = mean_rate(measured[part])
        cells += [
            [
                name, f"{row['window']}", f"{row['seconds']:.3g}", f"{row['flops'] / 1e12:.3g}",
                f"{row['flops'] / row['seconds'] / 1e9:.0f}", f"{row['seconds'] * rate / row['flops'] - 1:+.0%}",
            ]
            for row in measured[part]
        ]  # fmt: skip
    drawing.save(growth_figure({name: measured[part] for name, measured in machines.items()}), results / "growth")
    header = ["machine", "W", "s", "TFLOP", "GFLOP/s", "time against the FLOPs at one rate"]
    return f"## Cost against window\n\n![Seconds of a forward against its window](growth.png)\n\n{table(header, cells)}"


def mean_rate(found: list[Measured]) -> float:
    """FLOPs a second: the geometric mean over the windows."""
    return statistics.geometric_mean([row["flops"] / row["seconds"] for row in found])


@drawing.styled
def growth_figure(found: dict[str, list[Measured]]) -> Figure:
    """Seconds against window of every machine, and what the FLOPs take at its mean rate."""
    figure, (axes,) = drawing.panels(2)
    for (name, rows), (colour, marker) in zip(found.items(), cycle(MACHINES), strict=False):
        windows, rate = [row["window"] for row in rows], mean_rate(rows)
        axes.plot(windows, [row["seconds"] for row in rows], marker, color=colour, label=f"measured: {name}")
        expected = [row["flops"] / rate for row in rows]
        axes.plot(windows, expected, "--", color=colour, label=f"FLOPs at {rate / 1e9:.0f} GFLOP/s")
    drawing.log_ticks(axes, sorted({row["window"] for rows in found.values() for row in rows}))
    drawing.log_axis(axes)
    axes.set(xlabel="evaluation window W (tokens)", ylabel="one forward (s)")
    drawing.finish(figure, "SmolLM2-135M, last 256 tokens scored")
    return figure


Peaks = dict[str, dict[str, dict[int, int | None]]]  # bytes by kind of work, side and window; None: over 20 GiB


def memory(part: str, machines: dict[str, Measured], results: Path) -> str:
    """Of each machine: peak memory against window, every side, and the longest window that a small machine holds."""
    sections = ["## Peak memory, SmolLM2-135M"]
    for number, (name, measured) in enumerate(machines.items(), start=1):
        own: Peaks = {kind: {} for kind in KINDS if any(row["kind"] == kind for row in measured[part])}
        # Rows stand in the order in which they were measured: a line needs its windows in their own.
        for row in sorted(measured[part], key=lambda row: (list(LABELS).index(row["side"]), row["window"])):
            own[row["kind"]].setdefault(row["side"], {})[row["window"]] = row["bytes"]
        stem = "memory" if number == 1 else f"memory_{number}"
        drawing.save(memory_figure(own), results / stem)
        picture = f"![Peak memory against window]({stem}.png)"
        fast = list(peaks(measured))[:1]  # its fast precision, in which memory is measured
        sections += [f"### {', '.join([name, *fast])}", picture, *(_sizes(kind, peak) for kind, peak in own.items())]
    return "\n\n".join(sections)


def _sizes(kind: str, peak: dict[str, dict[int, int | None]]) -> str:
    """One kind of work: a table of every side, and how far 24 GiB reach."""
    windows = sorted({window for sizes in peak.values() for window in sizes})
    rows = [[f"{window}", *(lower(peak, side, window) for side in peak)] for window in windows]
    reach = {side: longest(sizes) for side, sizes in peak.items()}
    farthest = ", ".join(f"{tokens:,} tokens ({LABELS[side]})" for side, tokens in reach.items() if tokens)
    return (
        f"{kind.capitalize()} ({KINDS[kind]}), and how many times lower than transformers:\n\n"
        f"{table(['window', *(LABELS[side] for side in peak)], rows)}\n\n"
        f"Longest window in 24 GiB, by the line through the last two: {farthest or 'not known'}."
    )


@drawing.styled
def memory_figure(own: Peaks) -> Figure:
    """A panel a kind of work: bytes by side and window."""
    figure, panels = drawing.panels(*[1.6] * len(own))
    for axes, (kind, peak) in zip(panels, own.items(), strict=True):
        for side, sizes in peak.items():
            held = {window: size / GIB for window, size in sizes.items() if size is not None}
            colour = COLOURS[side.split(",")[0]]
            axes.plot(list(held), list(held.values()), STYLES[side], color=colour, label=LABELS[side])
        drawing.log_ticks(axes, sorted({window for sizes in peak.values() for window in sizes}))
        axes.set(ylim=(0, None), ylabel="peak (GiB)", title=kind)
    panels[-1].set_xlabel("window (tokens)")
    drawing.finish(figure, "SmolLM2-135M: evaluation above the loaded model, tuning with weights and moments")
    return figure


def longest(peak: dict[int, int | None]) -> int | None:
    """Tokens at which a peak reaches 24 GiB, less 1 GiB for the program and the loaded model; whole thousands.

    None where fewer than two windows were measured, or memory did not grow.
    """
    known = [(window, size) for window, size in peak.items() if size is not None]
    if len(known) < 2 or known[-1][1] <= known[-2][1]:
        return None
    (shorter, less), (longer, more) = known[-2:]
    tokens = longer + (23 * GIB - more) * (longer - shorter) / (more - less)
    return int(tokens // 1000) * 1000


def lower(peak: dict[str, dict[int, int | None]], side: str, window: int) -> str:
    """In GiB; how many times lower than theirs, but for theirs itself; empty where it was not measured."""
    if window not in peak[side]:
        return ""
    size, theirs = peak[side][window], peak.get("theirs", {}).get(window)
    if size is None:
        return "over 20 GiB"
    times = "" if theirs is None or side == "theirs" else f" (**{theirs / size:.2f}**)"
    return f"{size / GIB:.2f} GiB{times}"
