"""Before and after Hydra: make the configuration known, refuse bad input in one line, render when a sweep has ended."""

import difflib
import itertools
import re
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from position_interpolation.app import apart, checks, registry
from position_interpolation.app.side_by_side import workers_at_a_time
from position_interpolation.app.tracking import Tracker
from position_interpolation.models import checkpoint
from position_interpolation.planning.config import PlanTask
from position_interpolation.settings import derived, naming, schema
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import CONF, EXPERIMENTS
from position_interpolation.settings.schema import Config


def prepare(arguments: list[str]) -> list[Config]:
    """Register schema and experiments, compose every job of the command line and check it.

    Returns:
        The configuration of each job; none if Hydra was only asked to show something.

    Raises:
        UsageError: one line for whatever is wrong, before anything is computed.
    """
    register()
    parsed = get_args_parser().parse_args(arguments)
    if parsed.help or parsed.hydra_help or parsed.cfg or parsed.info is not None:
        return []
    swept = [text for text in parsed.overrides if _choices(text)]
    if swept and not parsed.multirun and not _is_multirun(parsed.overrides):
        raise UsageError(f"{swept[0]} is a sweep: add --multirun to run one job for each choice")
    configs = [typed(composed(overrides)) for overrides in jobs(parsed.overrides)]
    sized = [text for text in parsed.overrides if text.startswith("train.batch_size=")]
    for config in configs:
        checks.check(config)
        if sized and config.train.step_windows is not None:
            raise UsageError(f"{sized[0]} has no effect beside train.step_windows: add train.step_windows=null")
        try:  # Hydra writes there before a run could say what is wrong
            Path(config.paths.runs).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{config.paths.runs} cannot be made ({error.strerror}): set paths.runs") from error
    apart.tell_apart(configs)
    return configs


def command_lines(arguments: list[str]) -> list[list[str]]:
    """The overrides of each job that `prepare` made a configuration of."""
    return jobs(get_args_parser().parse_args(arguments).overrides)


def side_by_side(arguments: list[str], configs: list[Config]) -> int:
    """How many workers carry out the jobs: one where Hydra is to do it, in this process or by another launcher."""
    parsed = get_args_parser().parse_args(arguments)
    if len(configs) < 2 or any(text.startswith(("hydra/launcher=", "hydra/sweeper=")) for text in parsed.overrides):
        return 1
    return workers_at_a_time(configs[0])


def _is_multirun(overrides: list[str]) -> bool:
    """Whether the experiment itself is a sweep."""
    full = composed([text for text in overrides if not _choices(text)], with_hydra=True)
    return full.hydra.mode is not None and full.hydra.mode.name == "MULTIRUN"


def typed(config: DictConfig) -> Config:
    """The composed configuration as the dataclasses of the schema."""
    converted: Config = OmegaConf.to_object(config)  # type: ignore[assignment]
    mixture = converted.train.mixture
    converted.train.mixture = {name: share for name, share in mixture.items() if share}  # 0: not wanted, not read
    converted.train.batch_size = derived.batch(converted)
    return converted


def register() -> None:
    """Make the schema, and each experiments/<name>/sweep.yaml as `experiment=<name>`, known to Hydra."""
    registry.register()
    OmegaConf.register_new_resolver("own_name", naming.of, replace=True)
    OmegaConf.register_new_resolver("own_window", lambda *place: checkpoint.window(*place), replace=True)
    for path in sorted(EXPERIMENTS.glob("*/sweep.yaml")):
        ConfigStore.instance().store(
            group="experiment", name=path.parent.name, node=OmegaConf.load(path), package="_global_"
        )


def composed(overrides: list[str], with_hydra: bool = False) -> DictConfig:
    """The configuration of one job.

    Raises:
        UsageError: a misspelt key, a wrong type or an unknown choice.
    """
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose("config", overrides, return_hydra_config=with_hydra)
        if not with_hydra:
            OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            _refuse_strangers(config)
        return config
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # Hydra raises the last for group=3
        raise UsageError(_one_line(error)) from error


def _refuse_strangers(node: DictConfig, path: str = "") -> None:
    """Raise UsageError for a key that the schema has not: `+key=value` adds one, and nothing would read it."""
    known = getattr(OmegaConf.get_type(node), "__dataclass_fields__", None)
    for name in map(str, node):
        if known is not None and name not in known:
            raise UsageError(f"there is no key '{path}{name}'" + _meant(f"{path}{name}"))
        if isinstance(node[name], DictConfig):
            _refuse_strangers(node[name], f"{path}{name}.")


def jobs(overrides: list[str]) -> list[list[str]]:
    """The command lines of all jobs: the overrides themselves, times the sweep of their experiment.

    A key given on the command line takes the place of the experiment's choices for it, as in Hydra's sweepers.
    """
    plain = [text for text in overrides if not _choices(text)]
    full = composed(plain, with_hydra=True)
    swept = [f"{key}={value}" for key, value in (full.hydra.sweeper.get("params") or {}).items()]
    _refuse_rivals(swept, overrides)
    texts = {_parsed(text).get_key_element(): text for text in [*swept, *overrides]}
    return [[*combination] for combination in itertools.product(*(_choices(text) or [text] for text in texts.values()))]


def _refuse_rivals(swept: list[str], overrides: list[str]) -> None:
    """Raise UsageError for a method or a context beside an extension, which names both: one would silently win."""
    keys = [_parsed(text).get_key_element() for text in overrides]
    rivals = [key for key in keys if key.split(".")[0] in ("method", "context")]
    if rivals and any(text.startswith("extension=") for text in (*swept, *overrides)):
        raise UsageError(
            f"{rivals[0]} beside extension, which names method and context already: choose another extension, or add "
            "one to conf/extension"
        )


def _choices(override: str) -> list[str]:
    """The single overrides that a sweep such as `context=x2,x4` stands for; none if it is no sweep.

    Of an interval, which only a searching sweeper such as Optuna can take, both ends: what lies between is as valid.
    """
    parsed = _parsed(override)
    if not parsed.is_sweep_override():
        return []
    value = parsed.value()
    if isinstance(value, IntervalSweep):
        return [f"{parsed.get_key_element()}={end}" for end in (value.start, value.end)]
    return [f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()]


def _parsed(override: str) -> Override:
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise UsageError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    """Hydra's message on one line, with the key or choice that was probably meant."""
    message = re.sub("^UsageError raised while resolving interpolation: ", "", str(error))
    key = re.search(r"Could not override '([^']+)'", message)
    if key is not None and error.__cause__ is not None and re.search("not in (struct|')", str(error.__cause__)):
        return f"there is no key '{key.group(1)}'" + _meant(key.group(1))
    choice = re.search(
        r"Could not find '([^']+)/([^']+)'\s*Available options in '[^']+':\s*(.*?)\s*Config search",
        message,
        re.S,
    )
    if choice is not None:
        group, name, options = choice.group(1), choice.group(2), choice.group(3).split()
        close = difflib.get_close_matches(name, options, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"there is no {group}={name}: choose one of {', '.join(options)}{hint}"
    kind = re.search(r"Could not load 'task/(\w+)_schema'", message)
    if kind is not None:
        return f"task kind '{kind.group(1)}' is not registered: add its line to TASKS in tasks/registry.py"
    number = re.search(r"Config group override must be a string or a list. Got (int|float)", message)
    if number is not None:
        return "a group's choice is a word, not a number: write context=x4, not context=4"
    lines = f"{message}\n{error.__cause__ or ''}".splitlines()
    return "; ".join(line.strip() for line in lines if line.strip() and "_type" not in line and "full_key" not in line)


def _meant(key: str) -> str:
    """The key that was probably meant, as it has to be written: one of the group that was named, if one is close."""
    groups = {name: [item.type] for name, item in schema.Config.__dataclass_fields__.items() if name != "task"}
    full = {name: name for name in (*groups, "task")}
    own: dict[str, str] = {}  # of the group that was named
    above, _, name = key.rpartition(".")
    for group, nodes in {**groups, "task": registry.kinds().values()}.items():
        for node in nodes:
            known = {field: f"{group}.{field}" for field in getattr(node, "__dataclass_fields__", {})}
            full = known | full
            own |= known if group == above else {}
    for names, cutoff in ((own, 0.6), ({one: one for one in groups}, 0.75), (full, 0.6)):
        if close := difflib.get_close_matches(name, names, n=1, cutoff=cutoff):
            return f"; did you mean '{names[close[0]]}'?"
    return "; see conf/ for what there is"


def finish(configs: list[Config]) -> None:
    """When a run or a sweep has ended: render its tables, figures and pages, mirror them, and say what came out."""
    from position_interpolation.evidence import records
    from position_interpolation.machine import distributed
    from position_interpolation.report import pages, summary

    if not distributed.is_first():
        return
    folders: dict[Path, Config] = {}
    for config in (config for config in configs if not isinstance(config.task, PlanTask)):  # which measures nothing
        folder = Path(config.paths.results) / config.experiment_name / config.model.rung
        if (folder / records.ROWS).is_file():
            folders.setdefault(folder, config)
    for folder, config in folders.items():
        rendered = pages.render(folder)
        pages.render_index(folder.parents[1])
        with Tracker(config, "report") as tracker:
            tracker.log_images([path for path in rendered if path.suffix == ".png"])
    if folders:
        summary.print_summary(list(folders))
