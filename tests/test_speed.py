"""The benchmark compares like with like: a peer's function as its file has it, and the same number from ours."""

import json
import mmap
import multiprocessing
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sides
import torch
from processes import READ, children, forked

from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import costs_page, inputs, machine, memory, page, perplexity, tuning
from experiments.benchmark.peers import compiled, version
from experiments.benchmark.rounds import Row, Timed, take_turns, take_turns_apart
from position_interpolation.machine import compute
from position_interpolation.planning.formulas import forward_flops
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Train

HOME = Path(__file__).parents[1]
CASE = perplexity.Case("tiny", 64, 16, 5)


def test_a_function_is_taken_out_of_a_file_that_cannot_be_imported(tmp_path: Path) -> None:
    path = tmp_path / "eval.py"
    path.write_text(
        "import deepspeed_of_2023\nraise SystemExit\n\n"
        "def helper(x):\n    return x + 1\n\ndef main(x):\n    return helper(x)\n"
    )
    assert compiled(path, ("main", "helper"))(1) == 2
    with pytest.raises(UsageError, match="does not define evaluate"):
        compiled(path, ("evaluate",))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> inputs.Base:
    return inputs.base("tiny", tmp_path_factory.mktemp("cache"))


def test_ours_gives_the_number_of_the_documented_recipe(base: inputs.Base) -> None:
    theirs = perplexity.recipe(base.plain("float32"), base, CASE)
    assert perplexity.ours("token", base.ours("float32"), base, CASE) == pytest.approx(theirs, rel=1e-5)


def test_work_is_counted_for_the_windows_that_are_run(base: inputs.Base) -> None:
    # The first window reads 63 positions (BOS, and 63 tokens of which the last is never read); so does each later one.
    expected = forward_flops(base.shape, 63, 63) + 5 * forward_flops(base.shape, 63, 16)
    assert perplexity.flops(base, CASE, "token") == expected


def test_the_work_is_said_for_each_protocol() -> None:
    # LongLoRA's function leaves out its last window; the harness's windows do not overlap.
    assert perplexity.work(CASE, "token") == perplexity.work(CASE, "window") == "6 windows, stride 16"
    assert perplexity.work(CASE, "overlapping") == "5 windows, stride 16"
    assert perplexity.work(replace(CASE, later=1), "overlapping") == "1 window"
    assert perplexity.work(CASE, "rolling") == "3 windows, which do not overlap"


def test_sides_take_turns_and_may_bring_their_own_clock() -> None:
    order: list[str] = []
    sides = {"theirs": lambda: order.append("theirs"), "ours": lambda: Timed(order.append("ours"), 7.0)}
    seconds, _ = take_turns(sides, 2)
    assert order == ["theirs", "ours", "ours", "theirs"]
    assert seconds["ours"] == [7.0, 7.0]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_a_run_keeps_freed_memory_and_a_peer_in_its_own_process_does_not() -> None:
    _, found = take_turns_apart({kept: partial(sides.faulting, kept=kept) for kept in (True, False)}, 4)
    assert found[True] < found[False] / 10


def test_a_side_that_cannot_make_ready_says_so_itself() -> None:
    with pytest.raises(UsageError, match="no clone"):
        take_turns_apart({"theirs": sides.unready}, 1)


def test_a_side_that_is_killed_is_one_line() -> None:
    with pytest.raises(UsageError, match="a side's process was killed"):
        take_turns_apart({"theirs": sides.killing}, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("works", [True, False])
def test_a_benchmark_that_is_killed_leaves_no_process(works: bool, tmp_path: Path) -> None:
    """Whether its side works by then, or has only begun to start."""
    file = tmp_path / "side"
    whole = multiprocessing.get_context("spawn").Process(
        target=take_turns_apart, args=({"theirs": partial(sides.waiting, file)}, 1)
    )
    whole.start()
    if works:
        assert eventually(lambda: file.is_file() and file.read_text())
    started = eventually(lambda: children(whole.pid))
    assert started
    whole.kill()
    assert eventually(lambda: not any(map(runs, started)))


def runs(process: int) -> bool:
    """Whether it is there, and no zombie, which has no command line any more."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def eventually(happened: Callable[[], Any]) -> Any:
    """What happens within a minute, or the last that did not."""
    end = time.monotonic() + 60
    while not (found := happened()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_a_row_a_page_and_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perplexity, "CASES", [CASE])
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: READ)  # processes that have read the libraries
    benchmark.main(["parts=[perplexity]", "models=[tiny]", "rounds=1", f"results={tmp_path}", f"cache={tmp_path}"])
    page = (tmp_path / "README.md").read_text()
    assert "| tiny, W = 64 | float32 | documented recipe |" in page
    assert "6 windows, stride 16" in page


def test_a_killed_benchmark_goes_on_with_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, str]] = []

    def compare(own: Any, case: perplexity.Case, precision: str, peer: str, *_: Any) -> list[Row]:
        compared.append((case.window, peer))
        return [Row("perplexity", case.name, peer, precision, [2.0], [1.0], "")]

    monkeypatch.setattr(perplexity, "compare", compare)
    monkeypatch.setattr(perplexity, "compared", lambda _: ["documented recipe", "YaRN"])
    monkeypatch.setattr(perplexity, "precisions", lambda: ["float32"])
    monkeypatch.setattr(perplexity, "CASES", [CASE])
    settings = ["parts=[perplexity]", "models=[tiny]", f"results={tmp_path}", f"cache={tmp_path}"]
    benchmark.main(settings)
    monkeypatch.setattr(perplexity, "CASES", [CASE, replace(CASE, window=128)])
    benchmark.main([*settings, "missing=true"])
    assert compared == [(64, "documented recipe"), (64, "YaRN"), (128, "documented recipe"), (128, "YaRN")]


def test_a_ratio_is_their_seconds_over_ours(base: inputs.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    def perplexities(sides: dict[str, Any], _: int) -> Any:
        found = {side: 8.0 if side == "theirs" else (8.0, "") for side in sides}
        return {side: [3.0 if side == "theirs" else 2.0] for side in sides}, found

    def losses(sides: dict[tuple[str, str], Any], _: int) -> Any:
        curves = {side: [1.0, 2.0] if side[0] == "trainer" else [1.0, 2.5] for side in sides}
        return {side: [3.0 if side[0] == "trainer" else 2.0] for side in sides}, curves

    monkeypatch.setattr(perplexity, "take_turns_apart", perplexities)
    monkeypatch.setattr(tuning, "take_turns_apart", losses)
    rows = perplexity.compare(base, CASE, "float32", "documented recipe", None, 1)
    steps = tuning.compare(base, 64, 1, 2, "float32", 1)
    assert {ratio for row in [*rows, *steps] for ratio in row.ratios} == {1.5}
    assert steps[0].agreement == "losses of 2 steps within 5e-01"  # the farthest apart


def test_one_models_comparisons_leave_the_others() -> None:
    def rows(day: str, **seconds: float) -> list[dict[str, Any]]:
        names = {"precision": "float32", "side": "YaRN", "measured": day}
        return [{"what": what, **names, "ours": [each]} for what, each in seconds.items()]

    first, second = rows("Monday", tiny=1.0, smollm2=2.0), rows("Tuesday", llama=4.0, tiny=3.0)
    both = [*rows("Tuesday", tiny=3.0), *rows("Monday", smollm2=2.0), *rows("Tuesday", llama=4.0)]
    assert benchmark.kept(first, second) == both
    assert benchmark.kept([], second) == second


@pytest.mark.parametrize("name", ["what", "precision", "side", "idea", "kind", "window"])
def test_rows_that_differ_in_a_name_leave_each_other(name: str) -> None:
    first, second = {name: "one", "bytes": 1}, {name: "another", "bytes": 2}
    assert benchmark.kept([first], [second]) == [first, second]


def test_two_benchmarks_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = benchmark.own_file(str(tmp_path))
    both = [forked(partial(adding, path, name), tmp_path) for name in ("one", "other")]
    assert [process.ended().status for process in both] == [0, 0]
    assert len(json.loads(path.read_text())["trials"]) == 40


def adding(path: Path, name: str) -> None:
    for number in range(20):
        row = {"idea": f"{name} {number}", "what": "", "kept": "", "gains": [1.0], "measured": "today"}
        benchmark.add(path, "trials", [row])


def test_a_part_without_comparisons_leaves_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.main(["parts=[passkey]", "models=[tiny]", f"results={tmp_path}"])
    assert not list(tmp_path.iterdir())
    assert "passkey: nothing measured" in capsys.readouterr().out


def test_memory_keeps_what_other_sides_measured(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        side, window = command[4], int(command[5])
        if side == "theirs" and window == 4096:
            return subprocess.CompletedProcess(command, 1, "", "ImportError: a package is broken\n")
        if side == "ours" and window == 8192:
            return subprocess.CompletedProcess(command, 1, "", "RuntimeError: can't allocate memory\n")
        return subprocess.CompletedProcess(command, 0, f"loading\n{window}\n", "")

    monkeypatch.setattr(memory, "CASES", {"tuning": {"theirs": (2048, 4096, 8192), "ours": (2048, 8192, 16384)}})
    monkeypatch.setattr(subprocess, "run", run)
    found = [(row["side"], row["window"], row["bytes"]) for row in memory.measure(Path("."))]
    assert found == [("theirs", 2048, 2048), ("ours", 2048, 2048), ("ours", 8192, None)]
    assert "tuning, theirs, 4096 failed and is left out: ImportError: a package is broken" in capfd.readouterr().err


@pytest.mark.parametrize("side", ["theirs", memory.SCORED_ROWS, "ours"])
def test_memory_of_a_forward_is_above_the_loaded_model(
    side: str, base: inputs.Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "base", lambda *_: base)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(memory, "_resident", lambda: 500)
    monkeypatch.setattr(memory, "_peak", lambda: 1700)
    assert memory._alone("evaluation", side, 512, Path(".")) == 1200


def test_a_peak_counts_from_where_it_was_set_back() -> None:
    def touch(megabytes: int) -> None:  # memory that goes back to the system at once, unlike a tensor's
        with mmap.mmap(-1, megabytes << 20) as block:
            block.write(bytes([1]) * len(block))

    touch(256)  # raises the peak until it is set back
    before = memory._resident()
    touch(64)
    assert 60 << 20 < memory._peak() - before < 160 << 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_memory_that_loading_freed_does_not_hide_what_a_forward_needs() -> None:
    """A run keeps what it frees: 256 MiB freed before would cover the 64 MiB that come after."""
    code = """
import torch
from experiments.benchmark import memory
from position_interpolation.machine import compute
compute.keep_freed_memory()
loaded, weights = torch.ones(64 << 20), torch.ones(1 << 20)
del loaded
before = memory._resident()
needed = torch.ones(16 << 20)
print((memory._peak() - before) >> 20)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 60 < int(said) < 80


@pytest.mark.parametrize("side", ["theirs", "ours"])
def test_a_side_warms_up_before_its_first_turn(side: str, base: inputs.Base, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated: list[str] = []
    monkeypatch.setattr(perplexity, "function", lambda *_: lambda *_: evaluated.append("theirs") or 1.0)
    monkeypatch.setattr(perplexity, "ours", lambda *_: evaluated.append("ours") or 1.0)
    make_ready = {
        "theirs": partial(perplexity.theirs, "YaRN", base, CASE, "float32", None),
        "ours": partial(perplexity.mine, "token", base, CASE, "float32", compiled=False),
    }
    turn = make_ready[side]()
    assert evaluated == [side]
    turn()
    assert evaluated == [side, side]


def test_both_sides_of_a_tuning_are_compiled_or_not_as_asked(
    base: inputs.Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(tuning.training, "tune", lambda *_, chosen, **__: asked.append(chosen.compile))

    def arguments(**settings: Any) -> Any:
        asked.append(settings["torch_compile"])
        raise StopIteration

    monkeypatch.setattr(tuning, "TrainingArguments", arguments)
    work = base, 64, Train(steps=1, batch_size=1), 1, "float32", lambda _: None
    for wanted in (True, False):
        tuning.tuned(*work, compiled=wanted)
        with pytest.raises(StopIteration):
            tuning.trainer(*work, compiled=wanted)
    assert asked == [True, True, False, False]


@pytest.mark.parametrize("wanted", [True, False])
def test_our_side_of_a_perplexity_is_compiled_as_asked(
    wanted: bool, base: inputs.Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(compute, "compile_layers", found.append)
    monkeypatch.setattr(perplexity, "ours", lambda *_: 1.0)
    perplexity.mine("token", base, CASE, "float32", compiled=wanted)
    assert len(found) == wanted


def test_the_shares_of_a_tuning_step_are_its_time(base: inputs.Base) -> None:
    share = machine.step(replace(base, tokens=base.tokens[:4096] * 2), 1024)
    parts = (share.products, share.attention, share.loss, share.rest)
    assert all(seconds > 0 for seconds in parts)
    assert share.products > share.seconds / 10
    assert share.softmax < share.attention + share.loss
    assert share.products < share.multiplied < share.products + share.attention + share.loss


def test_an_operation_inside_another_of_its_kind_counts_once() -> None:
    layer, states = torch.nn.Linear(512, 512), torch.ones(4096, 512)

    def work() -> None:
        with torch.autocast("cpu", torch.bfloat16):  # calls the linear operation from within itself
            layer(states)

    share = machine.shares("a layer", 1.0, work)
    assert 0 < share.products <= share.seconds


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("parts=[speed]", "speed: parts are"),
        ("rounds=0", "expected at least 1"),
        ("pears=x", "pears"),
        ("parts=[machine", r"such as parts=\[tuning\]"),
        ("parts=tuning", r"such as parts=\[tuning\]"),
        ("peers=/nowhere", "peers=/nowhere is no folder"),
        ("peers=.", "clone it there"),
        ("parts=[]", "at least one"),
        ("results=/proc/nothing", "cannot be made"),
    ],
)
def test_bad_settings_get_one_line(
    argument: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        benchmark.main([argument])


@pytest.mark.parametrize("text", ["{broken", "[]", '{"tuning": []}', '{"conditions": {}, "tuning": {"found": []}}'])
def test_damaged_measurements_are_refused_before_anything_is_measured(tmp_path: Path, text: str) -> None:
    benchmark.own_file(str(tmp_path)).write_text(text)
    with pytest.raises(UsageError, match="is damaged"):
        benchmark.main([f"results={tmp_path}"])


def test_rows_that_cannot_be_shown_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    rows = {"conditions": benchmark.conditions(), "tuning": [{"what": "a row without numbers"}]}
    benchmark.own_file(str(tmp_path)).write_text(json.dumps(rows))
    with pytest.raises(UsageError, match="is damaged"):
        benchmark.main([f"results={tmp_path}"])


def test_a_page_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("of another")
    with pytest.raises(UsageError, match="something else"):
        benchmark.main([f"results={tmp_path}"])
    assert (tmp_path / "README.md").read_text() == "of another"


def test_a_file_does_not_mix_versions(tmp_path: Path) -> None:
    path, text = benchmark.own_file(str(tmp_path)), json.dumps({"conditions": {"machine": "another"}, "growth": []})
    path.write_text(text)
    with pytest.raises(UsageError, match="with other versions"):
        benchmark.main(["parts=[growth]", f"results={tmp_path}"])
    assert path.read_text() == text


def test_the_page_has_a_column_a_machine(tmp_path: Path) -> None:
    def row(what: str, seconds: float) -> dict[str, Any]:
        own = {"part": "tuning", "what": what, "side": "Trainer", "precision": "float32", "agreement": "equal"}
        return {**own, "theirs": [3.0, 3.0], "ours": [seconds, seconds], "measured": "today"}

    for name, rows in {"new": [row("tiny", 2.0), row("smollm2", 1.0)], "old": [row("tiny", 1.0)]}.items():
        measured = {"conditions": {"machine": name}, "tuning": rows}
        (tmp_path / f"{name}.json").write_text(json.dumps(measured))
    page.write(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "| what | precision | against | new | at the peak | old | at the peak | agreement | work |" in text
    assert (
        "| tiny | float32 | Trainer | **1.50** (1.50 to 1.50, 2) |  | **3.00** (3.00 to 3.00, 2) |  | equal |" in text
    )
    assert "| smollm2 | float32 | Trainer | **3.00** (3.00 to 3.00, 2) |  |  |  | equal |" in text


def test_memory_is_shown_by_window_whatever_was_measured_first(tmp_path: Path) -> None:
    """1 GiB more a thousand tokens: 23 GiB above the model are full at 20,000 tokens, where 2,000 hold 5."""
    sizes = {4_000: 7, 8_000: 11, 2_000: 5}
    rows = [{"kind": "tuning", "side": "ours", "window": at, "bytes": size << 30} for at, size in sizes.items()]
    said = costs_page.memory("memory", {"one": {"machine": [], "memory": rows}}, tmp_path)
    assert "by the line through the last two: 20,000 tokens (ours)" in said


def test_the_committed_page_is_that_of_its_measurements(tmp_path: Path) -> None:
    committed = HOME / "results" / "benchmark"
    for measured in committed.glob("*.json"):
        shutil.copy(measured, tmp_path)
    page.write(tmp_path)
    assert (tmp_path / "README.md").read_text() == (committed / "README.md").read_text()


def test_a_peers_version_is_that_of_its_clone_alone(tmp_path: Path) -> None:
    (tmp_path / "yarn").mkdir()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "around"], check=True)
    assert version(tmp_path, "YaRN perplexity") == ""  # of a folder inside some other repository
    (tmp_path / ".git").rename(tmp_path / "yarn" / ".git")
    assert re.fullmatch("[0-9a-f]{12}", version(tmp_path, "YaRN perplexity"))


def test_a_clones_file_that_is_no_python_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "eval.py").write_text("def (")
    with pytest.raises(UsageError, match="is no Python"):
        compiled(tmp_path / "eval.py", ("evaluate",))
