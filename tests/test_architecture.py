"""The house: layers with names, imports that point down only, folders and modules small enough to see through."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "position_interpolation"
# From the top floor down; what stands on one line stands side by side and does not import each other.
LAYERS = (
    ("__main__",),
    ("app", "compare"),
    ("report",),
    ("planning", "comparisons"),
    ("tasks",),
    ("tuning", "display"),
    ("evidence",),
    ("models", "text"),
    ("machine",),
    ("settings",),
)
FLOOR = {name: len(LAYERS) - number for number, names in enumerate(LAYERS) for name in names}
MODULES_OF_A_FOLDER = 12
LINES_OF_A_MODULE = 300


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "assets" not in path.parts]


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> list[str]:
    """Layers that a module imports from, also inside its functions."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE.name):
            parts = node.module.split(".")[1:]
            found += [parts[0]] if parts else [alias.name for alias in node.names]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down_only(path: Path) -> None:
    own = layer(path)
    if own == "__init__":
        return
    above = [name for name in imported(path) if name != own and FLOOR[name] >= FLOOR[own]]
    assert not above, f"{path.relative_to(PACKAGE)} of layer {own} imports from {', '.join(sorted(set(above)))}"


def test_every_folder_is_a_layer_and_every_layer_a_folder() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name not in ("assets", "__pycache__")}
    assert folders == set(FLOOR) - {"__main__"}
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__"}


def test_no_folder_holds_more_than_a_dozen_modules() -> None:
    for folder in {path.parent for path in modules()}:
        own = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(own) <= MODULES_OF_A_FOLDER, f"{folder.relative_to(PACKAGE)} holds {len(own)} modules"


def test_no_module_is_longer_than_300_lines() -> None:
    for path in modules():
        assert len(path.read_text().splitlines()) <= LINES_OF_A_MODULE, path.relative_to(PACKAGE)
