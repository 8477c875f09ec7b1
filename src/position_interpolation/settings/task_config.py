"""The typed schema of the config group task: what is measured, and every setting of each measurement."""

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class Task:
    """What is measured. `kind` selects the code, `name` labels the records."""

    name: str = MISSING
    kind: str = MISSING


@dataclass
class PerplexityTask(Task):
    """Sliding-window perplexity (section 3.2)."""

    kind: str = "perplexity"
    corpus: str = MISSING
    documents: int | None = None  # the first so many that are long enough
    ids: list[str] | None = None
    window_factors: list[float] = field(default_factory=lambda: [1, 2, 4, 8, 16])  # W / L
    windows: list[int] | None = None  # W in tokens; wins over window_factors
    stride: int | None = None  # S in tokens; default L / 8
    truncate_factor: int | None = None  # keep the first truncate_factor * L tokens of a document
    minimum_factor: int | None = None  # leave out documents shorter than minimum_factor * L tokens
    sample: int | None = (
        None  # about so many windows of all documents are drawn; None runs every one: tasks/perplexity/sampling.py
    )
    bos: bool = True
    protocols: list[str] = field(default_factory=lambda: ["token", "window", "document"])
    bootstrap: int = 1000


@dataclass
class PositionsTask(Task):
    """Perplexity by position inside one long forward: where a model leaves what it was trained on."""

    kind: str = "positions"
    corpus: str = MISSING
    documents: int | None = 1
    ids: list[str] | None = None
    window: int | None = None  # positions of the forward; default: the context's L'
    block: int | None = None  # positions a point of the curve covers; default: L / 4
    bos: bool = True


@dataclass
class HeadsTask(Task):
    """The h_j of a base's own queries and keys, against the bounds of section 2."""

    kind: str = "heads"
    corpus: str = MISSING
    documents: int | None = 8
    ids: list[str] | None = None
    window: int | None = None  # positions of a document that run through the base; default: L
    pairs: int = 64  # a query and a key before it, drawn for each head
    spans: int = 4096  # about so many evenly spaced spans of [0, 4 L) are scored; every one if 4 L is no larger
    bos: bool = True
    bootstrap: int = 1000


@dataclass
class TheoryTask(Task):
    """The numbers stated by Figures 2 and 5, and the bounds by head dimension; no model."""

    kind: str = "theory"


@dataclass
class ExportTask(Task):
    """Write the extension as a plain folder of weights, configuration and tokenizer."""

    kind: str = "export"
    folder: str = MISSING
    dtype: str = "float16"


@dataclass
class TokenizerTask(Task):
    """Train the tiny rung's tokenizer on the training mixture's text."""

    kind: str = "tokenizer"
    folder: str = MISSING
    vocabulary: int = 4096


@dataclass
class ReportTask(Task):
    """Render tables, figures and pages from rows.jsonl alone; runs no model."""

    kind: str = "report"


@dataclass
class PlanTask(Task):
    """Print what the run's tuning, and an evaluation of its perplexity, would cost; runs and writes nothing."""

    kind: str = "plan"
    gpus: int = 1
    gpu: str = "a100_80"  # one of planning.GPUS
    utilisation: float = 0.4  # share of a GPU's peak that model FLOPs are assumed to reach
    documents: int = MISSING
    tokens_per_document: int = MISSING
    window_factors: list[float] = field(default_factory=lambda: [1, 2, 4, 8, 16])  # W / L
    windows: list[int] | None = None  # W in tokens; wins over window_factors
    stride: int | None = None  # S in tokens; default L / 8
    sample: int = 2000  # windows that a sampled evaluation draws, beside the full one: tasks/perplexity/sampling.py
    bos: bool = True


@dataclass
class PasskeyTask(Task):
    """Passkey retrieval (section 3.3)."""

    kind: str = "passkey"
    window: int | None = None  # tokens that a prompt and its answer fill; default: the context's L'
    distances: int = 32
    trials: int = 10
    digits: int = 5
    threshold: float = 0.2
    generate: bool = False  # greedy decoding instead of one teacher-forced forward; same verdicts


@dataclass
class GovReportTask(Task):
    """Summaries of long reports, after tuning on pairs of report and summary (Table 6)."""

    kind: str = "govreport"
    corpus: str = MISSING  # pairs that are scored
    training: str = MISSING  # pairs that are tuned on
    documents: int | None = None  # score the first so many; None scores all
    ids: list[str] | None = None
    input_tokens: int | None = None  # a prompt is cut to; default: 15000 / 16384 of L', as in the paper
    summary_tokens: int | None = None  # a summary has at most; default: 1000 / 16384 of L'
    tune: bool = True  # false: the extension writes without having been tuned on summaries
    epochs: float = 10
    learning_rate: float = MISSING
    batch_size: int = MISSING
    temperature: float = 0.5
    top_p: float = 0.95
    bootstrap: int = 1000


@dataclass
class BenchmarksTask(Task):
    """Zero-shot multiple choice at the base's own window L, before and after extension (section 3.4, Table 5)."""

    kind: str = "benchmarks"
    sets: list[str] = field(default_factory=lambda: ["boolq", "piqa", "race_middle", "race_high", "winogrande"])
    questions: int | None = None  # of each set, so many drawn by a hash of their ids; None asks all
    bootstrap: int = 1000


TASKS: dict[str, type[Task]] = {
    "perplexity": PerplexityTask,
    "passkey": PasskeyTask,
    "govreport": GovReportTask,
    "positions": PositionsTask,
    "benchmarks": BenchmarksTask,
    "heads": HeadsTask,
    "theory": TheoryTask,
    "export": ExportTask,
    "tokenizer": TokenizerTask,
    "report": ReportTask,
    "plan": PlanTask,
}
