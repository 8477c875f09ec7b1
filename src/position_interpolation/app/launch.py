"""Before and after Hydra: make the configuration known, refuse bad input in one line, render when a sweep has ended."""

import argparse
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from position_interpolation.app import apart, checks, registry
from position_interpolation.app.messages import check_choice, meant, one_line, unreadable
from position_interpolation.app.side_by_side import workers_at_a_time
from position_interpolation.app.tracking import Tracker
from position_interpolation.models import checkpoint
from position_interpolation.planning.config import PlanTask
from position_interpolation.settings import derived, naming
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import CONF, EXPERIMENTS
from position_interpolation.settings.schema import Config

ON_DISK = (
    "data.root", "data.kept", "model.location", "model.tokenizer", "train.resume_from", "task.folder",
    "task.evaluator", "paths.results", "paths.runs", "paths.cache",
)  # fmt: skip
HYDRAS_OWN = "hydra._internal."  # Hydra's own launcher and sweeper, which our side-by-side jobs can replace


def prepare(arguments: list[str]) -> list[Config]:
    """Register schema and experiments, compose every job of the command line and check it.

    Returns:
        The configuration of each job; none if Hydra was only asked to show something.

    Raises:
        UsageError: one line for whatever is wrong, before anything is computed.
    """
    register()
    parsed = read(arguments)
    if parsed.help or parsed.hydra_help or parsed.shell_completion:
        return []
    swept = [text for text in parsed.overrides if _parsed(text).is_sweep_override()]
    if swept and not parsed.multirun and not _is_multirun(arguments):
        raise UsageError(f"{swept[0]} is a sweep: add --multirun to run one job for each choice")
    configs = [typed(composed(line)) for line in command_lines(arguments)]
    if parsed.cfg or parsed.info is not None:
        return []
    sized = [text for text in parsed.overrides if text.startswith("train.batch_size=")]
    for config in configs:
        checks.check(config)
        if sized and config.train.step_windows is not None:
            raise UsageError(f"{sized[0]} has no effect beside train.step_windows: add train.step_windows=null")
        try:  # Hydra writes there before a run could report what is wrong
            Path(config.paths.runs).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{config.paths.runs} cannot be made ({error.strerror}): set paths.runs") from error
    apart.tell_apart(configs)
    return configs


def read(arguments: list[str]) -> argparse.Namespace:
    """Hydra's options and the overrides of a command line.

    Raises:
        UsageError: an option is unknown or not supported, or a folder of choices does not exist.
    """
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign, assignment]
    parsed = parser.parse_args(arguments)
    if parsed.config_name or parsed.config_path:
        raise UsageError(
            "--config-name and --config-path would replace the configuration that everything rests on: put choices of "
            "your own into <folder>/model/<name>.yaml and so on, and add --config-dir=<folder>"
        )
    if parsed.resolve and not parsed.cfg:
        raise UsageError("--resolve belongs to --cfg: add --cfg job, or leave it out")
    if parsed.config_dir is not None and not Path(parsed.config_dir).is_dir():
        raise UsageError(f"--config-dir={parsed.config_dir} is no folder: expected one with <group>/<choice>.yaml")
    return parsed


def _refuse(message: str) -> None:
    raise UsageError(f"{message}: expected options such as --multirun first, then key=value; see --help")


def command_lines(arguments: list[str]) -> list[list[str]]:
    """The command line of each job: the folder of the user's own choices, if there is one, then its overrides."""
    parsed = read(arguments)
    own = [] if parsed.config_dir is None else [f"--config-dir={Path(parsed.config_dir).resolve()}"]
    return [[*own, *overrides] for overrides in jobs([*own, *parsed.overrides])]


def side_by_side(arguments: list[str], configs: list[Config]) -> int:
    """How many workers carry out the jobs; one if Hydra does so, in this process or by another launcher."""
    if len(configs) < 2 or searched(arguments) or not _is_hydras(arguments, "launcher"):
        return 1
    return workers_at_a_time(configs[0])


def searched(arguments: list[str]) -> bool:
    """Whether a sweeper such as Optuna proposes the jobs, of which only the ends of its intervals were checked."""
    return not _is_hydras(arguments, "sweeper")


def _is_hydras(arguments: list[str], plugin: str) -> bool:
    plugins = composed(_without_sweeps(arguments), with_hydra=True).hydra
    return str(plugins[plugin]._target_).startswith(HYDRAS_OWN)


def _is_multirun(arguments: list[str]) -> bool:
    """Whether the experiment itself is a sweep."""
    full = composed(_without_sweeps(arguments), with_hydra=True)
    return full.hydra.mode is not None and full.hydra.mode.name == "MULTIRUN"


def typed(config: DictConfig) -> Config:
    """The composed configuration as the dataclasses of the schema."""
    _at_home(config)
    converted: Config = OmegaConf.to_object(config)  # type: ignore[assignment]
    mixture = converted.train.mixture
    converted.train.mixture = {name: share for name, share in mixture.items() if share}  # 0: the corpus is not wanted
    converted.train.batch_size = derived.batch(converted)
    return converted


def register() -> None:
    """Make the schema, and each experiments/<name>/sweep.yaml as `experiment=<name>`, known to Hydra."""
    registry.register()
    OmegaConf.register_new_resolver("at_home", os.path.expanduser, replace=True)
    OmegaConf.register_new_resolver("own_name", naming.of, replace=True)
    OmegaConf.register_new_resolver("own_window", lambda *place: checkpoint.window(*place), replace=True)
    _register_experiments()


@cache
def _register_experiments() -> None:
    """Once a process: to read them all takes a tenth of a second."""
    for path in sorted(EXPERIMENTS.glob("*/sweep.yaml")):
        ConfigStore.instance().store(
            group="experiment", name=path.parent.name, node=OmegaConf.load(path), package="_global_"
        )


def composed(arguments: list[str], with_hydra: bool = False) -> DictConfig:
    """The configuration of one job, from its command line.

    Raises:
        UsageError: a misspelt key, a wrong type or an unknown choice.
    """
    parsed = read(arguments)
    for text in parsed.overrides:
        check_choice(_parsed(text))
    try:
        with _loader(parsed.config_dir):
            config = compose("config", parsed.overrides, return_hydra_config=with_hydra)
        if not with_hydra:
            _at_home(config)
            OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            _refuse_strangers(config)
        return config
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(one_line(error)) from error


@contextmanager
def _loader(own: str | None) -> Iterator[ConfigLoader]:
    """Finds choices in conf/ and in the user's own folder, as Hydra does with --config-dir."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        if own is not None:
            path = create_config_search_path(str(CONF))
            path.prepend("command-line", f"file://{Path(own).resolve()}", SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2("own", path)
        yield GlobalHydra.instance().config_loader()


def _at_home(config: DictConfig) -> None:
    """Expand ~ in every path, as shells do."""
    for key in ON_DISK:
        place = OmegaConf.select(config, key)
        if isinstance(place, str) and place.startswith("~"):
            OmegaConf.update(config, key, os.path.expanduser(place))


def _refuse_strangers(node: DictConfig, path: str = "") -> None:
    """Raise UsageError for a key that is not in the schema: `+key=value` adds one, which nothing would read."""
    known = getattr(OmegaConf.get_type(node), "__dataclass_fields__", None)
    for name in map(str, node):
        if known is not None and name not in known:
            raise UsageError(f"there is no key '{path}{name}'" + meant(f"{path}{name}"))
        if isinstance(node[name], DictConfig):
            _refuse_strangers(node[name], f"{path}{name}.")


def jobs(arguments: list[str]) -> list[list[str]]:
    """The overrides of all jobs: those of the command line, times the sweep of their experiment.

    A key given on the command line replaces the experiment's choices for it, as in Hydra's sweepers. Where intervals
    are searched, there are two jobs, at all lower and at all upper ends: whatever lies between is valid if they are.
    """
    parsed = read(arguments)
    full = composed(_without_sweeps(arguments), with_hydra=True)
    swept = [f"{key}={value}" for key, value in (full.hydra.sweeper.get("params") or {}).items()]
    _refuse_rivals(swept, parsed.overrides)
    texts = {_parsed(text).get_key_element(): text for text in [*swept, *parsed.overrides]}
    with _loader(parsed.config_dir) as loader:
        found = (
            combination
            for upper in (False, True)
            for combination in itertools.product(*(_choices(text, loader, upper) for text in texts.values()))
        )
        return [[*combination] for combination in dict.fromkeys(found)]


def _without_sweeps(arguments: list[str]) -> list[str]:
    return [text for text in arguments if text.startswith("-") or not _parsed(text).is_sweep_override()]


def _refuse_rivals(swept: list[str], overrides: list[str]) -> None:
    """Raise UsageError for a method or a context beside an extension, which sets both: one would silently win."""
    keys = [_parsed(text).get_key_element() for text in overrides]
    rivals = [key for key in keys if key.split(".")[0] in ("method", "context")]
    if rivals and any(text.startswith("extension=") for text in (*swept, *overrides)):
        raise UsageError(
            f"{rivals[0]} beside extension, which names method and context already: choose another extension, or add "
            "one to conf/extension"
        )


def _choices(override: str, loader: ConfigLoader, upper: bool) -> list[str]:
    """The single overrides of a sweep such as `context=x2,x4`; any other override is returned as it is.

    Of an interval, which only a searching sweeper such as Optuna can take, the lower or the upper end is returned.

    Raises:
        UsageError: the sweep has no choice.
    """
    parsed = _parsed(override)
    if not parsed.is_sweep_override():
        return [override]
    parsed.config_loader = loader  # finds the choices for glob(...)
    value = parsed.value()
    if isinstance(value, IntervalSweep):
        return [f"{parsed.get_key_element()}={value.end if upper else value.start}"]
    found = [f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()]
    if not found:
        raise UsageError(f"{override} stands for no choice: see conf/ for what there is")
    return found


def _parsed(override: str) -> Override:
    try:
        return OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError) as error:
        raise UsageError(unreadable(override)) from error


def finish(configs: list[Config]) -> None:
    """After a run or a sweep: render its tables, figures and pages, mirror the figures, and print what came out."""
    from position_interpolation.evidence import records
    from position_interpolation.machine import distributed
    from position_interpolation.report import pages, summary

    if not distributed.is_first():
        return
    folders: dict[Path, Config] = {}
    for config in configs:
        folder = derived.results_folder(config)
        if not isinstance(config.task, PlanTask) and (folder / records.ROWS).is_file():  # a plan measures nothing
            folders.setdefault(folder, config)
    for folder, config in folders.items():
        rendered = pages.render(folder)
        pages.render_index(folder.parents[1])
        with Tracker(config, "report") as tracker:
            tracker.log_images([path for path in rendered if path.suffix == ".png"])
    if folders:
        summary.print_summary(list(folders))
