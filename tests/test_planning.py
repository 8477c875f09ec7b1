"""What the planner says a run costs, held against what torch counts, and against the paper's budgets."""

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed._tools.mem_tracker import MemTracker
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from position_interpolation.app import launch, run
from position_interpolation.evidence import paper
from position_interpolation.models import extending, loading, rope, scoring
from position_interpolation.planning import formulas
from position_interpolation.planning.costs import Costs, costs
from position_interpolation.planning.formulas import GPUS, Cluster, Memory
from position_interpolation.planning.shape import Shape
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.schema import Architecture, Config, Method, Model
from position_interpolation.tasks.perplexity import losses, windows
from position_interpolation.tuning.loss import LOGIT_ROWS, total_loss

HOME = Path(__file__).resolve().parents[1]
CACHE = Path("unused")
PARAMETERS = {
    "llama_7b": 6_738_415_616, "llama_13b": 13_015_864_320, "llama_33b": 32_528_943_616, "llama_65b": 65_285_660_672,
    "smollm2_135m": 134_515_008, "smollm2_135m_instruct": 134_515_008,
}  # fmt: skip
ODD = Shape(hidden=64, intermediate=160, layers=3, heads=4, key_heads=2, vocabulary=500, tied=False)


@pytest.fixture(autouse=True)
def registered() -> None:
    launch.register()


def composed(*overrides: str) -> Config:
    return launch.typed(launch.composed(["task=plan", *overrides]))


def planned(*overrides: str) -> Costs:
    config = composed(*overrides)
    return costs(config, Shape.of(loading.stated_config(config.model, CACHE)))


def llama(shape: Shape, attention: str, dtype: torch.dtype = torch.float32) -> Any:
    """A model of this shape with random weights."""
    architecture = Architecture(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        vocab_size=shape.vocabulary,
        rope_theta=10_000.0,
        tie_word_embeddings=shape.tied,
    )
    config = loading.base_config(Model(window=64, source="random", architecture=architecture), CACHE)
    model = loading.random(config, seed=0).to(dtype)
    model.set_attn_implementation(attention)
    return model.train()


def ids(shape: Shape, length: int) -> torch.Tensor:
    return torch.randint(0, shape.vocabulary, (1, length), generator=torch.Generator().manual_seed(0))


# The sizes of the paper


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_configured_shape_is_that_model(name: str) -> None:
    """Built without memory, on torch's meta device."""
    model = replace(composed(f"model={name}").model, source="random")
    with torch.device("meta"):
        built = LlamaForCausalLM(loading.base_config(model, CACHE))
    assert sum(parameter.numel() for parameter in built.parameters()) == PARAMETERS[name]
    assert Shape.of(loading.stated_config(model, CACHE)).parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_weight_of_every_size_is_split_among_processes(name: str) -> None:
    """By transformers' own plan for the family: a weight that it forgot would be whole, and untrained in step."""
    model = replace(composed(f"model={name}").model, source="random")
    with torch.device("meta"):
        built = LlamaForCausalLM(loading.base_config(model, CACHE))
    plan = [re.compile(key.replace(".", r"\.").replace("*", r"\d+") + r"\.") for key in built.fsdp_plan]
    assert all(any(key.match(name) for key in plan) for name, _ in built.named_parameters())
    split_layers = {name.split(".")[2] for name, _ in built.named_parameters() if name.startswith("model.layers.")}
    assert len(split_layers) == built.config.num_hidden_layers


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.startswith("llama")])
def test_position_interpolation_reaches_every_size(name: str) -> None:
    model = replace(composed(f"model={name}").model, source="random")
    config = extending.extended_config(model, CACHE, Method("pi"), 4.0)
    assert config.rope_parameters == {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}
    assert config.max_position_embeddings == 8192
    expected = rope.inverse_frequencies(128, 10_000.0, 4.0)
    np.testing.assert_allclose(LlamaRotaryEmbedding(config).inv_freq.double(), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "size"), [("7b", "7B"), ("13b", "13B"), ("33b", "33B"), ("65b", "65B")])
def test_a_model_is_compared_with_the_papers_row_of_its_size(name: str, size: str) -> None:
    assert paper.size(composed(f"model=llama_{name}").model.name) == size


def test_the_shape_beside_a_model_changes_nothing_that_is_loaded() -> None:
    tiny = composed("model=tiny").model
    absurd = replace(tiny, architecture=composed("model=llama_65b").model.architecture)
    assert loading.base_config(absurd, CACHE).to_dict() == loading.base_config(tiny, CACHE).to_dict()
    assert extending.architecture_sha256(absurd, CACHE, Method("pi"), 4.0) == extending.architecture_sha256(
        tiny, CACHE, Method("pi"), 4.0
    )


def test_the_shape_of_a_model_that_is_here_is_read_from_it() -> None:
    tiny = composed("model=tiny").model
    built = loading.load(loading.ASSETS / "tiny")
    assert tiny.architecture is None
    expected = sum(parameter.numel() for parameter in built.parameters())
    assert Shape.of(loading.stated_config(tiny, CACHE)).parameters == expected


# FLOPs


@pytest.mark.parametrize("shape", [ODD, replace(ODD, key_heads=4, tied=True)], ids=["shared keys", "tied"])
def test_flops_are_those_that_torch_counts(shape: Shape) -> None:
    """Exactly, once its count of full squares of attention is halved to what a causal kernel computes."""
    length = 96
    model = llama(shape, "eager")

    def causal(counter: FlopCounterMode) -> float:
        found = counter.get_flop_counts()["Global"]
        return found[torch.ops.aten.mm] + found[torch.ops.aten.bmm] * (length + 1) / (2 * length)

    with FlopCounterMode(display=False) as forward:
        logits = model(input_ids=ids(shape, length), use_cache=False).logits
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    assert formulas.forward_flops(shape, length, length) == causal(forward)
    assert formulas.training_flops(shape, length) == causal(forward) + causal(backward)


@pytest.mark.parametrize("scored", [1, 32, 95])
def test_flops_of_a_window_that_scores_its_last_tokens(scored: int) -> None:
    """Matrix products as torch counts them in `scoring`; attention by hand, key by key."""
    length = 96
    model = llama(ODD, loading.attention.NAME)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        scoring.scored_losses(model, ids(ODD, length + 1), scored)
    seen = (ODD.layers - 1) * sum(range(1, length + 1)) + sum(range(length - scored + 1, length + 1))
    matrices = counter.get_flop_counts()["Global"][torch.ops.aten.mm]
    assert formulas.forward_flops(ODD, length, scored) == matrices + 4 * ODD.hidden * seen


def test_flops_of_a_token_of_llama_7b_by_hand() -> None:
    shape = Shape.of(loading.stated_config(composed("model=llama_7b").model, CACHE))
    matrices = 6_738_415_616 - 32_000 * 4096 - (2 * 32 + 1) * 4096  # without the embedding and the norms
    assert formulas.training_flops(shape, 8192) == 8192 * (6 * matrices + 6 * 32 * 4096 * 8193)


def test_hours_by_hand() -> None:
    assert Cluster(GPUS["a100_80"], count=2, utilisation=0.5).hours(312e12 * 3600) == pytest.approx(1)


# Budgets


@pytest.mark.parametrize(("line", "tokens"), [
    (("context=x4", "train.batch_size=64"), 524_288_000),
    (("context=x8", "train.batch_size=128"), 2_097_152_000),
    (("context=x16", "train.batch_size=128"), 4_194_304_000),
])  # fmt: skip
def test_the_papers_budgets(line: tuple[str, ...], tokens: int) -> None:
    tuning = planned("model=llama_7b", "train=paper", *line).tuning
    assert tuning is not None
    assert tuning.tokens == tokens


def test_a_chunk_costs_what_its_own_length_costs() -> None:
    whole, chunks = (planned("model=llama_7b", *line).tuning for line in (["train.chunk=null"], ["train.chunk=2048"]))
    assert whole is not None
    assert chunks is not None
    assert whole.tokens == 4 * chunks.tokens
    assert chunks.flops_per_token < whole.flops_per_token


def test_nothing_is_planned_for_tuning_where_nothing_is_tuned() -> None:
    assert planned("model=llama_7b", "method=none").tuning is None


# Memory


def test_weights_gradients_and_moments_to_the_byte() -> None:
    model = llama(ODD, "sdpa")
    optimizer = torch.optim.AdamW(model.parameters())
    model(input_ids=ids(ODD, 8), use_cache=False).logits.sum().backward()
    optimizer.step()
    moments = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    found = formulas.tuning_memory(ODD, 8, 1, 8, checkpointed=False)
    assert found.weights == sum(parameter.nbytes for parameter in model.parameters())
    assert found.gradients == sum(parameter.grad.nbytes for parameter in model.parameters())
    assert found.optimizer == sum(moment.nbytes for moment in moments)
    shared = formulas.tuning_memory(ODD, 8, 4, 8, checkpointed=False)
    assert (shared.weights, shared.gradients, shared.optimizer) == (
        found.weights / 4, found.gradients / 4, found.optimizer / 4,
    )  # fmt: skip


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("shape", [ODD, replace(ODD, key_heads=4, layers=5)], ids=["shared keys", "all keys"])
def test_activations_are_what_autograd_keeps(shape: Shape, checkpointed: bool) -> None:
    """To the byte; cosines and sines reach a checkpointed layer past autograd, but are there all the same."""
    length = 48
    model = llama(shape, "sdpa", torch.bfloat16)
    if checkpointed:
        model.activation_checkpointing_enable()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}  # by storage, which keeps views from counting twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.model(input_ids=ids(shape, length), use_cache=False)
    found = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    rotary = 2 * 2 * shape.head_dimension * length if checkpointed else 0
    assert found + rotary == formulas.activation_bytes(shape, checkpointed) * length


@pytest.mark.parametrize("checkpointed", [False, True])
def test_the_peak_of_a_step_is_close_below_the_plan(checkpointed: bool) -> None:
    """Everything but the weights, in bfloat16 on one device, as torch's tracker sees forward, loss and backward.

    Within 5 % below where activations rule, and no more above than a mask and some token ids. Checkpointed within
    20 %: the plan adds the loss to a layer at work, which are there one after the other.
    """
    shape, length = replace(ODD, hidden=128, intermediate=344, layers=6, vocabulary=1024), 1024
    model = llama(shape, "sdpa", torch.bfloat16)
    if checkpointed:
        model.activation_checkpointing_enable()
    tracker = MemTracker()
    tracker.track_external(model)
    with tracker:
        tokens = ids(shape, length)
        hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state
        total_loss(hidden.flatten(0, 1), model.lm_head.weight, tokens.flatten(), torch.bfloat16).backward()
    peak = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    found = formulas.tuning_memory(shape, length, 1, LOGIT_ROWS, checkpointed=checkpointed)
    share = (peak - 2 * shape.parameters) / (found.activations + found.loss)
    assert (0.8 if checkpointed else 0.95) < share < 1.001


@pytest.mark.parametrize(("total", "expected"), [(144, 2), (145, 4), (289, None)])
def test_the_fewest_gpus_hold_it_and_fewer_do_not(total: float, expected: int | None) -> None:
    """72 of 80 GiB are usable."""

    def memory(gpus: int) -> Memory:
        return Memory(weights=total * 2**30 / gpus)

    assert formulas.fewest((1, 2, 4), memory, GPUS["a100_80"]) == expected


def test_an_evaluation_holds_the_whole_model_once() -> None:
    held = formulas.evaluation_memory(ODD, 100, 1000)
    assert held.weights == 2 * ODD.parameters
    assert held.gathered == 0


# Evaluation


@pytest.mark.parametrize("bos", [True, False])
def test_positions_are_those_that_the_evaluation_runs(bos: bool) -> None:
    corpus = {"a": np.arange(1000), "b": np.arange(701)}
    for sample in (None, (4, 0)):
        plans = losses.plans(corpus, 256, 32, bos=bos, sample=sample)
        found = formulas.forwards(ODD, [plan.spans for plan in plans], bos)
        assert found.windows == sum(len(plan.spans) for plan in plans)
        assert found.positions == sum(losses.positions(plan, 0 if bos else None) for plan in plans)


def test_an_evaluation_by_hand() -> None:
    """Ten tokens behind BOS, W = 4, S = 2: windows of 4, 4, 4, 4 and 3 positions that score 3, 2, 2, 2 and 1."""
    found = formulas.forwards(ODD, [windows.plan(10, 4, 2, bos=True)], bos=True)
    cost = formulas.forward_flops
    assert (found.windows, found.positions) == (5, 19)
    assert found.flops == cost(ODD, 3, 3) + 3 * cost(ODD, 3, 2) + cost(ODD, 2, 1)


def test_a_sample_costs_its_share_of_the_windows() -> None:
    """100,000 tokens at W = 2048, S = 256 are 384 windows a book: 38,400; the sample has 20 a book and both ends."""
    (evaluation,) = planned("model=llama_7b", "context=x4", "task.windows=[2048]").evaluations
    assert (evaluation.full.windows, evaluation.sampled.windows) == (38_400, 2_200)
    assert evaluation.full.flops / evaluation.sampled.flops == pytest.approx(38_400 / 2_200, rel=0.02)


# The task


def test_planning_prints_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "results/single/llama/rows.jsonl"
    rows.parent.mkdir(parents=True)
    rows.write_text("not to be read\n")
    config = composed("model=llama_7b", "context=x4", "train=paper", "task.gpus=32")
    run.run(config)
    launch.finish([config])
    shown = capsys.readouterr().out
    for figure in ("6,738,415,616", "0.524 x 10^9", "46.1 x 10^9", "32 x a100_80 at 40.0 %", "38,400"):
        assert figure in shown
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [rows]


@pytest.mark.parametrize(
    "stated", [{"num_hidden_layers": 0}, {"hidden_act": "wobble"}, {"rope_theta": "10000"}], ids=str
)
def test_a_configuration_that_cannot_be_planned_with_is_one_line(stated: dict[str, object], tmp_path: Path) -> None:
    base = {"model_type": "llama", "max_position_embeddings": 256, "rope_theta": 10000.0, "num_hidden_layers": 2}
    (tmp_path / "config.json").write_text(json.dumps({**base, **stated}))
    asked = ["model=path", f"model.location={tmp_path}", "model.name=b", "context=x2", "train=paper", "task.gpus=8"]
    with pytest.raises(UsageError) as refused:
        run.run(composed(*asked))
    assert "correct" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["task.gpu=a100"], "task.gpu=a100 is not known: choose one of a100_40, a100_80"),
        (["task.utilisation=40"], "expected above 0, at most 1"),
        (["task.gpus=0"], "expected a number of at least 1"),
        (["train.batch_size=64", "task.gpus=48"], "train.batch_size=64 sequences do not divide among 48 processes"),
        (["task.stride=2048"], "below every window"),
        (["task.tokens_per_document=4096"], "documents of 4096 tokens fill no window of 8192"),
        (["model.architecture=null"], "planning downloads nothing"),
    ],
)
def test_what_cannot_be_planned_is_refused(overrides: list[str], expected: str) -> None:
    with pytest.raises(UsageError, match=re.escape(expected)):
        launch.checked(["task=plan", "model=llama_7b", "context=x4", *overrides])


def test_planning_asks_for_no_text() -> None:
    """The Pile is not in data=embedded, which is the default."""
    assert launch.checked(["task=plan", "model=llama_7b", "context=x4", "train=paper"])


# The page


@pytest.fixture(scope="module")
def page() -> Any:
    spec = importlib.util.spec_from_file_location("page", HOME / "experiments/plan/page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_what_the_planner_computes(page: Any) -> None:
    shown = page.PAGE.read_text()
    assert page.filled(shown) == shown, "run experiments/plan/page.py"


def test_the_page_gives_every_run_the_papers_settings(page: Any) -> None:
    """Learning rate by size; batch and GPUs by size and window (section 3.1); every tuned PI row of Table 1."""
    setup = paper.printed()["setup"]
    seen = []
    for run_ in page.runs(page.PAGE.read_text()):
        size, window = paper.size(run_.config.model.name), 2048 * round(run_.config.context.factor)
        train, key = run_.config.train, f"{size}-{window}"
        assert train.learning_rate == setup["max_lr"][size]
        assert train.batch_size == setup["global_batch"].get(key, setup["global_batch"]["other"])
        assert run_.task.gpus == setup["gpus"].get(key, setup["gpus"]["other"])
        assert train.steps == setup["steps"]["pi"]
        seen.append((size, window))
    assert seen == [(row["size"], row["window"]) for row in paper.printed()["table1_pg19"] if row["method"] == "pi"]
