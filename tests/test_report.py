"""Records to tables, figures, verdicts and pages: what is shown was recorded, and is said for what it is."""

import csv
import io
import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from position_interpolation.display import drawing, formats, tables
from position_interpolation.display.colours import colour
from position_interpolation.evidence import comparison, paper, records, select
from position_interpolation.evidence.evidence import EXPERIMENTS as PAPERS
from position_interpolation.evidence.evidence import Evidence
from position_interpolation.evidence.extensions import Extension, names, ordered
from position_interpolation.evidence.intervals import widening
from position_interpolation.evidence.judging import Outcome, claims
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import perplexity_text
from position_interpolation.report.judge import judged
from position_interpolation.report.pages import render, render_index
from position_interpolation.report.sections import sections
from position_interpolation.report.summary import print_summary
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import EXPERIMENTS
from position_interpolation.tasks.passkey.figures import likelihood_figure, map_figure, mapped, of_longest_prompts
from position_interpolation.tasks.passkey.page import passkey_table
from position_interpolation.tasks.perplexity.page import perplexity_table
from position_interpolation.tasks.positions.page import positions_figure

L = 256
BASE = Extension("tiny", "none", 1.0, L, 0)
EXTRAPOLATION = Extension("tiny", "extrapolation", 4.0, 4 * L, 100)
UNTUNED = Extension("tiny", "pi", 4.0, 4 * L, 0)
PI = Extension("tiny", "pi", 4.0, 4 * L, 100)
CONTROL = Extension("tiny", "extrapolation", 1.0, L, 100)
# Mean losses in nats a token at L, 2 L and 4 L.
LOSSES = {
    BASE: (3.20, 5.10, 7.30),
    EXTRAPOLATION: (3.21, 3.30, 3.60),
    UNTUNED: (4.30, 4.20, 4.10),
    PI: (3.22, 3.15, 3.10),
}
DOCUMENTS = 8


def record(extension: Extension | None, metric: str, value: float, **given: Any) -> Record:
    usual: dict[str, Any] = {
        "experiment": "quickstart",
        "rung": "tiny",
        "model": "tiny",
        "weights_sha256": "0" * 64,
        "method": extension and extension.method,
        "factor": extension and extension.factor,
        "window": extension and extension.window,
        "steps": extension and extension.steps,
        "task": "pg19",
        "eval_window": None,
        "stride": None,
        "protocol": None,
        "metric": metric,
        "value": value,
        "ci_low": None,
        "ci_high": None,
        "n_documents": None,
        "n_tokens": None,
        "data": {"name": "pg19", "source": "embedded", "sha256": "a" * 64, "ids": None},
        "seed": 0,
        "signature": f"{extension}",
        "commit": "abcdef",
        "versions": {"torch": "2.13"},
        "device": "cpu",
        "dtype": "float32",
        "seconds": 1.0,
        "created": "2026-01-01T00:00:00+00:00",
    }
    if extension is not None:
        usual |= {"model": extension.model, "base_tokens": extension.base_tokens}
    return Record(**{**usual, **given})


def perplexities(
    losses: Mapping[Extension, Iterable[float]],
    task: str = "pg19",
    spread: float = 0.02,
    settings: dict[str, Any] | None = None,
) -> list[Record]:
    """Perplexity at L, 2 L, 4 L over 8 documents, whose length and difficulty all extensions share."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(2_000, 20_000, DOCUMENTS)
    difficulty = generator.normal(0, 0.1, DOCUMENTS)
    ids = [f"kjv-{number:02d}" for number in range(1, DOCUMENTS + 1)]
    rows = []
    for extension, means in losses.items():
        for window, mean in zip((L, 2 * L, 4 * L), means, strict=False):
            own = mean + difficulty + generator.normal(0, spread, DOCUMENTS)
            value = math.exp(float(own @ lengths) / lengths.sum())
            where: dict[str, Any] = {"eval_window": window, "stride": 32, "protocol": "token", "task": task}
            where["settings"] = settings
            data = {"name": task, "source": "embedded", "sha256": "a" * 64}
            counts = {"n_documents": DOCUMENTS, "n_tokens": int(lengths.sum())}
            rows.append(
                record(
                    extension, "perplexity", value, ci_low=value / 1.06, ci_high=value * 1.06,
                    data={**data, "ids": ids}, **counts, **where,
                )
            )  # fmt: skip
            rows.append(replace(rows[-1], protocol="document", value=value * 1.01))
            for identifier, loss, length in zip(ids, own, lengths, strict=True):
                rows.append(
                    record(
                        extension, "document_loss", float(loss), n_documents=1, n_tokens=int(length),
                        data={**data, "ids": [identifier]}, **where,
                    )
                )  # fmt: skip
    return rows


def passkeys(rates: Mapping[Extension, Callable[[int], float]], window: int = 4 * L, rule: str = "key") -> list[Record]:
    """32 distances, 10 trials each."""
    rows = []
    for extension, rate in rates.items():
        shared: dict[str, Any] = {
            "task": "passkey",
            "eval_window": window,
            "protocol": rule,
            "data": {"name": "passkey", "source": "generated", "sha256": "b" * 64, "ids": None},
        }
        wins = {k: round(10 * rate(k)) for k in range(window // 32, window + 1, window // 32)}
        for k, won in wins.items():
            interval = {"ci_low": max(0.0, won / 10 - 0.25), "ci_high": min(1.0, won / 10 + 0.25)}
            rows.append(record(extension, "success", won / 10, at=k, n_documents=10, **interval, **shared))
        longest = max((k for k in wins if all(won >= 2 for j, won in wins.items() if j <= k)), default=0)
        interval = {
            "ci_low": float(longest if longest == window else 0.9 * longest),
            "ci_high": float(longest),
        }
        rows.append(record(extension, "k_max", float(longest), n_documents=320, **interval, **shared))
        total = sum(wins.values()) / 320
        rows.append(
            record(
                extension,
                "success",
                total,
                ci_low=total * 0.95,
                ci_high=min(1, total * 1.05),
                n_documents=320,
                **shared,
            )
        )
    return rows


def likelihoods(values: Mapping[Extension, Callable[[int], float]], window: int = 4 * L) -> list[Record]:
    """Of keys that are found at every distance, with an interval of 0.1 to either side."""
    rows = passkeys(dict.fromkeys(values, lambda k: 1.0), window)
    shared: dict[str, Any] = {"task": "passkey", "eval_window": window, "protocol": "key", "data": rows[0].data}
    for extension, value in values.items():
        for k in (*range(window // 32, window + 1, window // 32), None):
            middle = value(k or window)
            ends = {"ci_low": middle - 0.1, "ci_high": middle + 0.1}
            rows.append(record(extension, "key_log_likelihood", middle, at=k, n_documents=10, **ends, **shared))
    return rows


PASSKEYS: dict[Extension, Callable[[int], float]] = {
    BASE: lambda k: 0.9 if k < 200 else 0.0,
    EXTRAPOLATION: lambda k: 1.0 if k <= 256 else 0.3 if k < 420 else 0.0,
    UNTUNED: lambda k: 0.1,
    PI: lambda k: 1.0 if k % 160 else 0.8,
}


def positions(curves: Mapping[Extension, Iterable[float]], block: int = 2048) -> list[Record]:
    """Perplexity by block of positions inside one forward of one document."""
    rows = []
    for extension, values in curves.items():
        values = list(values)
        for number, value in enumerate(values):
            rows.append(
                record(
                    extension, "block_perplexity", value, at=number * block,
                    task="positions", protocol="token", eval_window=len(values) * block,
                    ci_low=value / 1.05, ci_high=value * 1.05, n_documents=1, n_tokens=block,
                    rung="smollm2", experiment="quickstart_smollm2",
                    data={"name": "pg19", "source": "embedded", "sha256": "c" * 64, "ids": ["kjv-01"]},
                )
            )  # fmt: skip
    return rows


SMOL = Extension("smollm2_135m_instruct", "none", 1.0, 8192, 0)
SMOL_PI = Extension("smollm2_135m_instruct", "pi", 2.0, 16384, 0)
CURVES = {SMOL: (21, 19, 18.5, 18.4, 160, 900), SMOL_PI: (34, 31, 30.5, 30.2, 30.4, 31)}


def column(table: tables.Table, row: int, name: str) -> tables.Cell:
    return table.rows[row][table.header.index(name)]


def outcome(rows: Iterable[Record], name: str) -> Outcome:
    """What some records say about one claim."""
    (claim,) = (claim for claim in claims() if claim.id == name)
    return judged(claim, Evidence(list(rows), claim.experiments or PAPERS))


def verdict(rows: Iterable[Record], name: str) -> str:
    return outcome(rows, name).verdict


class TestTables:
    def test_a_sample_of_windows_says_how_far_all_of_them_may_lie(self) -> None:
        rows = [record(PI, "perplexity", 20.0, eval_window=L, stride=32, protocol="token")]
        assert "sample" not in perplexity_table(rows).caption
        rows += [record(PI, select.OF_ALL_WINDOWS, 20.0, eval_window=L, stride=32, protocol="token", ci_high=20.5)]
        assert "to within 2.5%" in perplexity_table(rows).caption

    def test_every_number_is_a_record(self) -> None:
        rows = perplexities(LOSSES)
        table = perplexity_table(rows)
        assert [row[2].value for row in table.rows] == ["none", "extrapolation", "PI", "PI"]
        for number, extension in enumerate(ordered(rows)):
            for window in (L, 2 * L, 4 * L):
                (behind,) = (
                    row
                    for row in rows
                    if (row.metric, row.protocol, row.eval_window) == ("perplexity", "token", window)
                    and (row.method, row.steps) == (extension.method, extension.steps)
                )
                cell = column(table, number, str(window))
                assert (cell.value, cell.low, cell.high, cell.n) == (
                    behind.value, behind.ci_low, behind.ci_high, DOCUMENTS,
                )  # fmt: skip

    def test_papers_counterpart_is_the_same_multiple_of_the_window(self) -> None:
        table = perplexity_table(perplexities(LOSSES))
        assert table.header[-3:] == ("paper 2048", "paper 4096", "paper 8192")
        printed = [[cell.value for cell in row[-3:]] for row in table.rows]
        assert printed == [
            [7.20, math.inf, math.inf], [7.21, 7.34, 7.69], [None, None, 16.10], [7.13, 6.96, 6.95],
        ]  # fmt: skip

    def test_larger_llama_is_compared_with_its_own_size(self) -> None:
        big = Extension("llama_13b", "pi", 4.0, 8192, 1000)
        for model, value in (("llama_13b", 2.30), ("smollm2_135m", 2.39)):
            printed = paper.beside(replace(big, model=model), "proof_pile", "perplexity", 8192)
            assert printed is not None
            assert printed.value == value

    def test_a_caption_names_every_size_of_llama_that_stands_beside_ours(self) -> None:
        models = {replace(BASE, model=f"llama_{size}"): LOSSES[BASE] for size in ("13b", "7b")}
        assert "Paper: LLaMA 13B, 7B, Table 1" in perplexity_table(perplexities(models)).caption
        assert "Paper: LLaMA 7B, Table 1" in perplexity_table(perplexities(LOSSES)).caption

    def test_base_trained_at_its_window_has_no_counterpart(self) -> None:
        assert paper.beside(CONTROL, "pg19", "perplexity", L) is None
        assert CONTROL.label == "base trained at L, 100 steps"

    def test_missing_cells_are_blank_not_zero(self) -> None:
        table = perplexity_table(perplexities({BASE: (3.2, 5.1, 7.3), PI: (3.2,)}))
        assert column(table, 1, "1024") == tables.Cell()
        (line,) = (line for line in formats.to_markdown(table).splitlines() if "| PI |" in line)
        assert line.split("|")[6:8] == ["  ", "  "]
        assert list(csv.reader(io.StringIO(formats.to_csv(table))))[2][8:16] == [""] * 8

    def test_above_a_thousand_our_number_and_its_interval_are_shown_and_of_the_papers_that_it_is_above(self) -> None:
        shown = {999.99: "999.99", 1234.5: "1234", 123456.7: "123457", 12345678.9: "1.2e+07", math.inf: "> 10^3"}
        assert {value: perplexity_text(value) for value in shown} == shown
        table = perplexity_table(perplexities(LOSSES))
        cell = column(table, 0, "1024")
        assert isinstance(cell.value, float)
        assert cell.value > 1000
        assert f"{cell.value}" in formats.to_csv(table)
        (line,) = (line for line in formats.to_markdown(table).splitlines() if "| none |" in line)
        assert f"| {cell.value:.0f} [{cell.low:.0f}, {cell.high:.0f}] |" in line
        assert line.count("> 10^3") == 2  # the paper's, at 2 L and 4 L

    @pytest.mark.parametrize(("documents", "told"), [(1, "1 document"), (8, "text abcdef01")])
    def test_tables_of_two_texts_have_headings_that_tell_them_apart(self, documents: int, told: str) -> None:
        """By the first fact in which they differ; the others stay out."""
        mine = [
            replace(row, data={**row.data, "sha256": "abcdef0123", "ids": ["mine"]}, n_documents=documents)
            for row in perplexities({BASE: LOSSES[BASE]})
            if row.metric == "perplexity"
        ]
        ours, yours = (part.title for part in sections([*perplexities(LOSSES), *mine]))
        alike = "Perplexity by evaluation window: pg19, embedded text, "
        assert ours.startswith(f"{alike}8 documents" if documents == 1 else f"{alike}text ")
        assert yours == f"{alike}{told}"

    def test_passkey_beside_the_paper_as_a_share_of_the_window(self) -> None:
        table = passkey_table(passkeys(PASSKEYS), "key")
        assert column(table, 3, "k_max").value == 1024
        assert column(table, 3, "k_max / prompt").value == 1.0
        assert column(table, 1, "paper k_max").value == 2560
        assert column(table, 1, "paper k_max / L'").value == 2560 / 8192
        assert column(table, 0, "paper k_max").value is None
        # 320 trials, all but those at 32 multiples of 160 successful
        assert column(table, 3, "Success").value == pytest.approx((320 - 2 * 6) / 320)

    def test_passkeys_judged_by_two_rules_share_no_table(self) -> None:
        """Strict rows are older; those by key come first all the same, and every title and caption names its rule."""
        rows = passkeys({PI: lambda k: 0.0}, rule="strict") + passkeys({PI: PASSKEYS[PI]})
        key, strict = sections(rows)
        assert [part.title for part in (key, strict)] == [
            f"Passkey retrieval, rule {rule}" for rule in ("key", "strict")
        ]
        assert [column(part.table, 0, "k_max").value for part in (key, strict)] == [1024, 0]
        assert "Judged by rule key: every digit must match" in key.table.caption
        assert "Judged by rule strict: every digit must match, and so must the space" in strict.table.caption
        assert [name for name, _ in (*key.drawings, *strict.drawings)] == ["passkey", "passkey_2"]
        drawn = key.drawings[0][1]()
        assert "rule key" in drawn.get_suptitle()

    def test_the_keys_log_likelihood_has_its_column(self) -> None:
        assert "Log-likelihood" not in passkey_table(passkeys(PASSKEYS), "key").header
        table = passkey_table(likelihoods({PI: lambda k: -0.25}), "key")
        assert column(table, 0, "Log-likelihood").value == -0.25
        assert "guessing a digit gives -2.30" in table.caption


class TestPaired:
    def test_by_hand(self) -> None:
        left = {"a": (2.0, 100), "b": (4.0, 300)}
        right = {"b": (3.0, 300), "a": (2.5, 100), "c": (9.0, 5)}
        ratio = comparison.paired(left, right)
        assert ratio is not None
        # (200 + 1200) / 400 = 3.5 against (250 + 900) / 400 = 2.875; `c` was scored on one side only
        assert ratio.value == pytest.approx(math.exp(3.5 - 2.875))
        assert ratio.documents == 2
        # Draws are {a, a}, {a, b}, {b, b}: differences -0.5, 0.625 and 1, each above 2.5 % of all draws. What lies
        # between them and the value is widened for two documents.
        assert ratio.low == pytest.approx(math.exp(0.625 - widening(2) * 1.125))
        assert ratio.high == pytest.approx(math.exp(0.625 + widening(2) * 0.375))

    def test_the_interval_holds_95_per_cent_of_the_draws(self) -> None:
        """One document of four differs, by 1. Drawn k times with probability Bin(4, 1/4): 32 % never, at most twice in
        94.9 % of all draws, at most three times in 99.6 %. So 2.5 % and 97.5 % are met at 0 and 3; 16 % and 84 % at 0
        and 2. Then both are widened about the value of 1/4.
        """
        right = {name: (1.0, 10) for name in "abcd"}
        ratio = comparison.paired({**right, "a": (2.0, 10)}, right)
        assert ratio is not None
        assert (ratio.low, ratio.high) == pytest.approx(
            (math.exp((1 - widening(4)) / 4), math.exp((1 + 2 * widening(4)) / 4))
        )

    def test_a_constant_difference_has_no_spread(self) -> None:
        """Hard and easy documents differ far more than the two sides do; pairing takes that out."""
        hard = {str(number): (float(number), 10) for number in range(1, 9)}
        easier = {name: (loss - 0.1, tokens) for name, (loss, tokens) in hard.items()}
        ratio = comparison.paired(easier, hard)
        assert ratio is not None
        assert (ratio.low, ratio.high) == pytest.approx((math.exp(-0.1), math.exp(-0.1)))

    def test_two_samples_of_the_same_documents(self) -> None:
        left, right = {"a": (2.0, 100), "b": (4.0, 300)}, {"a": (1.0, 50), "b": (3.0, 50)}
        assert comparison.paired(left, right) is None
        ratio = comparison.products([left], [right], same_tokens=False)
        assert ratio is not None
        assert ratio.value == pytest.approx(math.exp(3.5 - 2.0))  # 1400 / 400 against 200 / 100

    def test_nothing_common_and_one_document(self) -> None:
        assert comparison.paired({"a": (1.0, 2)}, {"b": (1.0, 2)}) is None
        alone = comparison.paired({"a": (1.0, 2)}, {"a": (2.0, 2)})
        assert alone is not None
        assert (alone.value, alone.low) == (pytest.approx(math.exp(-1)), None)


class TestVerdicts:
    """Of the quick start; those on the paper's own experiments are in test_claims.py."""

    def test_they_hold_on_numbers_like_the_papers(self) -> None:
        rows = perplexities({**LOSSES, CONTROL: (3.26,)}) + passkeys(PASSKEYS)
        own = [claim.id for claim in claims() if claim.subject == "quickstart"]
        assert {name: verdict(rows, name) for name in own} == dict.fromkeys(own, "holds")

    def test_they_flip_when_the_numbers_flip(self) -> None:
        flipped = {**LOSSES, EXTRAPOLATION: LOSSES[PI], PI: LOSSES[EXTRAPOLATION]}
        swapped = {**PASSKEYS, EXTRAPOLATION: PASSKEYS[PI], PI: PASSKEYS[EXTRAPOLATION]}
        rows = perplexities(flipped) + passkeys(swapped)
        assert verdict(rows, "quickstart_pi_beats_extrapolation") == "does not hold"
        assert verdict(rows, "quickstart_passkey_whole_window") == "does not hold"
        assert verdict(rows, "quickstart_passkey_farther") == "does not hold"

    def test_a_difference_smaller_than_its_spread_is_noise(self) -> None:
        losses = {**LOSSES, EXTRAPOLATION: (3.2, 3.2, 3.101), PI: (3.2, 3.1, 3.1)}
        assert verdict(perplexities(losses, spread=0.05), "quickstart_pi_beats_extrapolation") == "within noise"

    def test_a_base_tuned_as_long_shows_what_the_text_alone_brings(self) -> None:
        rows = perplexities({**LOSSES, CONTROL: (3.0,)})
        assert verdict(rows, "quickstart_tuned_beats_base") == "holds"
        assert verdict(rows, "quickstart_beats_control") == "does not hold"
        assert verdict(rows, "quickstart_short_texts_keep") == "does not hold"

    def test_absent_records_are_not_measured(self) -> None:
        rows = perplexities({BASE: LOSSES[BASE], PI: LOSSES[PI]})
        for name in ("pi_beats_extrapolation", "untuned_beats_base", "passkey_whole_window"):
            assert verdict(rows, f"quickstart_{name}") == "not measured"

    def test_a_base_that_retrieves_nothing_in_its_own_window_decides_no_passkey_claim(self) -> None:
        blind = passkeys(PASSKEYS) + passkeys({CONTROL: lambda k: 0.0}, window=L)
        assert verdict(blind, "quickstart_passkey_whole_window") == "not measured"
        assert verdict(blind, "quickstart_passkey_farther") == "not measured"
        # Retrieving at most distances is not blindness, though k_max is 0 where the nearest one fails.
        able = passkeys(PASSKEYS) + passkeys({CONTROL: lambda k: float(k > L // 32)}, window=L)
        assert verdict(able, "quickstart_passkey_whole_window") == "holds"

    def test_passkeys_are_concluded_from_by_key_and_else_it_is_said(self) -> None:
        found = outcome(passkeys(PASSKEYS, rule="strict"), "quickstart_passkey_whole_window")
        assert found.verdict == "holds"
        assert all(
            "judged with the space before the key" in case.effect.detail for case in found.measured if case.effect
        )
        both = passkeys({**PASSKEYS, PI: lambda k: 0.0}, rule="strict") + passkeys(PASSKEYS)
        found = outcome(both, "quickstart_passkey_whole_window")
        assert found.verdict == "holds"
        assert not any("space" in case.effect.detail for case in found.measured if case.effect)

    def test_a_base_that_is_blind_by_another_rule_is_not_blind(self) -> None:
        strictly = passkeys({CONTROL: lambda k: 0.0}, window=L, rule="strict")
        assert verdict(passkeys(PASSKEYS) + strictly, "quickstart_passkey_whole_window") == "holds"

    def test_a_map_decides_nothing(self) -> None:
        mapped = [replace(row, task="passkey_map") for row in passkeys({**PASSKEYS, PI: lambda k: 0.0})]
        assert verdict(mapped, "quickstart_passkey_whole_window") == "not measured"
        assert verdict(passkeys(PASSKEYS) + mapped, "quickstart_passkey_whole_window") == "holds"

    def test_one_document_concludes_nothing(self) -> None:
        rows = [row for row in perplexities(LOSSES) if row.n_documents != 1 or "kjv-01" in row.data["ids"]]
        found = outcome(rows, "quickstart_base_explodes").worst
        assert found is not None
        assert found.verdict == "within noise"
        assert found.shown.endswith("no interval")

    def test_positions(self) -> None:
        rows = positions(CURVES)
        assert verdict(rows, "positions_base_explodes") == "holds"
        assert verdict(rows, "positions_pi_flat") == "holds"
        assert verdict(rows, "positions_pi_beats_base") == "holds"
        assert verdict(rows, "positions_pi_keeps") == "does not hold"
        flat = positions({SMOL: (21, 19, 18.5, 18.4, 18.3, 18.2), SMOL_PI: (34, 31, 30, 30, 200, 300)})
        assert verdict(flat, "positions_base_explodes") == "does not hold"
        assert verdict(flat, "positions_pi_flat") == "does not hold"

    def test_of_two_experiments_on_one_kind_of_text_the_first_answers(self) -> None:
        other = [replace(row, experiment="smollm2_extend", value=20.0, ci_low=19.0, ci_high=21.0)
                 for row in positions({SMOL: CURVES[SMOL]})]  # fmt: skip
        other = [replace(row, data={**row.data, "sha256": "d" * 64}) for row in other]
        found = outcome([*other, *positions(CURVES)], "positions_base_explodes")
        assert [case.effect and case.effect.sources for case in found.measured] == [("quickstart_smollm2",)]

    def test_blocks_across_the_edge_count_on_neither_side(self) -> None:
        inside, past = comparison.stretches(positions({SMOL: (1, 2, 3)}, block=3000), SMOL)
        assert [len(inside.blocks), len(past.blocks)] == [2, 0]

    def test_positions_of_several_documents_are_paired(self) -> None:
        """Four books a factor of 2 apart, PI at 0.8 to 0.83 of the base past the window: only pairs show it."""
        rows = []
        for extension, share in ((SMOL, 1.0), (SMOL_PI, 0.8)):
            hard = [10.0 * 2**book for book in range(4)]
            for block in range(8):
                part = share if block > 3 else 1.0
                values = [value * (part + 0.01 * book * (part < 1)) for book, value in enumerate(hard)]
                own: dict[str, Any] = {"task": "positions", "protocol": "token", "eval_window": 16384, "n_tokens": 2048}
                own["at"] = block * 2048
                middle = math.exp(sum(map(math.log, values)) / 4)
                wide = {"ci_low": middle / 3, "ci_high": middle * 3, "n_documents": 4}
                rows.append(record(extension, "block_perplexity", middle, **own, **wide))
                for book, value in enumerate(values):
                    text = {"name": "pg19", "source": "embedded", "sha256": "c" * 64, "ids": [str(book)]}
                    rows.append(record(extension, "document_block_loss", math.log(value), data=text, **own))
        (_, base), (_, past) = (comparison.stretches(rows, extension) for extension in (SMOL, SMOL_PI))
        ratio = comparison.blocks(past, base)
        assert ratio is not None
        assert ratio.value == pytest.approx(math.prod((0.8, 0.81, 0.82, 0.83)) ** 0.25)
        assert ratio.documents == 4
        assert ratio.high is not None
        assert ratio.high < 0.85


class TestLabels:
    def test_the_papers_order(self) -> None:
        mixed = [PI, UNTUNED, CONTROL, EXTRAPOLATION, BASE, replace(PI, factor=8.0, window=8 * L)]
        found = ordered(record(extension, "perplexity", 1.0) for extension in mixed)
        assert found == [BASE, CONTROL, EXTRAPOLATION, UNTUNED, PI, mixed[-1]]

    def test_models_are_named_only_when_there_are_several(self) -> None:
        assert names([BASE, PI])[PI] == "PI x4, tuned 100 steps"
        assert names([BASE, replace(PI, model="smoke")])[BASE] == "tiny: none (L = 256)"

    def test_longer_tuning_is_darker(self) -> None:
        family = [UNTUNED, replace(PI, steps=50), PI]
        assert len({colour(extension, family) for extension in family}) == 3
        assert colour(PI, family) == colour(PI, [PI]) == "#0072b2"


class TestPasskeyFigures:
    def test_a_map_has_a_panel_an_extension_and_a_cell_a_length_and_depth(self) -> None:
        lengths = (L // 2, L, 2 * L, 4 * L)
        rows = [
            row for window in lengths for row in passkeys({BASE: lambda k: float(k <= L), PI: lambda k: 1.0}, window)
        ]
        figure = map_figure(rows, "key")
        base, pi, _ = figure.axes
        assert [label.get_text() for label in base.get_xticklabels()] == ["128", "256", "512", "1024"]
        assert base.get_title(loc="left") == "none (L = 256); dashed: L = 256"
        assert pi.get_title(loc="left") == "PI x4, tuned 100 steps; dashed: L = 256"
        assert len(base.patches) == 4 * 32
        nearest, farthest = base.patches[96], base.patches[127]  # of prompts of 1024
        assert (nearest.get_y(), nearest.get_height()) == (1 - 1 / 32, 1 / 32)
        assert farthest.get_y() == 0
        assert nearest.get_facecolor() != farthest.get_facecolor()
        assert {patch.get_facecolor() for patch in pi.patches} == {nearest.get_facecolor()}
        assert figure.get_figwidth() < 5, "readable in a column of 8 cm"

    def test_two_lengths_make_no_map(self) -> None:
        rows = [row for window in (L, 4 * L) for row in passkeys({PI: lambda k: 1.0}, window)]
        assert mapped(rows) == {}
        assert of_longest_prompts(rows) == rows
        three = rows + passkeys({PI: lambda k: 1.0}, 2 * L)
        assert mapped(three) == {PI: [L, 2 * L, 4 * L]}
        assert {row.eval_window for row in of_longest_prompts(three)} == {4 * L}

    def test_log_likelihoods_stand_against_guessing(self) -> None:
        rows = likelihoods({EXTRAPOLATION: lambda k: -0.001 * k, PI: lambda k: -0.25})
        own = [row for row in rows if row.metric == "key_log_likelihood"]
        few = [replace(row, n_documents=1) for row in own]
        said = [" ".join((likelihood_figure(some, "key").get_suptitle()).split()) for some in (own, few)]
        assert said[0].endswith("bars: 95 %, Student's t")
        assert said[1].endswith("too few trials for intervals")
        (axes,) = likelihood_figure(own, "key").axes
        drawn = {line.get_label(): line for line in axes.lines}
        assert list(drawn["PI x4, tuned 100 steps"].get_ydata()) == [-0.25] * 32
        assert drawn["extrapolation x4, tuned 100 steps"].get_ydata()[-1] == -1.024
        assert drawn["guessing a digit: ln(1/10) = -2.30"].get_ydata()[0] == pytest.approx(math.log(0.1))
        (intervals,) = {tuple(line.get_ydata()) for line in axes.lines if tuple(line.get_ydata()) == (-0.35, -0.15)}
        assert intervals

    def test_a_page_draws_what_was_measured(self) -> None:
        (plain,) = sections(passkeys(PASSKEYS))
        (likely,) = sections(likelihoods({PI: lambda k: -0.25}))
        assert [name for name, _ in plain.drawings] == ["passkey"]
        assert [name for name, _ in likely.drawings] == ["passkey", "passkey_log_likelihood"]
        rows = [row for window in (L, 2 * L, 4 * L) for row in passkeys({PI: lambda k: 1.0}, window)]
        (whole,) = sections([replace(row, task="passkey_map") for row in rows])
        assert (whole.stem, [name for name, _ in whole.drawings]) == ("passkey_map", ["passkey_map"])
        assert len(whole.table.rows) == 3


def write(folder: Path, rows: list[Record]) -> Path:
    records.write(folder / "rows.jsonl", rows)
    return folder


class TestPages:
    def test_rendering_needs_no_model(self) -> None:
        asked = "import sys, position_interpolation.report.summary; sys.exit('torch' in sys.modules)"
        subprocess.run([sys.executable, "-c", asked], check=True)

    def test_rendering_twice_gives_the_same_bytes(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "quickstart" / "tiny", perplexities(LOSSES) + passkeys(PASSKEYS))
        first = {path: path.read_bytes() for path in [*render(folder), render_index(tmp_path)]}
        second = {path: path.read_bytes() for path in [*render(folder), render_index(tmp_path)]}
        assert first == second
        assert {path.name for path in first} == {
            *(f"table.{suffix}" for suffix in ("csv", "md", "tex")),
            *(f"perplexity.{suffix}" for suffix in ("png", "pdf")),
            *(f"passkey.{suffix}" for suffix in ("csv", "md", "tex", "png", "pdf")),
            "README.md",
        }

    @pytest.mark.parametrize(
        "rows",
        [
            passkeys({PI: PASSKEYS[PI]}),
            positions({SMOL_PI: CURVES[SMOL_PI]}),
            perplexities({BASE: (3.2,)}, task="heldout"),
            [row for row in perplexities(LOSSES) if row.protocol == "document"],
        ],
        ids=["passkey", "positions", "heldout", "without the token protocol"],
    )
    def test_a_folder_with_one_task_alone(self, tmp_path: Path, rows: list[Record]) -> None:
        folder = write(tmp_path / "some" / "tiny", rows)
        written = render(folder)
        assert all(path.is_file() for path in written)
        render_index(tmp_path)
        print_summary([folder], Console(file=io.StringIO()))

    def test_two_texts_get_two_tables(self, tmp_path: Path) -> None:
        rows = perplexities(LOSSES) + perplexities(LOSSES, task="proof_pile")
        names_of = {path.name for path in render(write(tmp_path / "both" / "tiny", rows))}
        assert {
            "table.csv",
            "table_proof_pile.csv",
            "perplexity.png",
            "perplexity_proof_pile.png",
        } <= names_of

    def test_links_are_relative_and_lead_somewhere(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "quickstart" / "tiny", perplexities(LOSSES) + passkeys(PASSKEYS))
        render(folder)
        for page in (render_index(tmp_path), folder / "README.md"):
            text = page.read_text()
            assert str(tmp_path) not in text
            targets = [part.split(")")[0] for part in text.split("](")[1:]]
            assert len(targets) > 3
            guides = [target for target in targets if "/experiments/" in target]  # beside results/ in a checkout
            assert all((EXPERIMENTS.parent / target.removeprefix("../../../")).is_file() for target in guides)
            targets = [target for target in targets if target not in guides]
            assert all(
                target.startswith("https:") or (page.parent / target.split("#")[0]).is_file() for target in targets
            )

    def test_the_page_says_what_stands_in_for_the_papers_data(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "quickstart" / "tiny", perplexities(LOSSES))
        render(folder)
        page = (folder / "README.md").read_text()
        assert "King James Bible stand in for PG-19" in page
        assert "Documents of pg19: 8, for 100" in page
        assert "`kjv-01`" in page
        assert "python -m position_interpolation experiment=quickstart" in page

    def test_an_empty_folder_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="run the experiment first"):
            render(tmp_path)
        assert "experiment=quickstart" in render_index(tmp_path).read_text()

    def test_the_summary_shows_numbers_and_verdicts(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "quickstart" / "tiny", perplexities(LOSSES) + passkeys(PASSKEYS))
        stream = io.StringIO()
        print_summary([folder, tmp_path / "absent"], Console(file=stream, width=160))
        value = column(perplexity_table(perplexities(LOSSES)), 3, "1024").value
        assert f"{value:.2f}" in stream.getvalue()
        assert "holds" in stream.getvalue()
        assert "README.md" in stream.getvalue()

    def test_a_page_shows_the_verdict_of_the_ledger_and_its_own_weakest_case(self, tmp_path: Path) -> None:
        """PI is better inside one text and worse inside the other: no page says that it is better."""
        better = perplexities({BASE: LOSSES[BASE], PI: LOSSES[PI]})
        worse = perplexities({BASE: LOSSES[BASE], PI: (3.3, 4.0, 8.0)}, task="proof_pile")
        for name, rows in (("table1_pg19", better), ("table2_proof_pile", worse)):
            write(tmp_path / name / "tiny", [replace(row, experiment=name) for row in rows])
        render_index(tmp_path)
        first, second = ((tmp_path / name / "tiny" / "README.md").read_text().splitlines()
                         for name in ("table1_pg19", "table2_proof_pile"))  # fmt: skip
        (said,) = (line for line in first if "claims.md#tuned_beats_base" in line)
        assert said.startswith("- **does not hold** ·")
        assert "tiny, pg19: PI x4 at 1024" in said
        assert "table2\\_proof\\_pile decides: it does not hold (tiny, proof\\_pile: PI x4 at 1024" in said
        (other,) = (line for line in second if "claims.md#tuned_beats_base" in line)
        assert other.startswith("- **does not hold** ·")
        assert "decides" not in other

    def test_claims_that_an_experiment_never_touches_are_not_on_its_page(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "quickstart" / "tiny", perplexities(LOSSES))
        render(folder)
        page = (folder / "README.md").read_text()
        assert "not measured" not in page
        assert "passkey" not in page.split("## What holds")[1].split("##")[0]
        other = write(tmp_path / "mine" / "tiny", [replace(row, experiment="mine") for row in perplexities(LOSSES)])
        render(other)
        assert "None of the paper's claims rests on these records." in (other / "README.md").read_text()

    def test_saved_figures_keep_no_date(self, tmp_path: Path) -> None:
        written = drawing.save(positions_figure(positions(CURVES)), tmp_path / "positions")
        assert [path.name for path in written] == ["positions.png", "positions.pdf"]
        assert b"CreationDate" not in written[1].read_bytes()
