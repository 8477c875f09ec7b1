"""Tables 3 and 4 by tuning steps, Table 2 by aggregation, tuning curves: made-up records in, the paper's layout out."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_report import BASE, CONTROL, DOCUMENTS, L, outcome, passkeys, perplexities, record, verdict, write

from position_interpolation.comparisons.steps import page as steps_page
from position_interpolation.comparisons.steps import tables as steps_tables
from position_interpolation.evidence import extensions as steps
from position_interpolation.evidence.extensions import Extension, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.report.pages import render
from position_interpolation.report.sections import sections
from position_interpolation.tasks.perplexity import aggregation
from position_interpolation.tasks.tuning_curve import page as curves


def pi(count: int, factor: int = 4) -> Extension:
    return Extension("tiny", "pi", float(factor), factor * L, count)


def tuned(count: int) -> Extension:
    return Extension("tiny", "extrapolation", 4.0, 4 * L, count)


# Losses at L, 2 L, 4 L: PI is above the base's 3.2 untuned, below from step 200 on.
STEPS = {BASE: (3.2, 5.1, 7.3), pi(0): (4.3, 4.2, 4.1), pi(200): (3.2, 3.1, 3.0), pi(400): (3.1, 3.0, 2.9)}
RETRIEVED = {
    BASE: lambda k: 1.0 if k <= L else 0.0,
    **{pi(count): lambda k: 1.0 for count in (200, 400, 600)},
    **{tuned(count): lambda k: 1.0 if k <= 288 else 0.0 for count in (200, 400, 600)},
}


class TestFamilies:
    def test_three_step_counts_make_a_family_two_do_not(self) -> None:
        rows = perplexities(STEPS)
        assert steps.families(rows) == [[pi(0), pi(200), pi(400)]]
        assert steps.families([row for row in rows if row.steps != 200]) == []

    def test_plain_figures_keep_untuned_and_longest_tuned(self) -> None:
        assert ordered(steps.ends(perplexities(STEPS))) == [BASE, pi(0), pi(400)]


class TestTables:
    def test_table_3_has_steps_as_columns_and_the_papers_numbers_beside(self) -> None:
        rows = perplexities(STEPS)
        table = steps_tables.perplexity_steps_table(rows)
        assert table.header[:6] == ("Model", "Window L'", "Method", "0", "200", "400")
        (line,) = table.rows
        recorded = {
            row.steps: row
            for row in rows
            if (row.metric, row.protocol, row.eval_window, row.method) == ("perplexity", "token", 4 * L, "pi")
        }
        assert [cell.value for cell in line[3:6]] == [recorded[count].value for count in (0, 200, 400)]
        assert (line[4].low, line[4].high, line[4].n) == (recorded[200].ci_low, recorded[200].ci_high, DOCUMENTS)
        assert table.header[6:] == tuple(f"paper {count}" for count in (0, 200, 400, 600, 800, 1000))
        assert [cell.value for cell in line[6:]] == [16.10, 7.12, 7.10, 7.02, 6.99, 6.95]

    def test_the_paper_prints_no_steps_for_other_texts(self) -> None:
        table = steps_tables.perplexity_steps_table(perplexities(STEPS, task="proof_pile"))
        assert not any(name.startswith("paper") for name in table.header)

    def test_table_4_has_a_row_for_each_method_and_the_papers_10000_steps(self) -> None:
        table = steps_tables.passkey_steps_table(passkeys(RETRIEVED), "key")
        assert [[cell.value for cell in row[1:6]] for row in table.rows] == [
            [1024, "extrapolation", 288, 288, 288],
            [1024, "PI", 1024, 1024, 1024],
        ]
        assert table.header[6:] == tuple(f"paper {count}" for count in (200, 400, 600, 800, 1000, 10000))
        printed = [[cell.value for cell in row[6:]] for row in table.rows]
        assert printed == [[1792, 2048, 2048, 2048, 2304, 2560], [8192] * 5 + [None]]


class TestVerdicts:
    def test_pi_below_the_base_within_200_steps(self) -> None:
        claim = "passes_base_within_200_steps"
        assert verdict(perplexities(STEPS), claim) == "holds"
        later = {**STEPS, pi(200): (3.5, 3.4, 3.3)}
        assert verdict(perplexities(later), claim) == "does not hold"
        level = {**STEPS, pi(200): (3.2, 3.2, 3.17)}
        assert verdict(perplexities(level, spread=0.05), claim) == "within noise"
        unasked = {BASE: STEPS[BASE], pi(0): STEPS[pi(0)], pi(300): STEPS[pi(200)], pi(400): STEPS[pi(400)]}
        assert verdict(perplexities(unasked), claim) == "not measured"

    def test_passkeys_by_steps(self) -> None:
        rows = passkeys(RETRIEVED)
        assert verdict(rows, "passkey_whole_window_within_200_steps") == "holds"
        assert verdict(rows, "passkey_extrapolation_slow") == "holds"
        far = {**RETRIEVED, tuned(600): lambda k: 1.0 if k <= 640 else 0.0, pi(200): lambda k: float(k < 900)}
        assert verdict(passkeys(far), "passkey_whole_window_within_200_steps") == "does not hold"
        assert verdict(passkeys(far), "passkey_extrapolation_slow") == "does not hold"  # 640 is 2.5 L

    def test_passkeys_judged_strictly_are_said_to_be(self) -> None:
        rows = passkeys(RETRIEVED, rule="strict")
        assert sections(rows)[0].title == "Passkey retrieval by tuning steps, rule strict"

    def test_a_blind_base_decides_nothing(self) -> None:
        blind = passkeys(RETRIEVED) + passkeys({CONTROL: lambda k: 0.0}, window=L)
        assert verdict(blind, "passkey_whole_window_within_200_steps") == "not measured"

    def test_general_claims_are_made_of_the_longest_tuning_alone(self) -> None:
        (case,) = outcome(perplexities(STEPS), "tuning_improves").measured
        assert case.effect is not None
        assert "PI x4 tuned 400 steps" in case.effect.detail


class TestFigures:
    def test_perplexity_against_steps_beside_the_paper(self) -> None:
        rows = perplexities(STEPS)
        ours, theirs = steps_page.ratio_steps_figure(rows).axes
        line = ours.lines[0]
        assert list(line.get_xdata()) == [0, 200, 400]
        (base,) = (
            row.value
            for row in rows
            if (row.metric, row.protocol, row.method, row.eval_window) == ("perplexity", "token", "none", L)
        )
        measured = [cell.value for cell in steps_tables.perplexity_steps_table(rows).rows[0][3:6]]
        assert list(line.get_ydata()) == pytest.approx([value / base for value in measured])
        printed = [16.10, 7.12, 7.10, 7.02, 6.99, 6.95]
        assert list(theirs.lines[0].get_ydata()) == pytest.approx([value / 7.20 for value in printed])
        assert "untuned: 2.24 (PI x4)" in theirs.get_title(loc="left")
        assert line.get_ydata()[0] > ours.get_ylim()[1], "the untuned would hide what the tuned differ by"

    def test_without_a_base_perplexity_itself_is_drawn(self) -> None:
        rows = [row for row in perplexities(STEPS) if row.method == "pi"]
        first, *_ = sections(rows)
        ((_, draw),) = first.drawings
        (axes,) = draw().axes
        measured = [cell.value for cell in steps_tables.perplexity_steps_table(rows).rows[0][3:6]]
        assert list(axes.lines[0].get_ydata()) == measured

    def test_k_max_is_a_share_of_the_window_beside_the_papers_to_the_same_steps(self) -> None:
        ours, theirs = steps_page.passkey_steps_figure(passkeys(RETRIEVED), "key").axes
        drawn = {line.get_label(): list(line.get_ydata()) for line in ours.lines}
        assert drawn["PI x4"] == [1, 1, 1]
        assert drawn["extrapolation x4"] == [288 / 1024] * 3
        printed = {line.get_label(): dict(line.get_xydata()) for line in theirs.lines}
        assert printed["extrapolation x4"] == {200: 1792 / 8192, 400: 2048 / 8192, 600: 2048 / 8192}

    def test_a_page_by_steps_keeps_the_plain_table(self, tmp_path: Path) -> None:
        rows = perplexities(STEPS) + passkeys(RETRIEVED)
        written = {path.name for path in render(write(tmp_path / "table3_steps" / "tiny", rows))}
        assert {"steps.csv", "perplexity_steps.png", "passkey_steps.csv", "k_max_steps.png"} <= written
        assert {"table.csv", "perplexity.png", "passkey.csv", "passkey.png"} <= written
        assert sections(rows)[0].stem == "steps"


PI16 = Extension("tiny", "pi", 16.0, 16 * L, 1000)


def aggregated(token: tuple[float, float], window: tuple[float, float]) -> list[Record]:
    """Losses at 8 L and 16 L under two protocols; documents differ in level, not in the difference."""
    rows = []
    for place, at in enumerate((8 * L, 16 * L)):
        for protocol, metric, mean in (
            ("token", "document_loss", token[place]),
            ("window", "document_window_loss", window[place]),
        ):
            where: dict[str, Any] = {"task": "proof_pile", "eval_window": at, "stride": 32, "protocol": protocol}
            data = {"name": "proof_pile", "source": "local", "sha256": "d" * 64}
            ids = [f"doc-{number}" for number in range(4)]
            rows.append(record(PI16, "perplexity", math.exp(mean), data={**data, "ids": ids}, n_documents=4, **where))
            for number, name in enumerate(ids):
                loss = mean + 0.1 * (number - 1.5)
                one = {**data, "ids": [name]}
                rows.append(record(PI16, metric, loss, data=one, n_documents=1, n_tokens=4096, **where))
    return rows


class TestAggregation:
    def test_a_rise_that_only_window_averages_show_is_explained(self) -> None:
        found = outcome(aggregated(token=(3.0, 2.9), window=(2.9, 3.1)), "windows_alike_rise")
        assert found.verdict == "holds"
        by_window, by_token = (case.effect.value for case in found.measured if case.effect is not None)
        assert (by_window, by_token) == pytest.approx((math.exp(0.2), math.exp(-0.1)))

    @pytest.mark.parametrize(
        ("token", "window"), [((3.0, 3.1), (2.9, 3.1)), ((3.0, 2.9), (3.0, 2.9))], ids=["both rise", "neither rises"]
    )
    def test_a_rise_under_both_or_none_is_not(self, token: tuple[float, float], window: tuple[float, float]) -> None:
        assert verdict(aggregated(token, window), "windows_alike_rise") == "does not hold"

    def test_table(self) -> None:
        rows = aggregated(token=(3.0, 2.9), window=(2.9, 3.1))
        table = aggregation.aggregation_table(rows)
        by_protocol = {row[4].value: row for row in table.rows}
        assert table.header[5:] == ("2048", "4096", "Change", "paper 16384", "paper 32768", "paper change")
        assert [cell.value for cell in by_protocol["window"][5:8]] == pytest.approx(
            [math.exp(2.9), math.exp(3.1), 100 * (math.exp(0.2) - 1)]
        )
        assert [cell.value for cell in by_protocol["token"][8:]] == pytest.approx([2.24, 2.48, 100 * (2.48 / 2.24 - 1)])
        assert by_protocol["document"][5].value is None

    def test_other_texts_are_not_asked(self) -> None:
        rows = [replace(row, task="pg19") for row in aggregated((3.0, 2.9), (2.9, 3.1))]
        assert aggregation.asked(rows) == []


def losses(extension: Extension, values: dict[int, float], **given: Any) -> list[Record]:
    data = {"name": "books 0.8, mathematics 0.2", "source": "local", "sha256": "e" * 64, "ids": None}
    return [
        record(
            extension,
            "training_loss",
            value,
            at=step,
            task="tuning",
            data=data,
            n_tokens=step * 4 * extension.window,
            **given,
        )
        for step, value in values.items()
    ]


class TestCurves:
    def test_the_longest_tuning_stands_for_its_start(self) -> None:
        rows = losses(pi(200), {100: 4.0, 200: 3.5}) + losses(pi(400), {400: 3.0, 100: 4.0, 200: 3.5})
        (kept,) = curves.curves(rows)
        assert curves.points(kept, pi(400)) == [(100, 4.0), (200, 3.5), (400, 3.0)]
        assert ordered(kept) == [pi(400)]
        (line,) = curves.curves_table(kept).rows
        assert [cell.value for cell in line[4:]] == [400 * 4 * 1024, 100, 4.0, 200, 3.5, 400, 3.0]
        (axes,) = steps_page.curves_figure(kept).axes
        assert list(axes.lines[0].get_ydata()) == [4.0, 3.5, 3.0]

    def test_half_way_is_half_of_the_steps_not_of_the_points(self) -> None:
        rows = losses(pi(80), {20: 4.0, 40: 3.8, 60: 3.6, 70: 3.5, 75: 3.4, 80: 3.3})
        (line,) = curves.curves_table(rows).rows
        assert [cell.value for cell in line[5:]] == [20, 4.0, 40, 3.8, 80, 3.3]
        (late,) = curves.curves_table(losses(pi(80), {60: 3.6, 80: 3.3})).rows
        assert [cell.value for cell in late[5:]] == [60, 3.6, 60, 3.6, 80, 3.3]

    def test_the_page_shows_them_and_says_what_text_they_are_of(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "some" / "tiny", losses(pi(200), {100: 4.0, 200: 3.5}))
        assert {"tuning.csv", "tuning.png"} <= {path.name for path in render(folder)}
        page = (folder / "README.md").read_text()
        assert "Tuned on **books 0.8, mathematics 0.2**" in page
        assert "up to 819,200 tokens" in page

    def test_settings_keep_their_curves_out(self) -> None:
        assert curves.curves(losses(pi(200), {100: 4.0}, settings={"train.learning_rate": 0.001})) == []

    def test_the_same_words_for_another_text_are_another_curve(self) -> None:
        local = losses(pi(200), {100: 4.0, 200: 3.5})
        embedded = [replace(row, data={**row.data, "source": "embedded"}, value=2.0) for row in losses(pi(80), {80: 0})]
        one, other = curves.curves([*local, *embedded])
        assert curves.points(one, pi(200)) == [(100, 4.0), (200, 3.5)]
        assert curves.points(other, pi(80)) == [(80, 2.0)]
