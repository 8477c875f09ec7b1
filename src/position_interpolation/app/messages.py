"""What is wrong with a command line, in one line that says what to write, in place of Hydra's messages."""

import difflib
import re
import shlex
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from position_interpolation.app import config_store
from position_interpolation.settings import schema
from position_interpolation.settings.errors import UsageError

GROUPS = ("model", "context", "method", "train", "task", "data", "compute", "wandb", "extension", "experiment")
OPTIONAL = ("extension", "experiment")
EXPECTED = {  # by a part of omegaconf's message on a value of the wrong type
    "to Float": "a number", "to Integer": "a whole number", "valid bool": "true or false", "to string": "text",
    "not Optional": "a value, not null", "not a ListConfig": "a list, [a,b]", "not a DictConfig": "a map, {a: b}",
}  # fmt: skip


def parsed(override: str) -> Override:
    """One override of a command line as Hydra reads it.

    Raises:
        UsageError: Hydra's grammar cannot read it.
    """
    try:
        return OverridesParser.create().parse_override(override)
    except (HydraException, RecursionError) as error:
        raise UsageError(_unreadable(override)) from error


def _unreadable(override: str) -> str:
    """The message on a word of the command line that Hydra's grammar cannot read."""
    key, equals, value = override.partition("=")
    if not equals:
        return f"'{override}' sets nothing: expected key=value, such as context=x4"
    quoted = f"{key}='" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    try:
        OverridesParser.create().parse_override(quoted)
    except HydraException:
        return f"'{override}' sets nothing: expected key=value, and '{key}' is no key"
    shown = shlex.quote(quoted) if re.search(r"[\"$`\\!]|'.*'.*'", quoted) else f'"{quoted}"'
    return f"{override} holds signs that mean something else to Hydra: write {shown}; a list is [a,b], a map {{a: b}}"


def check_choice(override: Override) -> None:
    """Refuse what is no choice of a group, where Hydra's own message is unclear or missing.

    That is a word without a key, a second choice of a group, one that is taken away, or one that is no word.
    """
    group, said = override.key_or_group, override.input_line
    if not group:
        raise UsageError(f"'{said}' sets nothing: expected key=value, such as context=x4")
    if group not in GROUPS:
        return
    if override.is_add():
        raise UsageError(f"{said} would add a second choice of {group}: write {said.removeprefix('+')}")
    if override.is_sweep_override() or (override.is_delete() and group in OPTIONAL):
        return
    if override.is_delete():
        raise UsageError(f"{said} takes away what every run needs: choose another by {group}=<choice>")
    value = override.value()
    if value is None and group in OPTIONAL:
        raise UsageError(f"{said} chooses nothing: leave it out, or name one")
    if not isinstance(value, str) or "$" in value:
        way_out = f"write context=x4, not context=4; a key in it is set by {group}.<key>=<value>"
        raise UsageError(f"{said}: a group's choice is a word: {way_out}")


def check_rivals(overrides: Sequence[str], swept: Sequence[str]) -> None:
    """Refuse a method or a context beside an extension, which sets both: one would silently win."""
    keys = [parsed(text).get_key_element() for text in overrides]
    rivals = [key for key in keys if key.split(".")[0] in ("method", "context")]
    if rivals and any(text.startswith("extension=") for text in (*swept, *overrides)):
        way_out = "choose another extension, or add one to conf/extension"
        raise UsageError(f"{rivals[0]} beside extension, which names method and context already: {way_out}")


def check_keys(node: DictConfig, path: str = "") -> None:
    """Refuse a key that is not in the schema, and name the one that was probably meant.

    `+key=value` adds such a key, and nothing would read it.
    """
    known = getattr(OmegaConf.get_type(node), "__dataclass_fields__", None)
    for name in map(str, node):
        if known is not None and name not in known:
            raise UsageError(f"there is no key '{path}{name}'" + _meant(f"{path}{name}"))
        if isinstance(node[name], DictConfig):
            check_keys(node[name], f"{path}{name}.")


def one_line(error: Exception) -> str:
    """Hydra's message on one line, with the key or choice that was probably meant."""
    message, cause = str(error), str(error.__cause__ or "")
    if ours := re.match("UsageError raised while resolving interpolation: (.*)", message):
        return ours[1]
    key = re.search(r"Could not override '([^']+)'", message)
    if key and re.search("not in (struct|')", cause):
        full = re.search(r"full_key: (\S+)", cause)  # below what was overridden where a dictionary was given
        name = full[1] if full and full[1].startswith(key[1]) else key[1]
        if name.startswith("train.mixture."):
            return f"there is no key '{name}': expected a corpus of conf/data or recall; ++{name}=<share> adds one"
        if name.startswith("data.corpora."):
            return f"there is no key '{name}': expected a corpus of conf/data/*.yaml; docs/add_a_corpus.md adds one"
        if name.startswith("method.options."):
            return f"there is no key '{name}': expected an option that conf/method/<method>.yaml lists"
        return f"there is no key '{name}'" + _meant(name)
    available = r"Could not find '([^']+)/([^']*)'\s*Available options in '[^']+':\s*(.*?)\s*Config search"
    if choice := re.search(available, message, re.S):
        group, name, options = choice[1], choice[2], choice[3].split()
        close = difflib.get_close_matches(name, options, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"there is no {group}={name}: choose one of {', '.join(options)}{hint}"
    if missing := re.search(r"Missing mandatory value: .*full_key: (\S+)", message, re.S):
        return f"{missing[1]} is not set: write {missing[1]}=<value>"
    if kind := re.search(r"Could not load 'task/(\w+)_schema'", message):
        return f"task kind '{kind[1]}' is not registered: add its line to TASKS in tasks/registry.py"
    override = re.match(r"Error merging override (.*)", message)
    if override and cause:
        reason = cause.partition("\n")[0]
        expected = next((what for sign, what in EXPECTED.items() if sign in reason), "what conf/ has for it")
        return f"{override[1]} cannot be set ({reason}): expected {expected}"
    lines = f"{message}\n{cause}".splitlines()
    told = [line.strip() for line in lines if line.strip() and "_type" not in line and "full_key" not in line]
    return "; ".join([*told, "see conf/ for what there is"])


def _meant(key: str) -> str:
    """A hint at the key that was probably meant: preferably one of the group that was named."""
    groups = {name: item.type for name, item in schema.Config.__dataclass_fields__.items() if name != "task"}
    kinds = config_store.kinds()
    above, _, name = key.rpartition(".")
    owners = [kind for kind, node in kinds.items() if name in node.__dataclass_fields__]
    if owners and above == "task":
        return f" of this task, only of {', '.join(owners)}: where several tasks are swept, set what all of them have"
    nodes = [*groups.items(), *(("task", node) for node in kinds.values())]
    known = [(field, group) for group, node in nodes for field in getattr(node, "__dataclass_fields__", {})]
    own = {field: f"{group}.{field}" for field, group in known if group == above}  # of the group that was named
    full = {field: f"{group}.{field}" for field, group in reversed(known)} | {name: name for name in (*groups, "task")}
    for names, cutoff in ((own, 0.6), ({one: one for one in groups}, 0.75), (full, 0.6)):
        if close := difflib.get_close_matches(name, names, n=1, cutoff=cutoff):
            return f"; did you mean '{names[close[0]]}'?"
    return "; see conf/ for what there is"
