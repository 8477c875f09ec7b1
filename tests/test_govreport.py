"""Summaries of reports (Table 6): what is tuned on, what is written, how it is scored and shown."""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rouge_score import rouge_scorer
from test_report import outcome
from torch.nn.functional import cross_entropy

from position_interpolation.app import launch
from position_interpolation.app.run import run
from position_interpolation.evidence import records, select
from position_interpolation.evidence.records import Record
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Compute, Train
from position_interpolation.tasks.govreport import config as govreport_config
from position_interpolation.tasks.govreport import page as govreport_page
from position_interpolation.tasks.govreport import rouge, summaries
from position_interpolation.tasks.govreport.config import GovReportTask, Lengths
from position_interpolation.tasks.govreport.pairs import Pair
from position_interpolation.tasks.govreport.summaries import AFTER, BEFORE, IGNORED, Examples, Sampling
from position_interpolation.text.encoding import encode, first_tokens
from position_interpolation.tuning.checkpoints import loss_curve
from position_interpolation.tuning.training import tune

WORDS = [
    "report",
    "agency",
    "budget",
    "law",
    "program",
    "federal",
    "fund",
    "state",
    "review",
    "cost",
    "plan",
    "audit",
    "grant",
]
REPORT = "The agency did not review the cost of the program. " * 20
PAIRS = [Pair(f"p{number}", f"Report {number}. {REPORT}", f"The cost of {number}.") for number in range(5)]
TIGHT = Lengths(prompt=60, summary=12)


# Prompts and labels


def test_the_prompt_is_the_papers_template(tokenizer: Any) -> None:
    ids = summaries.prompt(tokenizer, "Costs rose.", most=500)
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:], clean_up_tokenization_spaces=False) == (
        "Read the following article and then summarize it.\n# Costs rose.\nNow summarize the above article.\nSummary:"
    )


def test_the_report_alone_is_cut(tokenizer: Any) -> None:
    """60 tokens: BOS, the lines before, as much of the report as fits, the lines after."""
    ids = summaries.prompt(tokenizer, REPORT, most=60)
    before, after = encode(tokenizer, BEFORE), encode(tokenizer, AFTER)
    room = 60 - 1 - len(before) - len(after)
    assert ids == [0, *before, *encode(tokenizer, " " + REPORT)[:room], *after]


def test_a_prompt_without_room_for_a_report_says_how_many_tokens_it_needs(tokenizer: Any) -> None:
    least = 1 + len(encode(tokenizer, BEFORE)) + len(encode(tokenizer, AFTER)) + 1
    assert len(summaries.prompt(tokenizer, REPORT, least)) == least
    with pytest.raises(UsageError, match=f"its fixed lines need {least}"):
        summaries.prompt(tokenizer, REPORT, least - 1)


def test_a_whole_summary_is_closed_by_eos_and_a_cut_one_is_not(tokenizer: Any) -> None:
    ids = encode(tokenizer, " Costs rose.")
    assert summaries.target(tokenizer, "Costs rose.", most=len(ids)) == [*ids, tokenizer.eos_token_id]
    assert summaries.target(tokenizer, "Costs rose.", most=len(ids) - 1) == ids[:-1]


def test_labels_count_the_summary_and_its_eos_alone(tokenizer: Any) -> None:
    item = Examples(PAIRS[:1], tokenizer, TIGHT, length=1, seed=0)[0]
    ids, labels = item["input_ids"].tolist(), item["labels"].tolist()
    summary = encode(tokenizer, " The cost of 0.")
    assert labels == [IGNORED] * 60 + [*summary, tokenizer.eos_token_id]
    assert ids == [*summaries.prompt(tokenizer, PAIRS[0].text, 60), *summary, tokenizer.eos_token_id]


def test_the_loss_tuned_on_is_the_mean_over_summary_tokens(
    build_llama: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    """Against logits of the whole sequence: two pairs a batch, each weighing alike, report tokens not at all."""
    data = Examples(PAIRS, tokenizer, TIGHT, length=2, seed=0)
    expected = []
    for item in (data[0], data[1]):
        start = 60  # of the summary, which position 59 is the first to predict
        with torch.inference_mode():
            logits = build_llama("pi", 2.0)(input_ids=item["input_ids"][None]).logits[0]
        expected.append(float(cross_entropy(logits[start - 1 : -1].float(), item["input_ids"][start:])))
    train = Train(steps=1, batch_size=2, log_every=1)
    chosen = Compute("cpu", "float32")
    tune(lambda _: build_llama("pi", 2.0), data, train, tmp_path, micro_batch=1, chosen=chosen, seed=0)
    assert loss_curve(tmp_path)[0]["loss"] == pytest.approx(sum(expected) / 2, rel=1e-3)


def test_every_epoch_has_every_pair_once_in_an_order_of_its_own(tokenizer: Any) -> None:
    order = Examples(PAIRS, tokenizer, TIGHT, length=12, seed=0).order.tolist()
    assert sorted(order[:5]) == sorted(order[5:10]) == [0, 1, 2, 3, 4]
    assert order[:5] != order[5:10]
    assert Examples(PAIRS, tokenizer, TIGHT, length=7, seed=0).order.tolist() == order[:7]
    assert Examples(PAIRS, tokenizer, TIGHT, length=12, seed=1).order.tolist() != order


# Writing


SAMPLING = Sampling(temperature=0.5, top_p=0.95, most=8, seed=0)


def test_a_summary_depends_on_seed_and_document_but_not_on_what_was_written_before(llama: Any, tokenizer: Any) -> None:
    ids = summaries.prompt(tokenizer, REPORT, 60)
    eos = tokenizer.eos_token_id
    first = summaries.write(llama, ids, eos, SAMPLING, "a")
    state = torch.random.get_rng_state()
    other = summaries.write(llama, ids, eos, SAMPLING, "b")
    assert summaries.write(llama, ids, eos, SAMPLING, "a") == first
    assert other != first
    assert summaries.write(llama, ids, eos, Sampling(0.5, 0.95, 8, seed=1), "a") != first
    assert torch.equal(torch.random.get_rng_state(), state), "the run's own random numbers were used up"
    assert len(first) <= 8


def test_hardly_any_temperature_writes_what_greedy_decoding_without_cache_writes(llama: Any, tokenizer: Any) -> None:
    ids = summaries.prompt(tokenizer, REPORT, 60)
    expected = list(ids)
    with torch.inference_mode():
        for _ in range(6):
            expected.append(int(llama(input_ids=torch.tensor([expected]), use_cache=False).logits[0, -1].argmax()))
    written = summaries.write(llama, ids, tokenizer.eos_token_id, Sampling(1e-4, 0.95, 6, seed=0), "a")
    assert written == expected[len(ids) :]


def test_eos_ends_a_summary_and_is_no_part_of_it(llama: Any, tokenizer: Any) -> None:
    ids = summaries.prompt(tokenizer, REPORT, 60)
    greedy = Sampling(1e-4, 0.95, 6, seed=0)
    free = summaries.write(llama, ids, -1, greedy, "a")
    end = free[3]
    assert summaries.write(llama, ids, end, greedy, "a") == free[: free.index(end)]


def test_the_first_tokens_of_a_report_are_its_beginning(tokenizer: Any) -> None:
    ids = first_tokens(tokenizer, REPORT, 7)
    assert ids == encode(tokenizer, REPORT)[:7]
    assert REPORT.startswith(summaries.text_of(tokenizer, ids))


# Scores


def test_rouge_by_hand() -> None:
    """Two of three words, one of two pairs: precision 1, recall 2/3 and 1/2; an F-measure of 4/5 and 2/3."""
    found = rouge.scores(["the cat"], ["the cat sat"])
    assert found["rouge1"] == [pytest.approx(80)]
    assert found["rouge2"] == [pytest.approx(200 / 3)]
    assert found["rougeL"] == found["rougeLsum"] == [pytest.approx(80)]


def test_rouge_is_rouge_score_with_the_stemmer() -> None:
    left = ["Agencies reviewed costs.\nFunding rose.", "", "The plan."]
    right = ["Funding rises.\nThe agency reviews its costs.", "A reference.", "The plan."]
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=True)
    found = rouge.scores(left, right)
    for place, (prediction, reference) in enumerate(zip(left, right, strict=True)):
        for variant, score in scorer.score(reference, prediction).items():
            assert found[variant][place] == pytest.approx(100 * score.fmeasure)
    assert found["rougeLsum"][0] > found["rougeL"][0], "lines in another order still match"
    assert found["rouge1"][1] == 0
    assert found["rouge1"][2] == 100


# Settings


def config_of(*overrides: str) -> Any:
    launch.register()
    return launch.typed(launch.composed(["task=govreport", "context=x8", *overrides]))


def test_lengths_are_the_papers_shares_of_the_window() -> None:
    tiny, llama = config_of("model=tiny"), config_of("model=llama_7b")
    assert govreport_config.summary_lengths(llama, llama.task) == (15000, 1000)
    assert govreport_config.summary_lengths(tiny, tiny.task) == (1875, 125)
    assert isinstance(tiny.task, GovReportTask)
    assert (tiny.task.epochs, tiny.task.temperature, tiny.task.top_p) == (10, 0.5, 0.95)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data=embedded"], "which no installed package brings: set data=hub, or data=local"),
        (["data=local"], "set data.root=<directory>"),
        (["data=hub", "task.epochs=0"], "task.epochs=0.0 makes no sense: expected a number above 0"),
        (["data=hub", "task.temperature=0"], "task.temperature=0.0 makes no sense"),
        (["data=hub", "task.top_p=1.5"], "task.top_p=1.5 is a share of probability"),
        (["data=hub", "task.summary_tokens=300"], "do not fit a window of 2048"),
        (["data=hub", "task.training=reports"], "corpus 'reports' is not in data=hub"),
        (["data=hub", "task.epoch=3"], "did you mean 'task.epochs'?"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_computed(overrides: list[str], expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        launch.checked(["task=govreport", "context=x8", *overrides])
    assert expected in str(refused.value)


# A whole run


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve reports of random words in the layout of data=local, in each of the two files."""
    folder, generator = tmp_path_factory.mktemp("data"), random.Random(0)
    (folder / "govreport").mkdir()
    for name in ("govreport", "crs_gao"):
        with gzip.open(folder / "govreport" / f"{name}.jsonl.gz", "wt") as lines:
            for number in range(12):
                report, summary = (" ".join(generator.choices(WORDS, k=count)) for count in (600, 60))
                lines.write(json.dumps({"id": f"{name}-{number}", "report": report, "summary": summary}) + "\n")
    return folder


def measured(data: Path, folder: Path, *overrides: str) -> list[Record]:
    """Records of a run of the smoke model under PI x8, L' = 512; its cache and training may be there."""
    places = [f"paths.{name}={folder / name}" for name in ("results", "runs", "cache")]
    run(
        config_of(
            "model=smoke", "train=untuned", "data=local", f"data.root={data}", "wandb=disabled", "task.documents=4",
            "task.epochs=0.5", "task.batch_size=2", "task.learning_rate=0.01", "compute.dtype=float32", *places,
            *overrides,
        )
    )  # fmt: skip
    return records.read(folder / "results" / "single" / "smoke" / "rows.jsonl")


def numbers(rows: list[Record]) -> list[tuple[str, str | None, Any, float]]:
    return [(row.metric, row.protocol, row.data["ids"], row.value) for row in rows]


@pytest.fixture(scope="module")
def unbroken(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    folder = tmp_path_factory.mktemp("unbroken")
    measured(reports, folder)
    return folder, measured(reports, folder, "task.tune=false")


def test_lead_fine_tuned_and_not_stand_side_by_side(unbroken: tuple[Path, list[Record]]) -> None:
    _, rows = unbroken
    for protocol in ("lead", "generated", "generated_untuned"):
        own = [row for row in rows if row.protocol == protocol]
        for variant in rouge.VARIANTS:
            mean = next(row for row in own if row.metric == variant)
            each = [row for row in own if row.metric == f"document_{variant}"]
            assert [row.data["ids"] for row in each] == [[name] for name in mean.data["ids"]]
            assert mean.value == pytest.approx(sum(row.value for row in each) / 4)
            assert mean.ci_low is not None
            assert mean.ci_low <= mean.value <= (mean.ci_high or 0)
        assert {row.eval_window for row in own if "rouge" in row.metric} == {512}
        assert {row.method for row in own} == {None if protocol == "lead" else "pi"}
    weights = {row.protocol: row.weights_sha256 for row in rows}
    assert weights["lead"] is None
    assert weights["generated"] != weights["generated_untuned"], "each row names the weights that wrote it"
    steps = next(row for row in rows if row.metric == "summary_steps")
    assert steps.value == -(-(steps.n_documents or 0) * 0.5 // 2), "half an epoch in batches of two"


def test_what_is_scored_is_never_tuned_on(reports: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"is measured, but tuned on as .* of govreport and 3 more: give the two corpora"
    ):
        measured(reports, tmp_path, "task.training=govreport")


def test_a_run_that_lost_half_of_what_it_wrote_goes_on_with_the_same_numbers(
    reports: Path, unbroken: tuple[Path, list[Record]]
) -> None:
    folder, rows = unbroken
    written = sorted((folder / "runs" / "summaries").glob("*/*.json"))
    assert len(written) == 8, "one file a document, for each of two writers"
    before = {path: path.read_text() for path in written}
    for path in written[::2]:
        path.unlink()
    written[1].write_text(before[written[1]][:20])  # cut off in the middle
    for path in (folder / "runs" / "records").iterdir():
        path.unlink()
    trained = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*.safetensors")}
    measured(reports, folder)
    assert numbers(measured(reports, folder, "task.tune=false")) == numbers(rows)
    assert {path: path.read_text() for path in written} == before
    assert {path: path.stat().st_mtime_ns for path in trained} == trained, "tuning was done again"


# What is shown


def test_the_table_is_table_6_with_ours_above_the_papers(unbroken: tuple[Path, list[Record]]) -> None:
    _, rows = unbroken
    table = govreport_page.govreport_table(rows)
    assert table.header == ("Model", "Window", "Method", "ROUGE-1", "ROUGE-2", "ROUGE-L", "ROUGE-Lsum")
    named = {(row[0].value, row[2].value): row for row in table.rows}
    assert len(named) == 6
    lead = named["smoke", "the report's first tokens"]
    assert lead[3].value == next(r.value for r in rows if (r.metric, r.protocol) == ("rouge1", "lead"))
    assert ("smoke", "PI x8, untuned, fine-tuned on summaries") in named
    printed = named["paper: LLaMA-7B PI", "fine-tuned on summaries"]
    assert [cell.value for cell in printed[3:]] == [60.0, 28.0, 29.5, None]


def test_a_base_that_reads_less_stands_beside_what_reads_more(unbroken: tuple[Path, list[Record]]) -> None:
    """The base's window is smaller, and first tokens that are the same in both windows are shown once."""
    rows = [row for row in unbroken[1] if row.protocol != "generated"]
    base = {"method": "none", "factor": 1.0, "window": 64, "eval_window": 64}
    less = [replace(row, **base) if row.method else replace(row, eval_window=64) for row in rows]
    ((_, together),) = select.summaries([*less, *rows]).items()
    table = govreport_page.govreport_table(together)
    shown = [(row[1].value, row[2].value) for row in table.rows[:3]]
    assert shown == [
        (64, "the report's first tokens"),
        (64, "none (L = 64), no summaries seen"),
        (512, "PI x8, untuned, no summaries seen"),
    ]
    longer = [replace(row, value=row.value + 1) if row.method is None else row for row in rows]
    ((_, together),) = select.summaries([*less, *longer]).items()
    named = [writer.name for writer in govreport_page.by_writer(together)]
    assert named[:2] == ["the report's first tokens, in 64", "the report's first tokens, in 512"]


def test_verdicts_compare_the_same_documents(unbroken: tuple[Path, list[Record]]) -> None:
    rows = [replace(row, experiment="table6_govreport") for row in unbroken[1]]
    (first, *_) = outcome(rows, "summaries_tuning_helps").measured
    ours, other = (
        next(r.value for r in rows if (r.metric, r.protocol) == ("rouge1", protocol))
        for protocol in ("generated", "generated_untuned")
    )
    assert first.effect is not None
    assert first.effect.value == pytest.approx(ours - other)
    assert first.effect.detail.endswith("of the same model without tuning on summaries, 4 reports")
    assert outcome(rows, "govreport_other_rouges").cases == 2


def test_a_verdict_needs_both_sides(unbroken: tuple[Path, list[Record]]) -> None:
    alone = [replace(row, experiment="table6_govreport") for row in unbroken[1] if row.protocol == "generated_untuned"]
    for name in ("summaries_tuning_helps", "govreport_rouge_1"):
        assert outcome(alone, name).verdict == "not measured"
