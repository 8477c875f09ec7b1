"""Several seeds as one number: the mean, and an interval that covers documents and seeds."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from position_interpolation.evidence import comparison, seeds, select
from position_interpolation.evidence.intervals import student, wilson
from position_interpolation.evidence.k_max import k_max
from position_interpolation.evidence.records import Record, read
from position_interpolation.report.sections import sections
from position_interpolation.settings.places import HOME


def record(metric: str, value: float, seed: int | None = 0, **given: object) -> Record:
    plain: dict[str, object] = {
        "experiment": "table1_pg19", "rung": "tiny", "model": "tiny", "weights_sha256": None, "method": "pi",
        "factor": 4.0, "window": 1024, "steps": 100, "task": "pg19", "eval_window": 1024, "stride": 32,
        "protocol": "token", "metric": metric, "value": value, "ci_low": None, "ci_high": None,
        "n_documents": 8, "n_tokens": 1000,
        "data": {"name": "pg19", "source": "local", "sha256": "a", "ids": ["1", "2"]}, "seed": seed,
        "signature": f"s{seed}", "commit": None, "versions": {}, "device": "cpu", "dtype": "float32", "seconds": 1.0,
    }  # fmt: skip
    return Record(**{**plain, **given})  # type: ignore[arg-type]


def retrieved(wins: dict[int, int], seed: int, trials: int = 10) -> list[Record]:
    """Passkeys at some distances under one seed: each seed asks prompts of its own."""
    data = {"name": "passkey", "source": "generated", "sha256": f"prompts {seed}", "ids": None, "threshold": 0.2}
    common = {"task": "passkey", "protocol": "key", "stride": None, "data": data, "n_documents": trials}
    rows = [
        record("success", won / trials, seed, at=k, **{**common, **ends(wilson(won, trials))})
        for k, won in wins.items()
    ]
    longest = k_max(wins, trials, 0.2)
    return [
        *rows,
        record("k_max", longest.value, seed, **{**common, **ends(longest), "n_documents": trials * len(wins)}),
    ]


def ends(found: object) -> dict[str, object]:
    return {"ci_low": found.low, "ci_high": found.high}  # type: ignore[attr-defined]


def test_the_known_spread_is_that_of_the_committed_seeds() -> None:
    """Pairs of seeds differ by twice the variance of one."""
    rows = [
        one for one in read(HOME / "results/base_tokens/tiny/rows.jsonl")
        if (one.metric, one.protocol, one.steps) == ("perplexity", "token", 80) and one.eval_window in (256, 1024)
    ]  # fmt: skip
    ratios: dict[tuple[int | None, int | None], dict[int | None, float]] = {}
    for one in rows:
        sign = 1 if one.method == "pi" else -1
        by_seed = ratios.setdefault((one.base_tokens, one.eval_window), {})
        by_seed[one.seed] = by_seed.get(one.seed, 0.0) + sign * math.log(one.value)
    pairs = [list(by_seed.values()) for by_seed in ratios.values()]
    assert len(pairs) == 8
    spread = math.sqrt(sum((first - second) ** 2 for first, second in pairs) / len(pairs) / 2)
    assert pytest.approx(spread, abs=5e-5) == seeds.KNOWN_SPREAD


def test_one_seed_stays_as_it_is() -> None:
    rows = [record("perplexity", 30.0, ci_low=29.0, ci_high=31.0), record("perplexity", 40.0, eval_window=256)]
    assert seeds.pooled(rows) == rows


def test_perplexities_are_averaged_as_logarithms_and_both_spreads_count() -> None:
    """By hand: logarithms 3.4, 3.5, 3.6; documents leave 0.1 on either side, seeds t(2) 0.1 / sqrt(3)."""
    rows = [
        record("perplexity", math.exp(value), seed, ci_low=math.exp(value - 0.1), ci_high=math.exp(value + 0.1))
        for seed, value in enumerate((3.4, 3.5, 3.6))
    ]
    (found,) = seeds.pooled(rows)
    half = math.hypot(0.1, 4.302653 * 0.1 / math.sqrt(3))
    assert found.value == pytest.approx(math.exp(3.5))
    assert found.ci_low == pytest.approx(math.exp(3.5 - half), rel=1e-5)
    assert found.ci_high == pytest.approx(math.exp(3.5 + half), rel=1e-5)
    assert (found.seed, found.data["seeds"], found.n_documents) == (None, [0, 1, 2], 8)


def test_trials_of_all_seeds_are_counted_together() -> None:
    rows = [row for seed in (0, 1, 2) for row in retrieved({256: 10, 512: 5, 768: 2, 1024: 0}, seed)]
    found = {(row.metric, row.at): row for row in seeds.pooled(rows)}
    assert len(found) == 5
    assert (found["success", 512].value, found["success", 512].n_documents) == (0.5, 30)
    trials = wilson(15, 30)
    assert (found["success", 512].ci_low, found["success", 512].ci_high) == pytest.approx((trials.low, trials.high))
    longest = k_max({256: 30, 512: 15, 768: 6, 1024: 0}, 30, 0.2)
    shown = found["k_max", None]
    assert (shown.value, shown.ci_low, shown.ci_high) == (longest.value, longest.low, longest.high)


def test_rows_of_more_seeds_have_more_trials_and_the_caption_says_so() -> None:
    rows = [
        *retrieved({256: 10}, 0),
        *retrieved({256: 10}, 1),
        *(replace(row, factor=8.0) for row in retrieved({256: 9}, 0)),
    ]
    assert select.trials(row for row in seeds.pooled(rows) if row.at is not None) == "10 to 20 trials"
    assert select.trials(retrieved({256: 1}, 0, trials=1)[:1]) == "1 trial"


def test_k_max_without_its_trials_is_the_mean_over_seeds() -> None:
    rows = [*retrieved({256: 10, 512: 0}, 0), *retrieved({256: 10, 512: 10}, 1)]
    (shown,) = seeds.pooled([row for row in rows if row.metric == "k_max"])
    assert (shown.value, shown.seed, shown.data["seeds"]) == (384, None, [0, 1])


def test_seeds_that_differ_widen_a_rate_beyond_its_trials() -> None:
    rows = [row for seed, won in enumerate((1, 5, 9)) for row in retrieved({256: won}, seed)]
    found = next(row for row in seeds.pooled(rows) if row.metric == "success")
    trials = wilson(15, 30)
    assert found.ci_low is not None
    assert trials.low is not None
    assert found.ci_low < trials.low - 0.2
    assert found.ci_low >= 0


def test_settings_and_stopped_bases_keep_their_seeds() -> None:
    for given_field in ({"settings": {"train.clip": 1.0}}, {"base_tokens": 8_000_000}):
        rows = [record("perplexity", 30.0, seed, **given_field) for seed in (0, 1)]
        assert seeds.pooled(rows) == rows


LOSSES = {"1": (3.0, 100), "2": (3.4, 100), "3": (2.8, 300)}


def shifted(by: float) -> comparison.Losses:
    return {name: (loss + by, tokens) for name, (loss, tokens) in LOSSES.items()}


def test_a_ratio_over_seeds_by_hand() -> None:
    """Every document alike under a seed: documents leave nothing, and the interval is that of three logarithms."""
    found = seeds.products([([shifted(by)], [shifted(0.0)]) for by in (-0.02, -0.03, -0.04)])
    assert found is not None
    half = student(2) * 0.01 / math.sqrt(3)
    assert found.value == pytest.approx(math.exp(-0.03))
    assert (found.low, found.high) == pytest.approx((math.exp(-0.03 - half), math.exp(-0.03 + half)))


@given(st.floats(-0.5, 0.5))
def test_one_seeds_ratio_is_that_of_its_documents(by: float) -> None:
    sides = [shifted(by)], [LOSSES]
    assert seeds.products([sides]) == comparison.products(*sides)


def test_more_seeds_never_claim_less_than_the_documents_do() -> None:
    uneven = {name: (loss * 0.99, tokens) for name, (loss, tokens) in LOSSES.items()}
    alone = comparison.products([uneven], [LOSSES])
    many = seeds.products([([uneven], [LOSSES])] * 3)
    assert alone is not None
    assert many is not None
    assert (many.low, many.high) == pytest.approx((alone.low, alone.high))


def test_a_pooled_number_has_no_seed_of_its_own() -> None:
    rows = [record("document_loss", 3.0, seed) for seed in (0, 1)]
    (found,) = seeds.pooled(rows)
    assert (found.value, found.ci_low, found.n_documents) == (3.0, None, 8)
    assert replace(rows[0], seed=None).identity == found.identity


def test_a_table_says_which_rows_are_means_over_seeds() -> None:
    shown = sections(read(HOME / "results/table4_passkey/tiny/rows.jsonl"))
    passkeys = next(one for one in shown if one.stem == "passkey")
    note = passkeys.table.caption.split(" Over seeds ")[1]
    assert note.startswith("0, 1, 2 of tuning")
    assert "PI x4, tuned 1000 steps" in note
    assert "tuned 400 steps" not in note, "measured under one seed"
