"""Queries and keys of a base's own heads, before RoPE, on real text: the h_j, which the paper does not measure."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from position_interpolation.machine.progress import Progress
from position_interpolation.models import loading
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.heads import scores
from position_interpolation.tasks.heads.config import HeadsTask
from position_interpolation.tasks.heads.scores import Geometry, Integers, Pairs
from position_interpolation.tasks.measurement import Measured, Measurement, bos_of, common, text
from position_interpolation.tasks.perplexity import losses
from position_interpolation.text import corpora
from position_interpolation.tuning.extension import Prepared

Vectors = NDArray[np.float32]


def measurements(prepared: Prepared, task: HeadsTask) -> Iterator[Measurement]:
    """Scores, interpolation errors and bounds of the base's own heads, in one measurement.

    Raises:
        UsageError: the base is no plain Llama, or no document fills the window.
    """
    config = prepared.config
    built = loading.base_config(config.model, prepared.cache)
    require_plain_llama(built)
    window, bos = task.window or config.model.window, bos_of(prepared, task.bos)
    tokens = window - (bos is not None)
    documents = corpora.load(config.data, task.corpus, task.documents, task.ids)
    corpus = losses.tokenise(documents, prepared.tokenizer, minimum=tokens, truncate=tokens)
    data, count = text(documents, tuple(corpus)), len(corpus)
    geometry = Geometry(built.head_dim, built.rope_parameters["rope_theta"], config.model.window, task.spans)

    def measure() -> list[Measured]:
        """Draw pairs, take their queries and keys, and follow their scores."""
        shape = (built.num_hidden_layers, built.num_attention_heads, task.pairs)
        pairs = scores.draw(shape, count, window, config.seed)
        rows = [([] if bos is None else [bos]) + list(map(int, ids)) for ids in corpus.values()]
        model = prepared.model  # tuned, if need be, before the bar starts
        with Progress("queries and keys", count * window, "tokens") as bar:
            queries, keys = projections(model, rows, pairs, bar)
        with Progress("scores of real heads", pairs.documents.size, "pairs") as bar:
            found = scores.measure(scores.coefficients(queries, keys), geometry, bar)
        return [
            Measured(metric, estimate, data, count, count * window, config.model.window, at=at)
            for (metric, at), estimate in scores.numbers(found, geometry, task.bootstrap).items()
        ]

    parts = {
        **common(prepared, documents), "heads": 1, "window": window, "bos": bos, "pairs": task.pairs,
        "spans": task.spans, "seed": config.seed, "bootstrap": task.bootstrap,
    }  # fmt: skip
    yield Measurement(parts, measure)


def require_plain_llama(config: Any) -> None:
    """Make sure that q_proj and k_proj are followed by unscaled RoPE and nothing else.

    Raises:
        UsageError: another family (it may normalise queries and keys first), or scaled frequencies.
    """
    kind = config.rope_parameters.get("rope_type", "default")
    if config.model_type != "llama" or kind != "default":
        raise UsageError(
            f"task=heads reads Llama models with unscaled RoPE, not type '{config.model_type}' with rope type "
            f"'{kind}': choose another model"
        )


@torch.compiler.set_stance("force_eager")  # the hooks differ from layer to layer
@torch.inference_mode()
def projections(
    model: Any, texts: Sequence[Sequence[int]], pairs: Pairs, progress: Callable[[int], None] = lambda _: None
) -> tuple[Vectors, Vectors]:
    """Query and key vectors of the drawn pairs before RoPE; no others are kept.

    From the token ids of each document, BOS included, to queries and keys of shape (layers, query heads, pairs, d) in
    Hugging Face's half-split layout. `progress` is called with the positions that have run through the model.
    """
    shape = (*pairs.documents.shape, model.config.head_dim)
    queries, keys = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for document, ids in enumerate(texts):
        with ExitStack() as hooks:
            for layer, block in enumerate(model.model.layers):
                here = pairs.documents[layer] == document
                for module, positions, kept in (
                    (block.self_attn.q_proj, pairs.queries, queries),
                    (block.self_attn.k_proj, pairs.keys, keys),
                ):
                    hook = partial(_keep, here=here, positions=positions[layer], kept=kept[layer])
                    hooks.callback(module.register_forward_hook(hook).remove)
            model.model(input_ids=torch.tensor([ids], device=model.device), use_cache=False)
        progress(len(ids))
    return queries, keys


def _keep(
    _module: Any, _inputs: Any, output: torch.Tensor, *, here: NDArray[np.bool_], positions: Integers, kept: Vectors
) -> None:
    """A forward hook: copy one layer's rows of this document's pairs from a projection's (1, T, heads x d) output.

    Query heads that share a key head stand next to each other (grouped-query attention).
    """
    states = output[0].unflatten(-1, (-1, kept.shape[-1]))  # (T, own heads, d)
    head = np.nonzero(here)[0] // (len(kept) // states.shape[1])
    places = (torch.as_tensor(index, device=states.device) for index in (positions[here], head))
    kept[here] = states[tuple(places)].float().cpu().numpy()
