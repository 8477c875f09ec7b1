"""Before and after Hydra: make the configuration known, refuse bad input in one line, render when a sweep has ended."""

import argparse
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import IntervalSweep
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from position_interpolation.app import apart, checks
from position_interpolation.app.config_store import register
from position_interpolation.app.messages import check_choice, check_keys, check_rivals, one_line, parsed
from position_interpolation.app.side_by_side import workers_at_a_time
from position_interpolation.app.tracking import Tracker
from position_interpolation.planning.config import PRINTED
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import CONF
from position_interpolation.settings.schema import Config

ON_DISK = (
    "data.root", "data.kept", "model.location", "model.tokenizer", "train.resume_from", "task.folder",
    "task.evaluator", "paths.results", "paths.runs", "paths.cache",
)  # fmt: skip
HYDRAS_OWN = "hydra._internal."  # Hydra's own launcher and sweeper, which our side-by-side jobs can replace


def checked(arguments: list[str]) -> list[Config]:
    """The configuration of each job, composed and checked; none if Hydra was only asked to show something.

    Raises:
        UsageError: something is wrong with the command line or a job; nothing has been computed then.
    """
    register()
    _whole.cache_clear()  # files of choices may have changed since
    options = read(arguments)
    if options.help or options.hydra_help or options.shell_completion:
        return []
    swept = [text for text in options.overrides if parsed(text).is_sweep_override()]
    if swept and not options.multirun and _hydra(arguments).mode is not RunMode.MULTIRUN:  # as experiments can be
        raise UsageError(f"{swept[0]} is a sweep: add --multirun to run one job for each choice")
    asked = (typed(composed(line)) for line in jobs(arguments))
    if options.cfg or options.info is not None:
        list(asked)
        return []
    configs = []
    for config in asked:  # checked one by one: to compose all takes long, and the first often tells what all lack
        checks.check(config)
        _check_batch(options.overrides, config)
        _make_runs(config)
        configs.append(config)
    apart.check_exports(configs)
    apart.tell_apart(configs)
    return configs


def _check_batch(overrides: list[str], config: Config) -> None:
    """Refuse a number of sequences a step where the number of windows decides it."""
    sized = [text for text in overrides if text.startswith("train.batch_size=")]
    if sized and config.train.step_windows is not None:
        raise UsageError(f"{sized[0]} has no effect beside train.step_windows: add train.step_windows=null")


def _make_runs(config: Config) -> None:
    """Make the folder of runs, or refuse it: Hydra writes there before a run could report what is wrong."""
    try:
        Path(config.paths.runs).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{config.paths.runs} cannot be made ({error.strerror}): set paths.runs") from error


def read(arguments: list[str]) -> argparse.Namespace:
    """Hydra's options and the overrides of a command line.

    Raises:
        UsageError: an option is unknown or not supported, or the folder of the user's choices does not exist.
    """
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign, assignment]
    options = parser.parse_args(arguments)
    if options.config_name or options.config_path:
        way_out = "put choices of your own into <folder>/model/<name>.yaml and so on, and add --config-dir=<folder>"
        raise UsageError(f"--config-name and --config-path would replace what everything rests on: {way_out}")
    if options.resolve and not options.cfg:
        raise UsageError("--resolve belongs to --cfg: add --cfg job, or leave it out")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise UsageError(f"--config-dir={options.config_dir} is no folder: expected one with <group>/<choice>.yaml")
    return options


def _refuse(message: str) -> None:
    raise UsageError(f"{message}: expected options such as --multirun first, then key=value; see --help")


def jobs(arguments: list[str]) -> list[list[str]]:
    """The command line of each job: the folder of the user's own choices, if there is one, then its overrides.

    These are the overrides of the command line, times the sweep of their experiment. A key given on the command line
    replaces the experiment's choices for it, as in Hydra's sweepers. Where intervals are searched, there are two jobs,
    at all lower and at all upper ends: whatever lies between is valid if they are.

    Raises:
        UsageError: the command line cannot be read, or contradicts itself.
    """
    options = read(arguments)
    swept = [f"{key}={value}" for key, value in (_hydra(arguments).sweeper.get("params") or {}).items()]
    check_rivals(options.overrides, swept)
    texts = {parsed(text).get_key_element(): text for text in [*swept, *options.overrides]}
    found: list[tuple[str, ...]] = []
    with _loader(options.config_dir) as loader:
        for upper in (False, True):
            found += itertools.product(*(_choices(text, loader, upper) for text in texts.values()))
    return [[*_own(options), *job] for job in dict.fromkeys(found)]


def _own(options: argparse.Namespace) -> list[str]:
    """The option that names the folder of the user's own choices, if there is one."""
    return [] if options.config_dir is None else [f"--config-dir={Path(options.config_dir).resolve()}"]


def _choices(override: str, loader: ConfigLoader, upper: bool) -> list[str]:
    """The single overrides of a sweep such as `context=x2,x4`; any other override stays as it is.

    Of an interval, which only a searching sweeper such as Optuna can take, it is the lower or the upper end.
    """
    sweep = parsed(override)
    if not sweep.is_sweep_override():
        return [override]
    sweep.config_loader = loader  # finds the choices for glob(...)
    key, value = sweep.get_key_element(), sweep.value()
    if isinstance(value, IntervalSweep):
        return [f"{key}={value.end if upper else value.start}"]
    found = [f"{key}={choice}" for choice in sweep.sweep_string_iterator()]
    if not found:
        raise UsageError(f"{override} stands for no choice: see conf/ for what there is")
    return found


def side_by_side(arguments: list[str], configs: list[Config]) -> int:
    """How many workers carry out the jobs; one if Hydra does so, in this process or by another launcher."""
    # Workers print to logs, and what is timed needs the machine to itself.
    if len(configs) < 2 or any(isinstance(config.task, PRINTED) for config in configs):
        return 1
    if searched(arguments) or not _hydra(arguments).launcher._target_.startswith(HYDRAS_OWN):
        return 1
    return workers_at_a_time(configs[0])


def searched(arguments: list[str]) -> bool:
    """Whether a sweeper such as Optuna proposes the jobs, of which only the ends of its intervals were checked."""
    return not _hydra(arguments).sweeper._target_.startswith(HYDRAS_OWN)


def _hydra(arguments: list[str]) -> DictConfig:
    """Hydra's own settings for a command line, whatever it sweeps over; refused where no sweep could run with them."""
    options = read(arguments)
    single = [text for text in options.overrides if not parsed(text).is_sweep_override()]
    settings: DictConfig = composed([*_own(options), *single], with_hydra=True).hydra
    if settings.job.chdir:
        raise UsageError("hydra.job.chdir=true would keep results from their page: leave it out, or set paths.results")
    if settings.launcher is None or settings.sweeper is None:
        raise UsageError("Hydra needs its launcher and its sweeper: leave out hydra.launcher=null, hydra.sweeper=null")
    return settings


def composed(arguments: list[str], with_hydra: bool = False) -> DictConfig:
    """The configuration of one job; with Hydra's own settings it stays unresolved.

    Raises:
        UsageError: a key is misspelt, a value is of the wrong type, or a choice is unknown.
    """
    options = read(arguments)
    for text in options.overrides:
        check_choice(parsed(text))
    try:
        whole = _whole(options.config_dir, tuple(options.overrides))
        if with_hydra:
            return whole
        config = deepcopy(whole)
        with open_dict(config):
            del config["hydra"]
        _at_home(config)
        OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        check_keys(config)
        return config
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(one_line(error)) from error
    except (AttributeError, AssertionError) as error:  # omegaconf's, of a key below one of Hydra's that holds nothing
        below = ", ".join(text for text in options.overrides if parsed(text).key_or_group.startswith("hydra."))
        fault = f"{below} sets a key of something that is not there"
        raise UsageError(f"{fault}: leave it out; what is swept is written --multirun seed=1,2") from error


@lru_cache(maxsize=4)
def _whole(own: str | None, overrides: tuple[str, ...]) -> DictConfig:
    """A configuration with Hydra's own settings, not to be changed; kept, as composing takes a tenth of a second."""
    with _loader(own):
        return compose("config", list(overrides), return_hydra_config=True)


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


def typed(config: DictConfig) -> Config:
    """The composed configuration as the dataclasses of the schema."""
    _at_home(config)
    converted: Config = OmegaConf.to_object(config)  # type: ignore[assignment]
    mixture = converted.train.mixture
    converted.train.mixture = {name: share for name, share in mixture.items() if share}  # 0 takes a corpus out
    converted.train.batch_size = derived.batch(converted)
    return converted


def _at_home(config: DictConfig) -> None:
    """Expand ~ in every path, as shells do."""
    for key in ON_DISK:
        place = OmegaConf.select(config, key)
        if isinstance(place, str) and place.startswith("~"):
            OmegaConf.update(config, key, os.path.expanduser(place))


def finish(configs: list[Config]) -> None:
    """After a run or a sweep: render its tables, figures and pages, mirror the figures, and print what came out.

    Raises:
        UsageError: some results folders could not be rendered; the others were.
    """
    from position_interpolation.evidence import records
    from position_interpolation.machine import distributed
    from position_interpolation.report import folders as results
    from position_interpolation.report import pages, summary

    if not distributed.is_first():
        return
    folders: dict[Path, Config] = {}
    for config in configs:
        folder = derived.results_folder(config)
        if not isinstance(config.task, PRINTED) and (folder / records.ROWS).is_file():
            folders.setdefault(folder, config)
    shown, faults = list[Path](), list[str]()
    for folder, config in folders.items():
        pictures: list[Path] = []
        with results.named(folder, faults):
            pictures += [path for path in pages.render(folder) if path.suffix == ".png"]
            pages.render_index(folder.parents[1])
            shown.append(folder)
        with Tracker(config, "report") as tracker:
            tracker.log_images(pictures)
    if shown:
        summary.print_summary(shown)
    if faults:
        raise UsageError("; ".join(faults))
