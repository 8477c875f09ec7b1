"""Settings and stopped bases compared: cells are records, plain tables go without, and noise is called noise."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.patches import Rectangle
from test_report import CURVES, L, column, outcome, passkeys, perplexities, positions, verdict, write

from position_interpolation.comparisons.base_tokens import page as base_tokens_page
from position_interpolation.comparisons.base_tokens import tables as base_tokens
from position_interpolation.comparisons.sweeps import page as settings_page
from position_interpolation.comparisons.sweeps import tables as settings_tables
from position_interpolation.evidence import select
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension, names
from position_interpolation.evidence.records import Record
from position_interpolation.report.pages import render
from position_interpolation.tasks.passkey import rules


def pi(count: int, base_tokens: int | None = None) -> Extension:
    return Extension("tiny", "pi", 4.0, 4 * L, count, base_tokens)


def tuned(count: int, base_tokens: int | None = None) -> Extension:
    return Extension("tiny", "extrapolation", 4.0, 4 * L, count, base_tokens)


def at_rate(rate: float, *at_four: float, spread: float = 0.02) -> list[Record]:
    """PI x4 after 100 and 200 steps of one learning rate; losses at 4 L as given."""
    losses = {pi(100 * (place + 1)): (3.2, 3.2, loss) for place, loss in enumerate(at_four)}
    return perplexities(losses, task="heldout", spread=spread, settings={"train.learning_rate": rate})


def of(experiment: str, rows: list[Record]) -> list[Record]:
    return [replace(row, experiment=experiment) for row in rows]


def only(rows: list[Record]) -> list[Record]:
    """The one group of compared settings."""
    (group,) = select.under_settings(rows).values()
    return group


class TestApart:
    @pytest.mark.parametrize(
        ("tokens", "name"),
        [(None, "tiny"), (8_000_000, "tiny-8M"), (500_000, "tiny-0.5M"), (13_926_400, "tiny-13.9M")],
    )
    def test_a_base_is_called_by_its_tokens(self, tokens: int | None, name: str) -> None:
        assert pi(80, tokens).base == name

    def test_bases_of_one_model_are_told_apart(self) -> None:
        found = names([pi(80, 4_000_000), pi(80, 8_000_000)])
        assert [*found.values()] == ["tiny-4M: PI x4, tuned 80 steps", "tiny-8M: PI x4, tuned 80 steps"]

    def test_they_stay_out_of_the_plain_tables(self) -> None:
        rows = at_rate(0.001, 3.1) + perplexities({pi(80, 8_000_000): (3.2, 3.2, 3.1)})
        assert select.perplexities(rows) == {}
        assert rules.passkeys(passkeys({pi(80, 8_000_000): lambda k: 1.0})) == {}

    def test_they_are_no_evidence_for_the_papers_claims(self) -> None:
        rows = of("table1_pg19", at_rate(0.001, 3.1) + perplexities({pi(80, 8_000_000): (3.2, 3.2, 3.1)}))
        assert Evidence(rows).plain == []
        assert Evidence(rows).models == ()
        assert [*Evidence(rows).of("pg19", "tiny")] == []

    def test_settings_stay_out_of_tables_by_position_and_of_heads(self) -> None:
        rows = [replace(row, settings={"train.clip": 2.0}) for row in positions(CURVES)]
        assert select.positions(rows) == {}
        assert select.heads([replace(row, task="heads") for row in rows]) == {}


SWEEP = [*at_rate(0.001, 3.2, 3.0), *at_rate(0.0001, 3.5, 3.4), *at_rate(0.01, 3.6, 3.7)]


class TestSweep:
    def test_rows_are_rates_columns_are_steps_cells_are_records(self) -> None:
        table = settings_tables.sweep_table(only(SWEEP))
        assert [row[3].value for row in table.rows] == ["0.0001", "0.001", "0.01"]
        (behind,) = (
            row
            for row in SWEEP
            if (row.settings, row.steps, row.eval_window) == ({"train.learning_rate": 0.001}, 200, 4 * L)
            and (row.metric, row.protocol) == ("perplexity", "token")
        )
        cell = column(table, 1, "200 steps")
        assert (cell.value, cell.low, cell.high) == (behind.value, behind.ci_low, behind.ci_high)

    def test_the_heat_map_frames_the_lowest(self) -> None:
        (axes,) = settings_page.sweep_figure(only(SWEEP)).axes
        assert len(axes.texts) == 6
        (frame,) = (patch for patch in axes.patches if isinstance(patch, Rectangle))
        assert (round(frame.get_x() + 0.48), round(frame.get_y() + 0.47)) == (1, 1)  # 200 steps, 0.001

    def test_perplexities_a_fifth_of_a_per_cent_apart_have_nearly_one_colour(self) -> None:
        close = [*at_rate(0.001, 3.2, 3.2), *at_rate(0.0001, 3.202, 3.202)]
        ((image,),) = (axes.images for axes in settings_page.sweep_figure(only(close)).axes)
        shades = image.norm(image.get_array())
        # Of the whole range of colours, which spans at least 5 %: a loss 0.002 higher is 0.2 % of perplexity.
        assert (shades[0] - shades[1]).tolist() == pytest.approx([0.002 / math.log(1.05)] * 2)

    def test_the_best_is_named(self) -> None:
        found = outcome(of("sweep_learning_rate", SWEEP), "best_learning_rate")
        (case,) = found.measured
        assert found.verdict == "holds"
        assert case.name == "tiny, PI x4 after 200 steps: 0.001 against 0.0001"
        assert case.effect is not None
        assert "edge" not in case.effect.detail

    def test_close_rates_are_noise_and_an_edge_is_said(self) -> None:
        other = at_rate(0.01, 3.101)
        documents = [row for row in other if (row.metric, row.eval_window) == ("document_loss", 4 * L)]
        moved = {id(row): replace(row, value=row.value + 0.1 * (-1) ** place) for place, row in enumerate(documents)}
        rows = at_rate(0.001, 3.1) + [moved.get(id(row), row) for row in other]
        (case,) = outcome(of("sweep_learning_rate", rows), "best_learning_rate").measured
        assert case.verdict == "within noise"
        assert case.effect is not None
        assert "edge of what was tried" in case.effect.detail

    def test_a_rate_tried_after_fewer_steps_alone_leaves_an_edge(self) -> None:
        rows = at_rate(0.0001, 3.3) + at_rate(0.001, 3.1, 2.9) + at_rate(0.01, 3.4, 3.2)
        (case,) = outcome(of("sweep_learning_rate", rows), "best_learning_rate").measured
        assert case.name == "tiny, PI x4 after 200 steps: 0.001 against 0.01"
        assert case.effect is not None
        assert "edge of what was tried" in case.effect.detail

    def test_page(self, tmp_path: Path) -> None:
        written = {path.name for path in render(write(tmp_path / "sweep" / "tiny", SWEEP))}
        assert {"learning_rate.csv", "learning_rate.png", "README.md"} <= written
        assert "table.csv" not in written

    def test_every_schedule_has_a_best_rate_of_its_own(self) -> None:
        rows = [
            replace(row, settings={**(row.settings or {}), "train.schedule": schedule})
            for schedule, sweep in (
                ("constant", SWEEP),
                ("wsd", [*at_rate(0.001, 3.2, 3.6), *at_rate(0.0001, 3.5, 3.2)]),
            )
            for row in sweep
        ]
        cases = outcome(of("sweep_learning_rate", rows), "best_learning_rate").measured
        assert [case.name for case in cases] == [
            "tiny, PI x4 after 200 steps, schedule constant: 0.001 against 0.0001",
            "tiny, PI x4 after 200 steps, schedule wsd: 0.0001 against 0.001",
        ]


class TestChoices:
    def rows(self, wsd: float, bos: float) -> list[Record]:
        def under(schedule: str, with_bos: bool, loss: float, spread: float = 0.021) -> list[Record]:
            settings = {"train.schedule": schedule, "task.bos": with_bos}
            return perplexities({pi(200): (3.2, 3.2, loss)}, spread=spread, settings=settings)

        return [
            *under("constant", True, 3.1, spread=0.02),
            *under("wsd", True, wsd),
            *under("constant", False, bos),
            *under("wsd", False, 2.0),
        ]

    def test_one_choice_at_a_time_against_ours(self) -> None:
        found = outcome(of("choices", self.rows(wsd=2.9, bos=3.1)), "choices_move_little")
        said = {case.name.split(": ")[1]: case.verdict for case in found.measured}
        assert said == {  # both changed at once say nothing about either
            "schedule wsd for constant, at 1024": "does not hold",
            "bos False for True, at 1024": "holds",
        }

    def test_table(self) -> None:
        rows = only(self.rows(wsd=2.9, bos=3.1))
        table = settings_tables.choices_table(rows)
        assert [row[4].value for row in table.rows][:2] == ["schedule constant, bos True", "schedule wsd, bos True"]
        assert column(table, 0, "Change at L'").value is None
        change = column(table, 1, "Change at L'")
        assert change.value == pytest.approx(100 * (math.exp(-0.2) - 1), abs=2)
        assert isinstance(change.low, float)
        assert isinstance(change.high, float)
        assert isinstance(change.value, float)
        assert change.low < change.value < change.high


def stopped(tokens: int, ours: float, other: float, seeds: int = 3, swing: float = 0.0) -> list[Record]:
    """A base with tuned PI and tuned extrapolation at 4 L under some seeds; odd seeds move PI by `swing`."""
    rows = []
    for seed in range(seeds):
        losses = {pi(80, tokens): (3.2, 3.2, ours + swing * (seed % 2)), tuned(80, tokens): (3.2, 3.2, other)}
        rows += [replace(row, seed=seed) for row in perplexities(losses, task="heldout")]
    return rows


STOPPED = [*stopped(1_000_000, 4.2, 4.0), *stopped(8_000_000, 3.0, 3.3)]


class TestBaseTokens:
    def test_the_order_turns_between_two_bases(self) -> None:
        rows = of("base_tokens", STOPPED)
        ahead = outcome(rows, "base_tokens_tuned")
        assert [case.verdict for case in ahead.measured] == ["does not hold", "holds"]
        assert ahead.measured[0].name.startswith("base after 1,000,000 tokens, 80 steps")
        turns = outcome(rows, "base_tokens_tuned_turns")
        assert turns.verdict == "holds"
        (case,) = turns.measured
        assert case.effect is not None
        assert case.effect.detail == "between tiny-1M and tiny-8M; PI is behind on tiny-1M, ahead on tiny-8M"

    def test_or_it_does_not_within_reach(self) -> None:
        rows = of("base_tokens", [*stopped(1_000_000, 3.9, 4.0), *stopped(8_000_000, 3.0, 3.3)])
        assert verdict(rows, "base_tokens_tuned_turns") == "does not hold"

    def test_the_order_may_turn_without_any_tuning(self) -> None:
        """At 4 L, the window that PI is for; the base's own window is no part of it."""
        rows = []
        for tokens, ours, base in ((1_000_000, 4.4, 4.2), (8_000_000, 4.3, 5.0)):
            untuned = pi(0, tokens)
            rows += perplexities({untuned: (4.2, 4.2, ours), untuned.untouched: (3.0, 4.0, base)}, task="heldout")
        found = outcome(of("base_tokens", rows), "base_tokens_untuned")
        assert [case.verdict for case in found.measured] == ["does not hold", "holds"]
        assert verdict(of("base_tokens", rows), "base_tokens_untuned_turns") == "holds"

    def test_seeds_that_disagree_are_noise(self) -> None:
        """The interval of the documents lies below 1; it is widened to take in the seed that lies above."""
        (case,) = outcome(of("base_tokens", stopped(8_000_000, 3.0, 3.3, swing=0.4)), "base_tokens_tuned").measured
        assert case.verdict == "within noise"
        assert case.effect is not None
        assert "ahead under 2 of 3 seeds" in case.effect.detail
        assert case.effect.high == pytest.approx(math.exp(0.1), rel=0.05)

    def test_one_base_tells_no_order(self) -> None:
        rows = of("base_tokens", stopped(8_000_000, 3.0, 3.3))
        assert verdict(rows, "base_tokens_tuned_turns") == "within noise"

    def test_table_and_figure_are_by_tokens_and_seed(self) -> None:
        ((_, rows),) = select.stopped(STOPPED).items()
        table = base_tokens.base_tokens_table(rows)
        assert [(row[0].value, row[1].value, row[2].value) for row in table.rows] == [
            ("tiny-1M", 1_000_000, "extrapolation"), ("tiny-1M", 1_000_000, "PI"),
            ("tiny-8M", 8_000_000, "extrapolation"), ("tiny-8M", 8_000_000, "PI"),
        ]  # fmt: skip
        assert table.header[-3:] == ("seed 0", "seed 1", "seed 2")
        values = [row.value for row in rows if (row.base_tokens, row.method, row.metric, row.eval_window, row.protocol)
                  == (8_000_000, "pi", "perplexity", 4 * L, "token")]  # fmt: skip
        assert [cell.value for cell in table.rows[3][-3:]] == values
        (axes,) = base_tokens_page.perplexity_figure(rows).axes
        (line,) = (line for line in axes.lines if line.get_label() == "PI x4, tuned 80 steps")
        assert list(line.get_xdata()) == [10**6, 8 * 10**6]
        others = [cell.value for cell in table.rows[2][-3:]]
        assert line.get_ydata()[1] == pytest.approx(math.prod(values) ** (1 / 3) / math.prod(others) ** (1 / 3))

    def test_page_with_passkeys(self, tmp_path: Path) -> None:
        retrieved = passkeys({pi(80, 1_000_000): lambda k: 0.0, pi(80, 8_000_000): lambda k: 1.0})
        folder = write(tmp_path / "base_tokens" / "tiny", [*STOPPED, *retrieved])
        written = {path.name for path in render(folder)}
        assert {"base_tokens.csv", "base_tokens.png", "base_tokens_passkey.csv", "base_tokens_passkey.png"} <= written
        assert "model=tiny " in (folder / "README.md").read_text()
