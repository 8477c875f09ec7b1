"""Passkey retrieval by distance: success, and the key's log-likelihood."""

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from position_interpolation.display.colours import GREY, VERMILION
from position_interpolation.display.drawing import line
from position_interpolation.evidence import select
from position_interpolation.evidence.extensions import names, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, whole

SUCCESS_COLOURS = "cividis"  # made to read the same with colour blindness


def passkey_figure(records: Sequence[Record], rule: str) -> Figure:
    """Success rate by extension (rows) and distance k of the passkey from the prompt's end (columns).

    Args:
        records: one group of `rules.passkeys`.
        rule: by which answers were judged.
    """
    asked = select.asked(records)
    called = names([extension for extension, _ in asked])
    several = len(asked) > len(called)  # the same extension asked in prompts of several lengths
    figure = Figure(figsize=(11, 1.9 + 0.6 * len(asked)), layout="constrained")
    axes = figure.subplots()
    colours = colormaps[SUCCESS_COLOURS]
    farthest = max(window for _, window in asked)
    trials = 0
    for row, (extension, window) in enumerate(asked):
        rates = select.by_distance(records, extension, window)
        start = 0
        for distance, record in rates.items():
            axes.barh(row, distance - start, left=start, height=0.8, color=colours(record.value), linewidth=0)
            start, trials = distance, record.n_documents or 0
        longest = select.find(records, extension, "k_max", window)
        if longest is not None:
            _mark_longest(axes, row, longest, farthest)
    for edge in sorted({extension.base_window for extension, _ in asked}):
        axes.axvline(edge, color=VERMILION, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"L = {edge}", (edge, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", color=VERMILION, fontsize="small",
        )  # fmt: skip
    axes.set_yticks(
        range(len(asked)),
        [called[item] + (f", prompt {window}" if several else "") for item, window in asked],
    )
    axes.set_ylim(len(asked) - 0.4, -0.6)
    axes.set_xlim(0, farthest)
    axes.set_xticks([farthest * part // 8 for part in range(9)])
    axes.set_xlabel("distance k of the passkey from the end of the prompt (tokens)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), colours), ax=axes, pad=0.11, fraction=0.03, aspect=12)
    bar.set_label("success rate")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    figure.suptitle(
        f"Passkey retrieval, rule {rule}, {plural(trials, 'trial')} at each distance; thick bars: $k_{{max}}$, "
        "in brackets its 95 % interval",
        fontsize="medium",
    )
    return figure


def likelihood_figure(records: Sequence[Record], rule: str) -> Figure:
    """The key's mean log-likelihood by distance, one line an extension; it tells apart where success is 0 or 1.

    Args:
        records: the log-likelihoods of one group of `rules.passkeys`.
        rule: by which answers were judged.
    """
    extensions, called = ordered(records), names(ordered(records))
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    for extension, window in select.asked(records):
        found = select.by_distance(records, extension, window, "key_log_likelihood")
        line(axes, list(found.values()), list(found), extension, extensions, f"{called[extension]}, prompt {window}")
    guess = math.log(1 / 10)
    axes.axhline(guess, color=GREY, linestyle="--", linewidth=1.2, label=f"guessing a digit: ln(1/10) = {guess:.2f}")
    axes.set_xlim(left=0)
    axes.set_xlabel("distance k of the passkey from the end of the prompt (tokens)")
    axes.set_ylabel("log-likelihood of the key (nats a digit)")
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    trials = min(record.n_documents or 0 for record in records)
    figure.suptitle(
        f"mean over {plural(trials, 'trial')} at each distance, rule {rule}; bars: 95 %, Student's t",
        fontsize="small",
        color="0.35",
    )
    return figure


def _mark_longest(axes: Axes, row: int, longest: Record, farthest: int) -> None:
    """A bar where unbroken retrieval ends, and k_max with its interval at the right."""
    interval = (
        ""
        if longest.ci_low is None or longest.ci_high is None
        else (f"\n[{whole(longest.ci_low)}, {whole(longest.ci_high)}]")
    )
    axes.annotate(
        f"$k_{{max}}$ = {whole(longest.value)}{interval}", (farthest, row), xytext=(8, 0),
        textcoords="offset points", va="center", fontsize="small", annotation_clip=False,
    )  # fmt: skip
    axes.add_line(
        Line2D(
            [longest.value, longest.value],
            [row - 0.44, row + 0.44],
            color=VERMILION,
            linewidth=2.5,
            clip_on=False,
        )
    )
