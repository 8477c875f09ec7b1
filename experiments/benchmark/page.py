"""results/benchmark/README.md and its figures, from measured.json alone."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from position_interpolation.display import drawing
from position_interpolation.machine import files

from .rounds import Row

COLOURS = {"ours": "#0072B2", "theirs": "#D55E00"}  # of the palette that all figures use
LABELS = {
    "theirs": "transformers", "theirs, logits of the scored rows": "transformers, logits of the scored rows alone",
    "ours": "ours",
    "theirs, compiled": "transformers, compiled", "ours, compiled": "ours, compiled",
}  # fmt: skip
STYLES = {
    "theirs": "s--", "theirs, logits of the scored rows": "d:", "theirs, compiled": "^:",
    "ours": "o-", "ours, compiled": "v-.",
}  # fmt: skip
GIB = 2**30
PRODUCT, COPY = "one large matrix product", "one large copy"  # the rows that say what the machine can do
Measured = dict[str, Any]


def write(results: Path) -> None:
    """Render what was measured so far."""
    measured: Measured = json.loads((results / "measured.json").read_text())
    parts: dict[str, Callable[[list[Measured], str, dict[str, float], Path], str]] = {
        "machine": limits, "perplexity": comparisons, "passkey": comparisons, "tuning": comparisons,
        "growth": growth, "memory": memory, "trials": tried,
    }  # fmt: skip
    peaks = {row["precision"]: row["rate"] for row in measured.get("machine", ()) if row["what"] == PRODUCT}
    sections = [
        f"{render(measured[part], part, peaks, results)}\n\n{where(measured['conditions'], measured[part])}"
        for part, render in parts.items()
        if part in measured
    ]
    text = (
        f"# Speed and memory: {measured['conditions']['machine']}\n\n"
        + INTRODUCTION
        + "\n\n"
        + "\n\n".join(sections)
        + "\n"
    )
    files.write_text(results / "README.md", text)


INTRODUCTION = (
    "Ours against others' own functions on the same weights, text and precision, taking turns; made by "
    "`python -m experiments.benchmark`, every number from measured.json. A ratio is their seconds over ours: median of "
    "the rounds; in brackets the smallest, the largest and the number of rounds. What is compared, and what is not, is "
    "said in [experiments/benchmark](../../experiments/benchmark/README.md)."
)


def where(conditions: dict[str, str], rows: list[Measured]) -> str:
    """One line on what a section was measured on, with what, and when."""
    versions = [f"{name} {value}" for name, value in conditions.items() if name != "machine"]
    theirs = sorted({f"{row['side']} {row['version']}" for row in rows if row.get("version")})
    days = sorted({row["measured"] for row in rows})
    return f"_{', '.join([conditions['machine'], *versions, *theirs])}; {', '.join(days)}._"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def comparisons(found: list[Measured], part: str, peaks: dict[str, float], _: Path) -> str:
    """A table of ratios, with the share of the machine's peak that ours reaches."""
    cells = []
    for data in found:
        row = Row(**{name: value for name, value in data.items() if name != "measured"})
        ours = statistics.median(row.ours)
        share = None if row.flops is None or row.precision not in peaks else row.flops / ours / peaks[row.precision]
        ratios = row.ratios
        cells.append(
            [
                row.what, row.precision, row.side, f"{statistics.median(row.theirs):.3g}", f"{ours:.3g}",
                f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)})",
                *(("", "") if share is None else (f"{share:.0%}", f"{statistics.median(ratios) / share:.1f}")),
                row.agreement, row.notes,
            ]
        )  # fmt: skip
    header = ["what", "precision", "against", "theirs, s", "ours, s", "ratio", "of peak", "at the peak"]
    header += ["agreement", "work"]
    return f"## {part.capitalize()}\n\n{table(header, cells)}\n\n{CEILING}"


CEILING = (
    "Of peak: the share of the machine's own matrix-product rate that ours reaches, by the FLOPs that the work "
    "needs. At the peak: what the ratio would be if ours reached all of it, that is, without a softmax, a norm or a "
    "rotation. The rate was measured once and moves by a tenth from hour to hour, and these two columns with it."
)


def limits(found: list[Measured], part: str, peaks: dict[str, float], _: Path) -> str:
    """The machine's peaks, and where the time goes."""
    lines = [f"{value / 1e9:,.0f} GFLOP/s in {precision}" for precision, value in peaks.items()]
    (bandwidth,) = (row["rate"] for row in found if row["what"] == COPY)
    text = (
        f"One large matrix product reaches {' and '.join(lines)}; a large copy moves "
        f"{bandwidth / 1e9:.1f} GB/s, reads and writes counted. FLOPs are counted by the "
        "planner's formula, useful work only.\n\n"
    )
    parts = ("products", "attention", "loss", "rest", "softmax", "multiplied")
    rows = [
        [
            share["what"], share["precision"], f"{share['seconds']:.3g}",
            *(f"{share[part] / share['seconds']:.0%}" if part in share else "" for part in parts),
            f"{share['flops'] / share['seconds'] / peaks[share['precision']]:.0%}",
        ]
        for share in found
        if "flops" in share
    ]  # fmt: skip
    header = ["what", "precision", "s", "linear layers", "attention", "head and loss", "rest"]
    header += ["softmax", "all matrix products", "of peak"]
    return f"## The machine, and where the time goes\n\n{text}{table(header, rows)}\n\n{SHARES}"


SHARES = (
    "Of a forward the head is one of the linear layers. The softmax and all matrix products are counted in what they "
    "belong to, too. The rest is norms, rotation, activation, residuals, casts, and in tuning the optimiser. "
    "torch's own attention, in float32, has both within it, where they are not seen. Compiled: with "
    "`compute.compile=true`, each layer by torch.compile. One call each, under torch's profiler, which makes small "
    "operations longer: shares rather than speeds."
)


def growth(found: list[Measured], part: str, peaks: dict[str, float], results: Path) -> str:
    """Seconds against window, and what its FLOPs give at one rate for all windows, the mean of theirs."""
    rate = statistics.geometric_mean([row["flops"] / row["seconds"] for row in found])
    cells = [
        [
            f"{row['window']}", f"{row['seconds']:.3g}", f"{row['flops'] / 1e12:.3g}",
            f"{row['flops'] / row['seconds'] / 1e9:.0f}", f"{row['seconds'] * rate / row['flops'] - 1:+.0%}",
        ]
        for row in found
    ]  # fmt: skip
    drawing.save(growth_figure(found, rate), results / "growth")
    header = ["W", "s", "TFLOP", "GFLOP/s", "time against the FLOPs at one rate"]
    return f"## Cost against window\n\n![Seconds of a forward against its window](growth.png)\n\n{table(header, cells)}"


@drawing.styled
def growth_figure(found: list[Measured], rate: float) -> Figure:
    """Seconds against window, and what the FLOPs take at `rate` a second."""
    windows = [row["window"] for row in found]
    figure, (axes,) = drawing.panels(2)
    axes.plot(windows, [row["seconds"] for row in found], "o", color=COLOURS["ours"], label="measured")
    expected = [row["flops"] / rate for row in found]
    axes.plot(windows, expected, "--", color="black", label=f"FLOPs at {rate / 1e9:.0f} GFLOP/s")
    drawing.log_ticks(axes, windows)
    drawing.log_axis(axes)
    axes.set(xlabel="evaluation window W (tokens)", ylabel="one forward (s)")
    drawing.finish(figure, "SmolLM2-135M, last 256 tokens scored")
    return figure


def memory(found: list[Measured], part: str, peaks: dict[str, float], results: Path) -> str:
    """Peak memory against window, every side, and the longest window that a small machine holds."""
    kinds = {
        "evaluation": "above the loaded model; transformers has all logits, ours those of the 256 scored rows",
        "tuning": "weights, gradients and moments included",
        "tuning, recomputed": "activations made again in the backward pass",
    }
    kinds = {kind: what for kind, what in kinds.items() if any(row["kind"] == kind for row in found)}
    peaks_of: dict[str, dict[str, dict[int, int | None]]] = {}
    tables = []
    for kind, what in kinds.items():
        peak = peaks_of.setdefault(kind, {})
        for row in found:
            if row["kind"] == kind:
                peak.setdefault(row["side"], {})[row["window"]] = row["bytes"]
        windows = sorted({window for sizes in peak.values() for window in sizes})
        rows = [[f"{window}", *(lower(peak, side, window) for side in peak)] for window in windows]
        reach = {side: longest(sizes) for side, sizes in peak.items()}
        farthest = ", ".join(f"{tokens:,} tokens ({LABELS[side]})" for side, tokens in reach.items() if tokens)
        tables.append(
            f"{kind.capitalize()} ({what}), and how many times lower than transformers:\n\n"
            f"{table(['window', *(LABELS[side] for side in peak)], rows)}\n\n"
            f"Longest window in 24 GiB, by the line through the last two: {farthest or 'not known'}."
        )
    drawing.save(memory_figure(peaks_of), results / "memory")
    return "## Peak memory, SmolLM2-135M\n\n![Peak memory against window](memory.png)\n\n" + "\n\n".join(tables)


@drawing.styled
def memory_figure(peaks: dict[str, dict[str, dict[int, int | None]]]) -> Figure:
    """A panel a kind of work: bytes by side and window."""
    figure, panels = drawing.panels(*[1.6] * len(peaks))
    for axes, (kind, peak) in zip(panels, peaks.items(), strict=True):
        for side, sizes in peak.items():
            own = {window: size / GIB for window, size in sizes.items() if size is not None}
            colour = COLOURS[side.split(",")[0]]
            axes.plot(list(own), list(own.values()), STYLES[side], color=colour, label=LABELS[side])
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


def tried(found: list[Measured], part: str, peaks: dict[str, float], _: Path) -> str:
    """Ideas, by how much each helps, and what became of it."""
    cells = [
        [
            row["idea"], row["what"], f"**{statistics.median(row['gains']):.2f}** ({min(row['gains']):.2f} to "
            f"{max(row['gains']):.2f}, {len(row['gains'])})", row["kept"],
        ]
        for row in found
    ]  # fmt: skip
    return (
        "## What was tried\n\nHow many times faster an idea makes the work named beside it, everything else as the "
        "engine has it: a batch's evaluation; of its tuning the head and loss alone, or the optimiser alone, but for "
        f"freed memory the whole step.\n\n{table(['idea', 'work', 'times faster', 'kept'], cells)}"
    )


def lower(peak: dict[str, dict[int, int | None]], side: str, window: int) -> str:
    """In GiB; how many times lower than theirs, but for theirs itself; empty where it was not measured."""
    if window not in peak[side]:
        return ""
    size, theirs = peak[side][window], peak.get("theirs", {}).get(window)
    if size is None:
        return "over 20 GiB"
    times = "" if theirs is None or side == "theirs" else f" (**{theirs / size:.2f}**)"
    return f"{size / GIB:.2f} GiB{times}"
