"""Methods compared with the paper's own: paired with the base, told apart, and no evidence for the paper's claims."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.patches import Rectangle
from test_report import BASE, DOCUMENTS, PI, UNTUNED, L, column, passkeys, perplexities, positions, record, write

from position_interpolation.comparisons.rivals.by_position import as_windows
from position_interpolation.comparisons.rivals.page import frontier, frontier_figure
from position_interpolation.comparisons.rivals.steps import lines, steps_figure
from position_interpolation.comparisons.rivals.tables import rivals_table
from position_interpolation.comparisons.sweeps import page, tables
from position_interpolation.comparisons.sweeps.tables import Grid
from position_interpolation.evidence import select
from position_interpolation.evidence.evidence import EXPERIMENTS
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.seeds import KNOWN_SPREAD, over_base
from position_interpolation.report import judge
from position_interpolation.report.pages import render
from position_interpolation.report.sections import sections

YARN = replace(UNTUNED, method="yarn")
TUNED = replace(PI, method="yarn")
FAR = replace(YARN, factor=2.0, window=2 * L)
LOSSES = {
    BASE: (3.2, 5.1, 7.3),
    UNTUNED: (4.3, 4.2, 4.1),
    PI: (3.22, 3.15, 3.1),
    YARN: (3.4, 3.4, 3.3),
    TUNED: (3.2, 3.1, 3.0),
}
ROWS = perplexities(LOSSES, spread=0)
KEYS = passkeys({BASE: lambda k: 0.5 if k < L else 0.0, YARN: lambda k: 1.0})


def titles(rows: list[Record]) -> list[str]:
    return [section.title for section in sections(rows)]


class TestTable:
    def test_a_row_an_extension_with_both_ends_against_the_base_at_l(self) -> None:
        table = rivals_table(ROWS, KEYS)
        assert [row[2].value for row in table.rows] == ["none", "PI", "PI", "YaRN", "YaRN"]
        assert {row[1].value for row in table.rows} == {4 * L}
        assert column(table, 3, "at L / base at L").value == pytest.approx(math.exp(3.4 - 3.2))
        assert column(table, 3, "at L' / base at L").value == pytest.approx(math.exp(3.3 - 3.2))
        assert column(table, 0, "at L / base at L").value == pytest.approx(1)
        assert column(table, 0, "at L' / base at L").value == pytest.approx(math.exp(7.3 - 3.2))

    def test_keys_are_those_of_prompts_of_the_extended_window_by_one_rule(self) -> None:
        table = rivals_table(ROWS, KEYS)
        assert column(table, 3, "Keys found").value == 1
        assert (column(table, 3, "k_max").value, column(table, 0, "k_max").value) == (4 * L, 224)
        assert column(table, 1, "Keys found").value is None
        strict = passkeys({YARN: lambda k: 1.0}, rule="strict")
        (first, *_) = sections(ROWS + strict)
        assert "Keys found" not in first.table.header

    def test_what_makes_a_document_hard_cancels(self) -> None:
        found = over_base(ROWS, YARN, 4 * L)
        assert found is not None
        assert (found.low, found.high, found.documents) == (
            pytest.approx(found.value),
            pytest.approx(found.value),
            DOCUMENTS,
        )

    def test_one_seed_of_tuning_is_widened_and_several_speak_for_themselves(self) -> None:
        alone = over_base(ROWS, TUNED, 4 * L)
        assert alone is not None
        assert alone.low == pytest.approx(alone.value * math.exp(-1.96 * KNOWN_SPREAD))
        others = [replace(row, seed=seed, value=row.value + 0.1 * seed) for row in ROWS if row.steps for seed in (1, 2)]
        losses = [row for row in others if row.metric == "document_loss"]
        both = over_base(ROWS + losses, TUNED, 4 * L)
        assert both is not None
        assert both.value == pytest.approx(math.exp(3.0 + 0.1 - 3.2))
        assert both.high is not None
        assert both.high > both.value * math.exp(0.1)  # Student's t of three seeds

    def test_the_base_stands_beside_every_factor(self) -> None:
        rows = ROWS + perplexities({FAR: (3.3, 3.3)}, spread=0)
        found = [(row[1].value, row[2].value) for row in rivals_table(rows, []).rows]
        assert found[:3] == [(2 * L, "none"), (2 * L, "YaRN"), (4 * L, "none")]

    def test_each_method_stands_beside_pi_tuned_as_long(self) -> None:
        found = [column(rivals_table(ROWS, KEYS), row, "at L' / PI at L'").value for row in range(5)]
        assert found[3:] == pytest.approx([math.exp(3.3 - 4.1), math.exp(3.0 - 3.1)])
        assert found[:3] == [None] * 3


def by_position(losses: Mapping[Extension, tuple[float, ...]]) -> list[Record]:
    """Losses in nats by block of L / 2 in forwards of 4 L, of three documents, of which the second is easier by 1."""
    found = []
    for item, means in losses.items():
        for number, mean in enumerate(means):
            where = {"task": "positions", "eval_window": 4 * L, "protocol": "token", "at": number * L // 2}
            data = {"name": "pg19", "source": "local", "sha256": "c" * 64}
            ids = {"a": mean, "b": mean - 1, "c": mean}
            found.append(
                record(item, "block_perplexity", math.exp(mean), n_documents=3, data={**data, "ids": [*ids]}, **where)
            )
            found += [
                record(
                    item,
                    "document_block_loss",
                    own,
                    n_documents=1,
                    n_tokens=L // 2,
                    data={**data, "ids": [name]},
                    **where,
                )
                for name, own in ids.items()
            ]
    return found


class TestByPosition:
    ROWS = by_position({BASE: (3.5, 3.0, 4, 5, 6, 6, 6, 6), UNTUNED: (4,) * 8, YARN: (3.6, 3.2, 3, 3, 3, 3, 3, 3.6)})

    def test_inside_l_and_past_it_stand_for_the_windows(self) -> None:
        table = rivals_table(as_windows(self.ROWS), [])
        assert [*table.header[4:]] == [
            "inside L", "past L", "inside L / base inside L", "past L / base inside L", "past L / PI past L",
        ]  # fmt: skip
        assert column(table, 2, "inside L").value == pytest.approx(math.exp((3.6 + 3.2) / 2 - 1 / 3))
        assert column(table, 2, "inside L / base inside L").value == pytest.approx(math.exp(3.4 - 3.25))
        assert column(table, 2, "past L / base inside L").value == pytest.approx(math.exp(3.1 - 3.25))
        assert column(table, 2, "past L / PI past L").value == pytest.approx(math.exp(3.1 - 4))
        assert column(table, 0, "past L / base inside L").value == pytest.approx(math.exp(33 / 6 - 3.25))
        assert "one forward of 1024 tokens of each of 3 documents" in table.caption

    def test_windows_are_shown_alone_where_they_were_scored(self) -> None:
        assert titles(self.ROWS)[0] == "Methods compared by position: local text"
        assert [title for title in titles(ROWS + self.ROWS) if title.startswith("Methods compared")] == titles(ROWS)[:1]

    def test_the_figure_names_positions(self) -> None:
        axes, *_ = frontier_figure(as_windows(self.ROWS)).axes
        assert axes.get_ylabel() == "perplexity past L / the base's inside L"
        assert {line.get_label() for line in axes.lines} >= {"none", "PI", "YaRN"}

    def test_a_shorter_extension_in_longer_forwards_is_left_out(self) -> None:
        rows = by_position({BASE: (3,) * 8, YARN: (3,) * 8, FAR: (3,) * 8})
        assert FAR not in frontier(as_windows(rows))
        assert YARN in frontier(as_windows(rows))


class TestSteps:
    def test_untuned_extrapolation_is_the_base_itself(self) -> None:
        tuned = {replace(PI, method="extrapolation", steps=steps): (3.3, 3.4, 3.5) for steps in (20, 100, 1000)}
        rows = perplexities({BASE: LOSSES[BASE], **tuned}, spread=0)
        ((last, curve),) = lines(rows, [], lambda one: one.ratio(one.reach)).items()
        assert (last.steps, [*curve]) == (1000, [0, 20, 100, 1000])
        assert [curve[0].value, curve[20].value] == pytest.approx([math.exp(7.3 - 3.2), math.exp(3.5 - 3.2)])

    def test_what_is_untuned_is_hollow_and_stands_where_its_line_begins(self) -> None:
        half = {replace(item, steps=20): (3.3, 3.5, 3.6) for item in (PI, TUNED)}
        above, *_ = steps_figure(perplexities({**LOSSES, **half}, spread=0), []).axes
        hollow = [line for line in above.lines if line.get_markerfacecolor() == "white"]
        curves = [line for line in above.lines if len(line.get_xdata()) == 3]
        assert [[*line.get_xdata()] for line in hollow] == [[0], [0]]
        for point, curve in zip(hollow, curves, strict=True):
            assert point.get_ydata()[0] == curve.get_ydata()[0]
            assert str(point.get_transform()) == str(curve.get_transform()), "moved aside together"


class TestFrontier:
    def test_a_method_is_one_line_through_its_steps_hollow_before_tuning(self) -> None:
        axes, _ = frontier_figure(ROWS).axes
        points = [line for line in axes.lines if line.get_label() == "YaRN"]
        assert [line.get_markerfacecolor() == "white" for line in points] == [True, False]
        (path,) = (line for line in axes.lines if list(line.get_xdata()) == [line.get_xdata()[0] for line in points])
        assert [*path.get_ydata()] == pytest.approx([math.exp(0.1), math.exp(-0.2)])

    def test_methods_differ_in_marker_and_colour(self) -> None:
        axes, _ = frontier_figure(ROWS).axes
        looks = {line.get_label(): (line.get_marker(), line.get_color()) for line in axes.lines}
        shown = [looks[name] for name in ("none", "PI", "YaRN")]
        assert len({marker for marker, _ in shown}) == len({shade for _, shade in shown}) == 3

    def test_few_documents_are_dots(self) -> None:
        three = [row for row in ROWS if (row.data["ids"] or [""])[0] in ("kjv-01", "kjv-02", "kjv-03")]
        rows = [row for row in ROWS if row.metric != "document_loss"]
        rows += [row for row in three if row.metric == "document_loss"]
        axes, *_ = frontier_figure(rows).axes
        dots = [line for line in axes.lines if line.get_marker() == "." and len(line.get_xdata())]
        assert {len(line.get_xdata()) for line in dots} == {3}

    def test_what_lies_close_to_the_base_is_drawn_again_where_others_lie_far(self) -> None:
        whole, close = frontier_figure(ROWS).axes
        assert whole.get_ylim()[1] > math.exp(7.3 - 3.2) > close.get_ylim()[1]
        (alone,) = frontier_figure([row for row in ROWS if row.steps or row.eval_window == L]).axes
        assert alone.get_ylim()[0] < math.exp(3.0 - 3.2) < alone.get_ylim()[1]
        assert 1 in alone.get_yticks()

    def test_what_lacks_a_number_is_left_out(self) -> None:
        assert TUNED not in frontier([row for row in ROWS if row.steps == 0 or row.eval_window == L])


class TestPages:
    def test_shown_where_there_are_rivals_alone(self) -> None:
        assert titles(ROWS)[0] == "Methods compared: pg19, embedded text"
        assert "Methods compared" not in " ".join(titles([row for row in ROWS if row.method != "yarn"]))

    def test_figures_of_many_methods_are_parted_by_factor(self, tmp_path: Path) -> None:
        rows = ROWS + KEYS + perplexities({FAR: (3.3, 3.3)}) + positions({BASE: (20, 90), YARN: (20, 25)})
        written = {path.name for path in render(write(tmp_path / "rivals" / "tiny", rows))}
        assert {"rivals.csv", "frontier_x2.png", "frontier_x4.png", "perplexity_x2.png", "perplexity_x4.png"} <= written
        assert "perplexity.png" not in written

    def test_no_verdict_of_the_papers_ledger_rests_on_them(self) -> None:
        assert not {"rivals", "rivals_tuned", "temperature", "bands"} & set(EXPERIMENTS)
        rows = [replace(row, experiment="table1_pg19") for row in ROWS]
        without = [row for row in rows if row.method != "yarn"]
        assert judge.judge({"tiny": rows}) == judge.judge({"tiny": without})


FIRST, LAST, SLOPE = "method.options.first", "method.options.last", "method.attention_slope"
RISES = "method.options.rises"
BANDS = replace(UNTUNED, method="bands")


def under(settings: Mapping[str, float | str | None], losses: dict[Extension, tuple[float, ...]]) -> list[Record]:
    found = perplexities(losses, spread=0, settings=settings)
    return [*found, *(replace(row, settings=settings) for row in passkeys({item: lambda k: 0.5 for item in losses}))]


def under_by_position(settings: Mapping[str, float | None], losses: dict[Extension, tuple[float, ...]]) -> list[Record]:
    return [replace(row, settings=settings) for row in by_position(losses)]


def grid(rows: list[Record]) -> Grid:
    (group,) = select.under_settings(rows).values()
    return Grid(group, [row for row in rows if row.task == "passkey"])


SWEPT = [
    *under({FIRST: None, LAST: None, SLOPE: None}, {BASE: (3.2, 5.1, 7.3)}),
    *(
        row
        for first, last in ((0, 3), (0, 7), (4, 7))
        for slope in (0.0, 0.1)
        for row in under(
            {FIRST: first, LAST: last, SLOPE: slope}, {BANDS: (3.3 + last / 100, 4, 4 - last / 10 - slope)}
        )
    ),
]


class TestSettings:
    def test_a_row_a_setting_against_the_base(self) -> None:
        table = tables.grid_table(grid(SWEPT))
        assert table.header[4:7] == ("First", "Last", "Attention slope")
        assert [cell.value for cell in table.rows[0][4:7]] == [None, None, None]
        assert [cell.value for cell in table.rows[-1][4:7]] == [4, 7, 0.1]
        assert column(table, -1, "at L / base at L").value == pytest.approx(math.exp(0.1 + 0.07))
        assert column(table, -1, "Keys found").value == 0.5

    def test_a_map_has_a_cell_a_band_and_a_panel_a_slope(self) -> None:
        drawn = dict(page.drawings(grid(SWEPT)))
        assert [*drawn] == ["map_inside", "map_extended", "map_keys"]
        panels = drawn["map_extended"]().axes
        assert [axes.get_title(loc="left") for axes in panels] == [
            "bands x4, attention slope 0",
            "bands x4, attention slope 0.1",
        ]
        assert [[label.get_text() for label in axes.get_yticklabels()] for axes in panels] == [["0", "4"]] * 2
        assert [len(axes.texts) for axes in panels] == [3, 3]
        frames = [patch.get_xy() for patch in panels[0].patches if isinstance(patch, Rectangle)]
        assert len(frames) == 2  # both bands that end at 7

    def test_a_panel_does_not_name_what_is_not_set(self) -> None:
        settings = [(row, row.settings or {}) for row in SWEPT]
        plain = [replace(row, settings={**own, SLOPE: None}) for row, own in settings if own[SLOPE] == 0.1]
        panels = dict(page.drawings(grid([*plain, *SWEPT])))["map_extended"]().axes
        titles = {axes.get_title(loc="left") for axes in panels}
        assert titles == {"bands x4", "bands x4, attention slope 0", "bands x4, attention slope 0.1"}

    def test_a_single_cell_is_no_panel_of_a_map(self) -> None:
        lone = [row for row in SWEPT if (row.settings or {})[SLOPE] != 0.1 or (row.settings or {})[FIRST] == 4]
        (panel,) = dict(page.drawings(grid(lone)))["map_extended"]().axes
        assert panel.get_title(loc="left") == "bands x4, attention slope 0"

    def test_a_single_key_is_an_axis(self) -> None:
        rows = [row for slope in (0.0, 0.1, 0.2) for row in under({SLOPE: slope}, {YARN: (3.3, 3.3, 3.3 - slope)})]
        ((_, draw),) = page.drawings(grid(rows))
        _, extended, keys = draw().axes
        (line,) = (one for one in extended.lines if one.get_label() == "YaRN x4, untuned")
        assert [*line.get_xdata()] == [0, 0.1, 0.2]
        assert [*line.get_ydata()] == sorted(line.get_ydata(), reverse=True)
        assert keys.get_ylabel() == "keys found"

    def test_perplexities_are_drawn_over_the_bases_where_it_was_measured(self) -> None:
        settings = [under({SLOPE: slope}, {YARN: (3.3, 3.3, 3.3 - slope)}) for slope in (0.0, 0.1)]
        base = under({SLOPE: None}, {BASE: (3.2, 5.1, 7.3)})
        ((_, draw),) = page.drawings(grid([row for rows in (base, *settings) for row in rows]))
        _, extended, _ = draw().axes
        lines = {line.get_label(): line for line in extended.lines}
        assert [*lines["YaRN x4, untuned"].get_ydata()] == pytest.approx([math.exp(0.1), 1])
        assert lines["the base itself"].get_ydata()[0] == pytest.approx(math.exp(7.3 - 3.2))
        assert extended.get_ylabel() == "perplexity at L' / base at L"

    def test_of_a_search_the_best_stands_first_and_nothing_is_drawn(self) -> None:
        searched = replace(UNTUNED, method="longrope")
        tried = {"0, 50, 100": 3.6, "0, 70, 100": 3.4, "10, 60, 100": 3.5}
        rows = [row for text, loss in tried.items() for row in under({RISES: text}, {searched: (3.3, 3.3, loss)})]
        table = tables.grid_table(grid(rows))
        assert [row[4].value for row in table.rows] == ["0, 70, 100", "10, 60, 100", "0, 50, 100"]
        assert f"The lowest at L' first; {RISES}=[...] takes a row's numbers." in table.caption
        assert not [*page.drawings(grid(rows))]

    def test_where_no_windows_were_scored_positions_stand_for_them(self) -> None:
        base = under_by_position({FIRST: None, LAST: None}, {BASE: (3.5, 3, 5, 5, 5, 5, 5, 5)})
        bands = [
            under_by_position({FIRST: first, LAST: last}, {BANDS: (3.6, 3.2, *(4 - last / 10,) * 6)})
            for first, last in ((0, 3), (0, 7), (4, 7))
        ]
        rows = [row for own in (base, *bands) for row in own]
        (section,) = page.sections(rows)
        assert section.title == "Settings by position: local text"
        assert column(section.table, -1, "inside L / base inside L").value == pytest.approx(math.exp(3.4 - 3.25))
        assert column(section.table, -1, "past L / base inside L").value == pytest.approx(math.exp(3.3 - 3.25))
        assert [stem for stem, _ in section.drawings] == ["map_inside", "map_extended"]
        assert [one.title for one in page.sections([*SWEPT, *rows])] == ["Settings: pg19, embedded text"]

    def test_page(self, tmp_path: Path) -> None:
        written = {path.name for path in render(write(tmp_path / "bands" / "tiny", SWEPT))}
        assert {"settings.csv", "map_inside.png", "map_keys.png", "README.md"} <= written
