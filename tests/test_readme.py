"""What the pages tell a reader to type can be typed, and what they show is what results/ holds."""

import csv
import json
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from compositions import shortest

from position_interpolation.app import checks, launch
from position_interpolation.evidence.records import Record, read
from position_interpolation.evidence.seeds import pooled
from position_interpolation.models import checkpoint, loading
from position_interpolation.tasks.longppl import config as longppl

HOME = Path(__file__).resolve().parents[1]
PAGES = [
    HOME / "README.md",
    HOME / "src/position_interpolation/assets/tiny/README.md",
    *sorted(HOME.glob("experiments/*/README.md")),
    # Two recipes add what is not there: test_recipes.py follows them.
    *sorted({*HOME.glob("docs/*.md")} - {HOME / "docs/add_a_method.md", HOME / "docs/add_a_task.md"}),
]
ENTRYPOINT = re.compile(r"-m position_interpolation |sbatch experiments/cluster/job\.sh ")


def commands(page: Path) -> list[str]:
    """Lines of the page's shell blocks, without their remarks."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "\n".join(blocks).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


RUNS = {line: page for page in PAGES for line in commands(page) if ENTRYPOINT.search(line)}
TARGETS = [(page, line) for page in PAGES for line in commands(page) if line.startswith("make ")]


@pytest.mark.parametrize("line", RUNS, ids=lambda line: f"{RUNS[line].parent.name} {line[-60:]}")
def test_every_shown_run_composes(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.corpora, "require", lambda data, name: data.corpora[name])
    monkeypatch.setattr(checks, "_check_places", lambda config: None)  # the reader's own folders
    monkeypatch.setattr(longppl, "check_evaluator", lambda *_: None)
    monkeypatch.setattr(checkpoint, "window", lambda *_: 256)  # the reader's own model
    if processes := re.search(r"--nproc-per-node (\d+)", line):
        monkeypatch.setenv("WORLD_SIZE", processes.group(1))
    launch.register()
    shown = re.sub(r"<[^>]+>", "somewhere", ENTRYPOINT.split(line)[1].replace("--multirun ", ""))
    jobs = launch.jobs(shlex.split(shown))
    if re.fullmatch(r"experiment=\w+( model=tiny)?( data.root=somewhere)?", shown):
        jobs = jobs[:1]  # test_apart.py has the others
    for overrides in shortest(jobs):
        checks.check(launch.typed(launch.composed(overrides)))


@pytest.mark.parametrize(("page", "line"), TARGETS, ids=lambda value: str(value)[-40:])
def test_every_shown_make_target_exists(page: Path, line: str) -> None:
    makefile = (HOME / "Makefile").read_text()
    assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)


def test_make_help_names_every_target() -> None:
    shown = subprocess.run(["make", "--silent", "help"], cwd=HOME, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([\w-]+):.*## ", (HOME / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in shown.splitlines()] == targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


@cache
def rows_of(folder: str) -> list[Record]:
    return read(HOME / "results" / folder / "rows.jsonl")


def quoted(folder: str, metric: str, eval_window: int, digits: int, **what: object) -> tuple[str, ...]:
    """A number, over its seeds, and its interval as the README writes them; a share in per cent."""
    (found,) = [
        record
        for record in pooled(rows_of(folder))
        if (record.metric, record.eval_window, record.at) == (metric, eval_window, None)
        and record.protocol in ("token", "key")
        and all(getattr(record, name) == value for name, value in what.items())
    ]
    times = 100 if metric == "success" else 1
    return tuple(f"{times * (number or 0):.{digits}f}" for number in (found.value, found.ci_low, found.ci_high))


QUICK, BOOKS, SMOL = "quickstart/tiny", "table1_pg19/tiny", "table1_pg19/smollm2"
RIVALS = "rivals_tuned/tiny"
PERPLEXITIES = [
    (BOOKS, 256, 2, {"method": "none"}), (BOOKS, 1024, 2, {"method": "none"}),
    (RIVALS, 256, 2, {"method": "none"}),
    *((RIVALS, 1024, 2, {"method": method, "steps": steps})
      for method, steps in (("longrope_searched", 0), ("pi", 0))),
    (BOOKS, 1024, 2, {"method": "pi", "factor": 4}), (BOOKS, 1024, 2, {"method": "extrapolation"}),
    *((SMOL, window, 1, {"method": method, "factor": factor, "steps": steps}) for window in (8192, 16384)
      for method, factor, steps in (("pi", 2, 80), ("extrapolation", 2, 80), ("none", 1, 0))),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "window", "digits", "what"), PERPLEXITIES, ids=str)
def test_perplexities_of_the_readme_are_those_of_the_records(
    folder: str, window: int, digits: int, what: dict[str, object]
) -> None:
    value, _, _ = quoted(folder, "perplexity", window, digits, **what)
    assert value in (HOME / "README.md").read_text()


@pytest.mark.parametrize(
    ("page", "claim", "after"),
    [(QUICK, "quickstart_pi_beats_extrapolation", "trails at 4 L"), (BOOKS, "pi_beats_extrapolation", "PI leads by")],
)
def test_who_leads_and_by_how_much_is_what_the_pages_say(page: str, claim: str, after: str) -> None:
    shown = re.search(rf"\n- .*#{claim}\).*", (HOME / "results" / page / "README.md").read_text())
    assert shown is not None
    lead, *ends = re.findall(r"[-+][\d.]+(?= %)", shown[0])[:3]
    low, high = sorted(end[1:] for end in ends)
    text = " ".join((HOME / "README.md").read_text().split())
    assert f"by {lead[1:]} % [{low}, {high}]" in text[text.index(after) :][:80]
    ours, theirs = (
        quoted(page, "perplexity", 1024, 2, method=method, factor=4, steps=1000 if page == BOOKS else 100)[0]
        for method in ("pi", "extrapolation")
    )
    assert f"({ours} against {theirs}," in shown[0], "over all seeds, as the table has them"


@pytest.mark.parametrize("method", ["pi", "extrapolation"])
def test_the_passkeys_of_the_readme_are_those_of_the_records(method: str) -> None:
    rate, low, high = quoted(QUICK, "success", 1024, 0, method=method, steps=100)
    assert f"{rate} % [{low}, {high}]" in " ".join((HOME / "README.md").read_text().split())


def test_the_seeds_of_the_readme_are_those_of_the_records() -> None:
    text = " ".join((HOME / "README.md").read_text().split())
    rows = [row for row in pooled(rows_of("table4_passkey/tiny")) if (row.steps, row.at) == (1000, None)]
    found = {(row.metric, row.method): row for row in rows if row.eval_window == 1024}
    assert found["k_max", "pi"].data["seeds"] == [0, 1, 2]
    k_max = [round(found["k_max", method].value) for method in ("pi", "extrapolation")]
    assert (
        f"PI finds at least a fifth of keys up to a distance of {k_max[0]} (k_max), extrapolation up to {k_max[1]};"
        in text
    )
    keys = [round(100 * found["success", method].value) for method in ("pi", "extrapolation")]
    assert f"over all distances {keys[0]} % and {keys[1]} %." in text


def test_the_keys_of_rivals_in_the_readme_are_those_of_the_records() -> None:
    text = " ".join((HOME / "README.md").read_text().split())
    rows = [row for row in pooled(rows_of(RIVALS)) if (row.metric, row.at, row.eval_window) == ("success", None, 1024)]
    found = {(row.method, row.steps): 100 * row.value for row in rows}
    assert found["longrope_searched", 0] == 100
    assert "find every key; PI has perplexity" in text
    assert found["pi", 0] == 0
    assert f"with the tables' recipe and text {found['pi', 100]:.0f} %." in text
    assert f"and finds {found['yarn', 1000]:.0f} % of keys, PI {found['pi', 1000]:.0f} %." in text


def test_the_lead_of_yarn_in_the_readme_is_that_of_the_page() -> None:
    table = (HOME / "results/rivals_tuned/tiny/rivals.csv").open(newline="")
    (row,) = (row for row in csv.DictReader(table) if (row["Method"], row["Steps"]) == ("YaRN", "1000"))
    value, low, high = (100 * (1 - float(row[f"at L' / PI at L'{end}"])) for end in ("", " low", " high"))
    text = " ".join((HOME / "README.md").read_text().split())
    assert f"YaRN is {value:.1f} % [{high:.1f}, {low:.1f}] below PI" in text


def test_what_rivals_bring_smollm2_is_what_their_pages_say() -> None:
    text = " ".join((HOME / "README.md").read_text().split())
    for folder, method, steps, part in (
        ("rivals", "YaRN", 0, "past L"), ("rivals", "PI", 0, "past L"),
        ("rivals_tuned", "YaRN", 80, "past L"), ("rivals_tuned", "PI", 80, "past L"), ("rivals", "none", 0, "inside L"),
    ):  # fmt: skip
        table = (HOME / "results" / folder / "smollm2" / "rivals.csv").open(newline="")
        (row,) = (row for row in csv.DictReader(table) if (row["Method"], row["Steps"]) == (method, str(steps)))
        assert f"{float(row[part]):.2f}" in text[text.index("SmolLM2's tokens from L to 2 L") :][:400]


def test_plain_text_brings_as_few_keys_as_the_readme_says() -> None:
    rows = [row for row in rows_of("plain_text/tiny") if (row.metric, row.at, row.factor) == ("success", None, 4)]
    pi, extrapolation = (100 * row.value for method in ("pi", "extrapolation") for row in rows if row.method == method)
    assert f"they find [{pi:.0f} and {extrapolation:.0f} %]" in " ".join((HOME / "README.md").read_text().split())


def test_what_was_written_for_missed_keys_is_counted_as_the_page_counts_it() -> None:
    """And there are as many of them as the records of success say, but for one."""
    folder = HOME / "experiments/table4_passkey"
    with (folder / "missed.csv").open() as lines:
        missed = list(csv.DictReader(lines))
    page = (folder / "README.md").read_text()
    groups = {(line["extension"], int(line["steps"])) for line in missed}
    assert len(groups) == 5
    for extension, steps in groups:
        own = [line for line in missed if (line["extension"], int(line["steps"])) == (extension, steps)]
        pairs = [(line["key"], line["digits written"]) for line in own]
        assert all(key != written for key, written in pairs)
        begun = sum(written[:1] == key[0] for key, written in pairs)
        inside = sum(written != "" and {*written} <= {*key} for key, written in pairs)
        assert f"| {extension}, {steps} | {len(own)} | {begun} | {inside} |" in page
        method, factor = extension.lower().split(" x")
        (success,) = (
            row.value
            for row in rows_of("table4_passkey/tiny")
            if (row.metric, row.at, row.steps, row.seed) == ("success", None, steps, 0)
            and (row.method, row.factor) == (method, float(factor))
        )
        assert abs(len(own) - (1 - success) * 320) < 1.5, (
            "one may turn: digit by digit rounds otherwise than one forward"
        )


def test_the_readme_is_finished_in_ten_minutes() -> None:
    assert len((HOME / "README.md").read_bytes()) < 7700


def test_the_model_card_quotes_its_records() -> None:
    card = (HOME / "src/position_interpolation/assets/tiny/README.md").read_text()
    rows = [json.loads(line) for line in (HOME / "results/tiny_card/tiny/rows.jsonl").read_text().splitlines()]
    protocols = ("token", None, "key")
    found = {row["metric"]: row for row in rows if row.get("at") is None and row["protocol"] in protocols}
    assert found["perplexity"]["weights_sha256"] == loading.weights_sha256(loading.ASSETS / "tiny"), (
        "measure the card again"
    )
    assert f"`{found['perplexity']['weights_sha256'][:16]}`" in card
    for name, metric, digits in (("perplexity", "perplexity", 2), ("bits per byte", "bits_per_byte", 3)):
        value, low, high = (f"{found[metric][key]:.{digits}f}" for key in ("value", "ci_low", "ci_high"))
        assert f"| {name}, validation books | {value} | {low} to {high} |" in card
    rate, low, high = (f"{100 * found['success'][key]:.1f}" for key in ("value", "ci_low", "ci_high"))
    assert f"| passkey, keys found at all distances | {rate} % | {low} to {high} % |" in card


def test_every_experiment_has_its_page() -> None:
    for folder in (path.parent for path in HOME.glob("experiments/*/sweep.yaml")):
        assert (folder / "README.md").is_file(), folder.name
