"""compute=dry: what is planned for a cluster walks through the same code on any machine, and touches no real result."""

from pathlib import Path

import pytest
from compositions import shortest

from position_interpolation.app import checks, launch
from position_interpolation.app.run import run
from position_interpolation.evidence.records import read

CLUSTER = ["model=llama_7b", "data=hub", "train=paper", "compute=dry", "compute.threads=1"]


@pytest.mark.parametrize("name", ["table1_pg19", "table2_proof_pile", "table3_steps", "table4_passkey"])
@pytest.mark.parametrize("model", ["llama_7b", "llama_65b"])
def test_every_table_can_be_walked_through_for_every_size(name: str, model: str) -> None:
    launch.register()
    for job in shortest(launch.jobs([f"experiment={name}", *CLUSTER, f"model={model}"])):
        config = launch.typed(launch.composed(job))
        checks.check(config)
        assert (config.model.source, config.model.window, config.data.source) == ("random", 64, "made_up")
        assert config.paths.results == "runs/dry/results"


def test_a_row_of_table_1_is_tuned_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (config,) = launch.checked(["experiment=table1_pg19", *CLUSTER, "extension=pi_x4", "task.documents=2"])
    run(config)
    rows = read(tmp_path / "runs" / "dry" / "results" / "table1_pg19" / "smoke" / "rows.jsonl")
    windows = [row.eval_window for row in rows if row.metric == "perplexity" and row.protocol == "token"]
    assert windows == [64, 128, 256], "L, 2 L and 4 L, as the paper's 2048, 4096 and 8192"
    assert {row.method: row.steps for row in rows} == {"pi": 10}
    assert [path.name for path in tmp_path.iterdir()] == ["runs"], "nothing outside the folder of dry runs"


def test_tasks_that_need_more_than_text_say_so() -> None:
    with pytest.raises(launch.UsageError, match="data=made_up has no benchmark questions"):
        launch.checked(["experiment=table5_benchmarks", *CLUSTER])
