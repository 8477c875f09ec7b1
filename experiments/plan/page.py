"""Fill the tables of this folder's page with what the planner computes for the page's own commands.

python experiments/plan/page.py
"""

import re
import shlex
from pathlib import Path

from position_interpolation.app import config_store, launch
from position_interpolation.display.formats import to_markdown
from position_interpolation.machine import files
from position_interpolation.models import loading
from position_interpolation.planning.costs import Costs, costs
from position_interpolation.planning.shape import Shape
from position_interpolation.planning.tables import evaluation_runs, tuning_runs

PAGE = Path(__file__).with_name("README.md")


def runs(page: str) -> list[Costs]:
    """The costs of every command in the page's first block, in order."""
    config_store.register()
    block = page.split("```bash\n")[1].split("```")[0]
    lines = [line.split("#")[0].split("position_interpolation ")[1] for line in block.splitlines()]
    configs = [launch.typed(launch.composed(shlex.split(line))) for line in lines]
    return [costs(config, Shape.of(loading.stated_config(config.model, Path()))) for config in configs]


def filled(page: str) -> str:
    """The page with its tables as they should be."""
    planned = runs(page)
    for name, table in (("tuning", tuning_runs(planned)), ("evaluation", evaluation_runs(planned))):
        between = re.compile(rf"(?<=<!-- table:{name} -->\n).*?(?=<!-- /table:{name} -->)", re.DOTALL)
        page = between.sub(to_markdown(table).replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    files.write_text(PAGE, filled(PAGE.read_text()))
