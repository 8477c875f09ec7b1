"""What a page shows of harder retrieval: methods side by side, chance beside them, failures for what they are."""

import pytest
from matplotlib.text import Text
from test_report import BASE, PI, UNTUNED, record

from position_interpolation.display import formats
from position_interpolation.evidence import seeds
from position_interpolation.evidence.extensions import Extension
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import rate_text
from position_interpolation.report.sections import sections
from position_interpolation.tasks.retrieval import page

# Success at L, 2 L and 4 L; 17 keys have no room at L.
SUCCESS = {("keys", 4): (0.5, 0.4, 0.3), ("keys", 16): (None, 0.2, 0.1), ("hops", 2): (0.25, 0.1, 0.0)}


def retrievals(extension: Extension, seed: int = 0, more: float = 0.0) -> list[Record]:
    rows = []
    for (kind, count), rates in SUCCESS.items():
        for window, rate in zip((256, 512, 1024), rates, strict=True):
            if rate is not None:
                data = {"name": f"{kind} {count}", "kind": kind, "count": count, "source": "generated", "ids": None}
                about = {"task": "retrieval", "eval_window": window, "protocol": "key", "data": data, "seed": seed}
                rows += [
                    record(extension, "retrieved", rate + more, n_documents=20, ci_low=0.1, ci_high=0.6, **about),
                    record(extension, "retrieved", rate + more, n_documents=5, at=window // 4, **about),
                    record(extension, "answer_log_likelihood", -rate - 1, n_documents=20, **about),
                    record(extension, "wrong_number", 0.75, n_documents=8, **about),
                    record(extension, "chance", 1 / (count + 1), n_documents=20, **about),
                ]
    return rows


ROWS = [row for extension in (BASE, UNTUNED, PI) for row in retrievals(extension)]


def test_a_row_has_what_is_asked_its_chance_and_every_extension() -> None:
    table = page.retrieval_table(ROWS, "retrieved", rate_text, page.SUCCESS)
    assert table.header == ("Asked", "Prompt", "Chance", "none (L = 256)", "PI x4, untuned", "PI x4, tuned 100 steps")
    written = formats.to_markdown(table)
    assert "| 1 of 5 keys | 256 | 20.0 % | 50.0 % [10.0 %, 60.0 %] |" in written
    assert "| 2 hops | 1024 | 33.3 % | 0.0 % [10.0 %, 60.0 %] |" in written
    asked = [(row[0].value, row[1].value) for row in table.rows]
    assert asked[:5] == [
        ("1 of 5 keys", 256),
        ("1 of 5 keys", 512),
        ("1 of 5 keys", 1024),
        ("1 of 17 keys", 512),
        ("1 of 17 keys", 1024),
    ]
    assert "of 20 trials each" in table.caption


def test_a_page_has_one_section_without_a_claim() -> None:
    (section,) = sections(ROWS)
    assert [stem for stem, _ in section.drawings] == ["retrieval", "retrieval_log_likelihood"]
    folded = {how: formats.to_markdown(table) for how, table in section.more}
    assert "| 1 of 5 keys | 256 | 20.0 % | -1.500 |" in folded["by the answers' log-likelihood"]
    assert "| 75.0 % |" in folded["by what wrong answers are"]
    assert "Of up to 8 wrong answers each" in folded["by what wrong answers are"]
    assert "| 1 of 5 keys | 512 | 128 | 40.0 % |" in folded["by distance"]


@pytest.mark.parametrize("metric", ["answer_log_likelihood", "wrong_number", "chance"])
def test_a_part_without_its_numbers_is_left_out(metric: str) -> None:
    whole, (section,) = sections(ROWS)[0], sections([row for row in ROWS if row.metric != metric])
    assert len(section.more) == len(whole.more) - (metric != "chance")
    assert [draw().axes for _, draw in section.drawings]


def test_a_panel_has_what_is_asked_and_a_line_an_extension() -> None:
    for metric, dashed in (("retrieved", 1 / 5), ("answer_log_likelihood", page.GUESS)):
        figure = page.retrieval_figure(ROWS, metric)
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["1 of 5 keys", "1 of 17 keys", "2 hops"]
        for axes in figure.axes:
            assert {"none (L = 256)", "PI x4, untuned"} <= set(axes.get_legend_handles_labels()[1])
        curves = {line.get_label(): line for line in figure.axes[0].lines}
        (blind,) = (line for label, line in curves.items() if "number" in str(label) or "guessing" in str(label))
        assert set(blind.get_ydata()) == {dashed}
        assert len(curves["none (L = 256)"].get_xdata()) == 3
        shrunk = 8 / (2.54 * figure.get_figwidth())
        assert min(text.get_fontsize() for text in figure.findobj(Text)) * shrunk >= 6


def test_seeds_are_pooled_as_trials() -> None:
    pooled = seeds.pooled([*retrievals(PI), *retrievals(PI, seed=1, more=0.1)])
    (found,) = (
        row for row in pooled if (row.metric, row.at, row.eval_window, row.data["count"]) == ("retrieved", None, 256, 4)
    )
    assert (found.value, found.n_documents, found.seed) == (0.55, 40, None)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert 0 <= found.ci_low < 0.55 < found.ci_high <= 1
