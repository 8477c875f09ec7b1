"""The SLURM script starts one run on all the processes of an allocation."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from processes import begun, beside_each_other, completed

from position_interpolation.settings.places import EXPERIMENTS

JOB = EXPERIMENTS / "cluster" / "job.sh"


def test_the_job_starts_torchrun_on_every_machine(tmp_path: Path) -> None:
    """SLURM's own commands are stood in for: one names the machines, the other notes what it is to start on each."""
    commands = {"scontrol": "echo node7; echo node8", "srun": 'printf "%q " "$@" > started'}
    for name, does in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n" if name == "scontrol" else f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    allocated = {
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_NNODES": "2",
        "SLURM_JOB_ID": "42",
        "SLURM_GPUS_ON_NODE": "4",
    }
    environment = {**os.environ, **allocated, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    asked = ["model=llama_7b", "context=x4", "task.ids=[1, 2]"]
    subprocess.run([JOB, *asked], cwd=tmp_path, env=environment, check=True)
    started = shlex.split((tmp_path / "started").read_text())
    assert started[:3] == ["python", "-m", "torch.distributed.run"]
    options = dict(zip(started[3:13:2], started[4:13:2], strict=True))
    assert options == {
        "--nnodes": "2", "--nproc-per-node": "4", "--rdzv-backend": "c10d", "--rdzv-endpoint": "node7:29500",
        "--rdzv-id": "42",
    }  # fmt: skip
    assert started[13:] == ["-m", "position_interpolation", *asked]


def test_two_processes_walk_through_a_dry_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows for a machine without a GPU, on one row."""
    monkeypatch.chdir(tmp_path)
    asked = [
        "experiment=table1_pg19", "model=llama_7b", "train=paper", "data=hub", "compute=dry", "extension=pi_x4",
        "task.documents=2", "compute.threads=1",
    ]  # fmt: skip
    said = [tmp_path / f"said-{rank}" for rank in range(2)]
    started = [begun(asked, log, **own) for log, own in zip(said, beside_each_other(2), strict=True)]
    completed(*started, said=said[0])
    assert (tmp_path / "runs/dry/results/table1_pg19/smoke/README.md").is_file()
