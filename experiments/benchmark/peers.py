"""Other projects' own functions, taken out of their files as they are and run on the same model.

The user brings the projects: one folder with clones `yarn`, `PoSE`, `LongLoRA` and `LongRoPE`. Their modules cannot be
imported beside today's transformers (they bring old model code, deepspeed, flash-attn), but the functions that measure
need none of that: they are compiled from the file without its imports, in a namespace that has what they name.
"""

import ast
import gc
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from position_interpolation.settings.errors import UsageError

# name: (clone, file, its functions; the first is the one that is called)
FUNCTIONS = {
    "YaRN perplexity": ("yarn", "eval/perplexity.py", ("compute_perplexity",)),
    "PoSE perplexity": ("PoSE", "src/eval_ppl.py", ("compute_perplexity",)),
    "LongLoRA perplexity": ("LongLoRA", "eval.py", ("evaluate", "get_as_batch", "iceildiv")),
    "YaRN passkey": ("yarn", "eval/passkey.py", ("test_model",)),
    "LongRoPE passkey": ("LongRoPE", "evaluation/passkey.py", ("generate_answer",)),
    "passkey prompt": ("yarn", "eval/passkey.py", ("generate_prompt",)),
}


def check(folder: Path, part: str) -> None:
    """Whether all that a part runs is there, before anything is measured.

    Raises:
        UsageError: a clone or a function is not there.
    """
    for name in FUNCTIONS:
        if part in name:
            function(folder, name)


def function(folder: Path, name: str) -> Callable[..., Any]:
    """The function of FUNCTIONS called `name`.

    Raises:
        UsageError: the clone or the function is not there.
    """
    clone, file, wanted = FUNCTIONS[name]
    path = folder / clone / file
    if not path.is_file():
        raise UsageError(f"no {path}: expected a clone of {clone}; clone it there or correct peers={folder}")
    return compiled(path, wanted)


def version(folder: Path, name: str) -> str:
    """The commit of the clone that a function is from; empty if it is no clone, or git is not there to ask."""
    clone = folder / FUNCTIONS[name][0]
    if not (clone / ".git").exists() or shutil.which("git") is None:  # git would answer for a repository around it
        return ""
    command = ["git", "-C", str(clone), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def compiled(path: Path, wanted: tuple[str, ...]) -> Callable[..., Any]:
    """The first of the `wanted` functions of a Python file; nothing else of the file is run.

    Raises:
        UsageError: the file does not define them all.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no Python: expected the project's own file; clone it again") from error
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in wanted]
    if len(tree.body) != len(wanted):
        raise UsageError(f"{path} does not define {', '.join(wanted)}: expected the project's own file")
    names: dict[str, Any] = {
        "torch": torch, "np": np, "tqdm": _silent, "gc": gc, "sys": sys, "random": random, "re": re,
        "print": lambda *_: None,
    }  # fmt: skip
    exec(compile(tree, str(path), "exec"), names)  # the user's own clone, asked for by name
    found: Callable[..., Any] = names[wanted[0]]
    return found


def _silent(*arguments: Any, **options: Any) -> Any:
    """Their progress bar, not drawn."""
    return tqdm(*arguments, **{**options, "disable": True})
