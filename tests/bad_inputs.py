"""Inputs that are wrong, drawn at random: command lines, texts, models, caches, rows, answers of the hub.

Each is a trial that `trials` carries out in a process of its own. What is true of an input whatever is done with it is
said by `must`: refused, read as if nothing were wrong, or either.
"""

import gzip
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from hub_server import Repository
from omegaconf import OmegaConf
from small_runs import TASKS, UNTUNED, asked, carried_out, measured, of_base, tuning

from position_interpolation.app import launch
from position_interpolation.display import formats
from position_interpolation.evidence import records
from position_interpolation.models import checkpoint
from position_interpolation.report import judge, pages
from position_interpolation.report.sections import sections
from position_interpolation.settings.places import ASSETS, HOME
from position_interpolation.settings.schema import Corpus, Data
from position_interpolation.text import corpora

ODD = [
    "null", "true", "0", "-1", "0.5", "1e30", "nan", "inf", "''", "x", "é", "[]", "[1]", "[x,x]", "{a: 1}", "../x",
    "'a b'", "1,2", "~", "/dev/null", "'\\u2028'", "${x}", "${seed}", "auto", "999999999",
]  # fmt: skip
JUNK = [
    "foo", "=", "a==b", "+seed=1", "++x.y=1", "~task", "~seed", "task=[", "--junk", "model", "method=pi,ntk", "@", "",
]  # fmt: skip
VALUES = [
    None, True, 0, 1, -1, 0.5, -2.5, 1e9, 1e308, 10**400, float("nan"), float("inf"), "", "x", "a/b", "..", "\u2028",
    "\ud800", "é", [], [1], ["a"], {}, {"a": 1}, {"train.learning_rate": "x"}, "pi", "token", "k_max", "perplexity",
    "document_loss", "training_loss", "passkey", "theory", "heads", "boolq", "rouge1", "block_perplexity",
]  # fmt: skip
WORDS = ["the", "river", "stone", "king", "garden", "letter", "bread", "horse", "road", "said", "over"]


@dataclass(frozen=True)
class Trial:
    """One input; `act` is called in an empty folder, and what it returns is held against `truth`."""

    kind: str
    name: str
    act: Callable[[], Any] = lambda: None
    must: str = "either"  # "refuse", "same", or "either"
    truth: Any = None


# Command lines


def leaves(node: dict[str, Any], above: str = "") -> Iterator[str]:
    """Every key of a configuration that holds no other."""
    for name, value in node.items():
        yield from leaves(value, f"{above}{name}.") if isinstance(value, dict) and value else [f"{above}{name}"]


def command_lines(chance: Random) -> Iterator[Trial]:
    """A key with an odd value, a misspelt one, a choice that is not there, a word that is none."""
    launch.register()
    keys = {}
    for task in TASKS:
        full = OmegaConf.to_container(launch.composed(asked("method=pi", "context=x2", task=task)), resolve=False)
        # Where W&B is, is not asked of a machine without network; what is written, only below the folder of the trial.
        keys[task] = [key for key in leaves(full) if not key.startswith("wandb")]
    while True:
        task = chance.choice(list(TASKS))
        key, value = chance.choice(keys[task]), chance.choice(ODD)
        middle = chance.randrange(len(key))
        odd = chance.choice([
            [f"{key}={value}"], [f"{key}={value}"], [f"{key[:middle]}{key[middle + 1 :]}={value}"],
            [f"{chance.choice(['model', 'context', 'method', 'train', 'data', 'extension'])}={value}"],
            [chance.choice(JUNK)], [f"{key}={value}", f"{chance.choice(keys[task])}={chance.choice(ODD)}"],
        ])  # fmt: skip
        usual = chance.choice([UNTUNED, ["method=pi", "context=x2", "train.steps=2"]])
        words = asked(*usual, "train.batch_size=2", *odd, task=task)
        yield Trial("command line", f"{task} {odd}", partial(carried_out, words))


# Bytes


def flipped(content: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def cut(content: bytes, chance: Random) -> bytes:
    return content[: chance.randrange(len(content))]


def zeroed(content: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes(len(content[place : place + 64])) + content[place + 64 :]


def emptied(content: bytes, chance: Random) -> bytes:
    return b""


def other(content: bytes, chance: Random) -> bytes:
    return chance.choice([b"<!DOCTYPE html>\n<p>Not found", b"version https://git-lfs.github.com/spec/v1\n", bytes(99)])


BYTES = (flipped, cut, zeroed, emptied, other)


# Texts


def book(chance: Random, words: int = 300) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words)).capitalize() + "."


def packed(rows: list[Any], kind: str) -> bytes:
    """Rows as a file of this kind."""
    if kind == ".parquet":
        import pyarrow
        from pyarrow import parquet

        buffer = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
        return buffer.getvalue()
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == ".jsonl.zst":
        import zstandard

        return zstandard.ZstdCompressor(write_checksum=True).compress(lines)
    return gzip.compress(lines) if kind == ".jsonl.gz" else lines


def texts_of(name: str, content: bytes) -> dict[str, str]:
    """A corpus that is one file, its documents by their ids."""
    Path(name).write_bytes(content)
    data = Data(source="own", root=".", corpora={"own": Corpus(files=[name])})
    found = corpora.load(data, "own")
    return {item.id: [found.sha256, item.text] for item in found.items}


def texts(chance: Random) -> Iterator[Trial]:
    """Files that are damaged, rows that hold no text, and what editors leave in them."""
    rows = [{"id": f"book{number}", "text": book(chance)} for number in range(4)]
    kinds = [".jsonl", ".jsonl.gz", ".parquet"] + [".jsonl.zst"] * (find_spec("zstandard") is not None)
    truth = texts_of("/dev/shm/good.jsonl", packed(rows, ".jsonl"))
    Path("/dev/shm/good.jsonl").unlink()
    while True:
        kind, damage = chance.choice(kinds), chance.choice(BYTES)
        content = damage(packed(rows, kind), chance)
        sure = kind in (".jsonl.gz", ".jsonl.zst") or damage in (emptied, other)
        must = "refuse" if sure and damage is not flipped else "either"
        yield _text(f"{kind} {damage.__name__}", kind, content, must, truth)
        value = chance.choice([None, 1, True, [], ["a"], {"a": "b"}, 0.5, "\ud800", float("nan")])
        odd = [dict(row) for row in rows]
        odd[chance.randrange(4)]["text"] = value
        yield _text(f".jsonl text {value!r}", ".jsonl", packed(odd, ".jsonl"), "refuse", truth)
        odd = [*rows[:3], chance.choice([7, None, "text", [], {}, {"id": "x"}, {"id": "book0", "text": "Twice."}])]
        yield _text(f".jsonl row {odd[3]!r}", ".jsonl", packed(odd, ".jsonl"), "refuse", truth)
        plain = packed(rows, ".jsonl")
        whole = chance.choice([b"\xef\xbb\xbf" + plain, plain + b"\n\n", plain.replace(b"\n", b"\r\n"), plain[:-1]])
        yield _text(".jsonl by an editor", ".jsonl", whole, "same", truth)
        wide = plain.decode().encode(chance.choice(["utf-16", "utf-32", "utf-16-le"]))
        yield _text(".jsonl in another encoding", ".jsonl", wide, "refuse", truth)


def _text(name: str, kind: str, content: bytes, must: str, truth: Any) -> Trial:
    return Trial("text", name, partial(texts_of, f"own{kind}", content), must, truth)


# Models


def models(chance: Random, good: Path) -> Iterator[Trial]:
    """A checkpoint whose files are damaged or gone, or whose settings are odd."""
    files = [path.name for path in sorted((good / "base").iterdir())]

    def act(name: str, content: bytes | None) -> Any:
        shutil.copytree(good / "base", "base")
        Path("base", name).unlink(missing_ok=True)
        if content is not None:
            Path("base", name).write_bytes(content)
        return carried_out(of_base())

    truth = json.loads((good / "of_base.json").read_text())
    while True:
        name, damage = chance.choice(files), chance.choice(BYTES)
        content = (good / "base" / name).read_bytes()
        yield Trial("model", f"{name} {damage.__name__}", partial(act, name, damage(content, chance)), truth=truth)
        yield Trial("model", f"{name} gone", partial(act, name, None), truth=truth)
        for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
            found = json.loads((good / "base" / name).read_text())
            key = chance.choice([*found, "quantization_config", "sliding_window", "head_dim"])
            value = chance.choice(VALUES)
            odd = json.dumps({**found, key: value}).encode()
            must = "same" if name.startswith("generation") else "either"
            yield Trial("model", f"{name} {key}={value!r:.30}", partial(act, name, odd), must, truth)


# What earlier runs kept


def caches(chance: Random, good: Path) -> Iterator[Trial]:
    """Files of a finished run that are damaged or gone: the same command has the same numbers."""
    kept = [path.relative_to(good / "run") for path in sorted((good / "run").rglob("*")) if path.is_file()]
    kept = [path for path in kept if path.parts[0] in ("runs", "cache") and not path.name.endswith(".lock")]
    truth = measured(good / "run")

    def act(path: Path, content: bytes | None) -> Any:
        shutil.copytree(good / "run", ".", dirs_exist_ok=True)
        shutil.rmtree("results")
        shutil.rmtree("runs/merged")
        if path.parts[1] != "records":
            shutil.rmtree("runs/records")
        path.unlink(missing_ok=True)
        if content is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return carried_out(tuning())

    while True:
        path, damage = chance.choice(kept), chance.choice((*BYTES, None))
        content = damage and damage((good / "run" / path).read_bytes() or b" ", chance)
        name = f"{path} {damage.__name__ if damage else 'gone'}"
        yield Trial("cache", name, partial(act, path, content), "same", truth)


# Rows


def rows(chance: Random) -> Iterator[Trial]:
    """Published rows with an odd value in one, some or all of them: refused, or every page is drawn."""
    folders = sorted(path.parent for path in (HOME / "results").glob(f"*/*/{records.ROWS}"))
    lines = {folder: (folder / records.ROWS).read_text().split("\n")[:-1] for folder in folders}
    while True:
        folder, value, share = chance.choice(folders), chance.choice(VALUES), chance.choice((0.0, 0.3, 1.0))
        start = chance.randrange(max(1, len(lines[folder]) - 200))
        taken = [json.loads(line) for line in lines[folder][start : start + 200]]
        key = chance.choice([*taken[0], "data.ids", "data.name"])
        for row in {chance.randrange(len(taken)), *(n for n in range(len(taken)) if chance.random() < share)}:
            place = taken[row]["data"] if "." in key else taken[row]
            place[key.removeprefix("data.")] = value
        never = (isinstance(value, float) and not abs(value) < 1e300) or value == "\ud800"
        name = f"{folder.relative_to(HOME)} from {start}, {share:.0%} {key}={value!r:.30}"
        yield Trial("rows", name, partial(drawn, taken), "refuse" if never else "either")


def drawn(taken: list[Any]) -> None:
    """Read rows, and show all that is made of them."""
    Path(records.ROWS).write_text("".join(json.dumps(row) + "\n" for row in taken))
    found = records.read(Path(records.ROWS))
    shown = sections(found)
    pages.page(found, shown, judge.on_page(found, judge.judge({"tiny": found}), "tiny")).encode()
    for part in shown:
        for table in (part.table, *(table for _, table in part.more)):
            formats.to_latex(table), formats.to_csv(table)
        for name, draw in part.drawings[:1]:
            assert "/" not in name
            draw().canvas.draw()


# The hub


def answers(chance: Random, count: int) -> dict[str, tuple[Repository, str]]:
    """Repositories of a hub, each with something wrong, and what must become of it."""
    books = [{"text": book(chance)} for _ in range(3)]
    config = (ASSETS / "tiny" / "config.json").read_bytes()
    found = {}
    for number in range(count):
        model, damage = number % 3 == 0, chance.choice(BYTES)
        name, content = ("config.json", config) if model else ("test.jsonl.gz", packed(books, ".jsonl.gz"))
        status = chance.choice([None, None, 400, 403, 404, 500, 503])
        gated = status is None and chance.random() < 0.2
        content = content if status or gated else damage(content, chance)
        must = "refuse" if status or gated or (not model and damage is not flipped) else "either"
        what = f"{status or ('gated' if gated else damage.__name__)}"
        found[f"{'model' if model else 'texts'}/{number}-{what}"] = Repository([{name: content}], gated, status), must
    return found


def hub(chance: Random, count: int) -> Iterator[Trial]:
    """What `answers` has, asked for as a run asks for it; `HF_ENDPOINT` is where they are served."""

    def act(name: str) -> Any:
        time.sleep = lambda _: None  # between two attempts
        if name.startswith("model"):
            return checkpoint.window("hub", name, None)
        data = Data(source="hub", corpora={"own": Corpus(dataset=name, split="test")})
        return [item.text for item in corpora.load(data, "own").items]

    while True:
        for name, (_, must) in answers(chance, count).items():
            yield Trial("hub", name, partial(act, name), must)
