"""The notebooks run from top to bottom."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

HOME = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["paper_walkthrough", "explore_results"])
def test_every_cell_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = HOME / "notebooks" / f"{name}.ipynb"
    monkeypatch.chdir(path.parent)
    plt.switch_backend("agg")
    space: dict[str, object] = {}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(path), "exec"), space)
    plt.close("all")
