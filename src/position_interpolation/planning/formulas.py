"""What a run costs, by formula: FLOPs, memory and hours, from the shape of a model. Nothing is loaded or run.

FLOPs. A matrix of n elements costs 2 n FLOPs per position. A query that sees t keys costs 4 q t in each layer, where q
is the width of all heads' queries: 2 q t for the scores, 2 q t for the mix of values. Position t sees t keys, or no
more than a layer's sliding window. So a window of W positions sees W (W + 1) / 2 pairs, not W^2: flash kernels skip the
rest. Norms, biases, RoPE, softmax and the lookup of embeddings are no matrix products and are left out. The backward
pass costs twice the forward pass. So where all layers see everything before, a token of a training window costs

    6 N + 6 layers q (W + 1),  N: elements of all matrices with the head, without the embedding.

Utilisation is that of these FLOPs (model FLOP utilisation). Work that checkpointing repeats does not count, so it
lowers the utilisation and not the FLOPs.

Memory. Tuning is under full sharding in mixed precision (FSDP2). Weights, gradients and both AdamW moments are in
float32, divided among the GPUs. Parameters in use have whole copies in bfloat16. Each GPU holds one window at a time,
whole. In evaluation the weights are in bfloat16, whole on each GPU.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from position_interpolation.planning.shape import Shape
from position_interpolation.tasks.perplexity.windows import Span

HALF, SINGLE, LONG = 2, 4, 8  # bytes of bfloat16, float32 and int64
USABLE = 0.9  # of a GPU's memory: the rest is for the driver, buffers of communication and fragmentation


@dataclass(frozen=True)
class Gpu:
    """A GPU as its data sheet prints it."""

    teraflops: float  # 10^12 FLOPs a second, bfloat16, dense
    memory: float  # GiB

    @property
    def usable(self) -> float:
        """Bytes that a run may fill."""
        return self.memory * USABLE * 2**30


GPUS = {
    "a100_40": Gpu(312, 40),
    "a100_80": Gpu(312, 80),
    "h100_80": Gpu(989, 80),  # SXM
    "h200_141": Gpu(989, 141),
}


@dataclass(frozen=True)
class Cluster:
    """GPUs of one kind, and the share of their peak that model FLOPs are assumed to reach."""

    gpu: Gpu
    count: int
    utilisation: float

    def hours(self, flops: float) -> float:
        """Hours that so many FLOPs take."""
        return flops / (self.count * self.gpu.teraflops * 1e12 * self.utilisation) / 3600


# FLOPs


def forward_flops(shape: Shape, length: int, scored: int) -> int:
    """FLOPs of one forward over `length` positions, of which the last `scored` reach the head.

    In a Llama's last layer all others need keys and values only, as in `models/scoring.py`.
    """
    spans = shape.spans or (None,) * shape.layers
    attention = [_attention(shape, length, length, sees) for sees in spans]
    below, head = 2 * shape.layer * length * (shape.layers - 1) + sum(attention[:-1]), 2 * shape.head * scored
    if shape.whole:
        return below + 2 * shape.layer * length + attention[-1] + head
    of_keys = 2 * shape.hidden * shape.keys
    last = 2 * of_keys * length + 2 * (shape.layer - of_keys) * scored
    return below + last + _attention(shape, length, scored, spans[-1]) + head


def _attention(shape: Shape, length: int, queries: int, sees: int | None) -> int:
    """FLOPs of causal attention in one layer for the last `queries` of `length` positions; each sees at most `sees`."""
    pairs = queries * length - queries * (queries - 1) // 2
    if sees is not None and sees < length:
        far = min(queries, length - sees)  # queries that see no more than the sliding window
        pairs -= far * (length - sees) - far * (far - 1) // 2
    return 4 * shape.queries * pairs


def training_flops(shape: Shape, window: int) -> int:
    """FLOPs of forward and backward over one window."""
    return 3 * forward_flops(shape, window, window)


# Memory, bytes on each GPU


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU by what they hold."""

    weights: float
    gradients: float = 0
    optimizer: float = 0
    gathered: float = 0  # whole bfloat16 copies of the parameters in use
    activations: float = 0
    loss: float = 0

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(vars(self).values())


def layer_bytes(shape: Shape) -> int:
    """Bytes per position that a layer keeps for its backward pass, in bfloat16 where nothing else is said.

    Each of two norms keeps its input in float32, a float32 scale, the normed input, and that times the weight.
    Attention keeps its queries, keys, values, output and one float32 per head; norms of heads keep what other norms do,
    without the last. The MLP keeps gate, its activation, up, and their product.
    """
    norms = 2 * (SINGLE * shape.hidden + SINGLE + 2 * HALF * shape.hidden)
    if shape.normed_heads:
        norms += (SINGLE + HALF) * (shape.queries + shape.keys) + SINGLE * (shape.heads + shape.key_heads)
    attention = 2 * HALF * (shape.queries + shape.keys) + SINGLE * shape.heads
    return norms + attention + 4 * HALF * shape.intermediate


def activation_bytes(shape: Shape, checkpointed: bool) -> int:
    """Bytes per position that the decoder keeps for its backward pass; checkpointed, a layer keeps its input alone.

    Token ids, cosines and sines, and the last norm are outside the layers.
    """
    layer = HALF * shape.hidden if checkpointed else layer_bytes(shape)
    norm = SINGLE * shape.hidden + SINGLE + HALF * shape.hidden
    return shape.layers * layer + norm + 2 * HALF * shape.head_dimension + LONG


def tuning_memory(shape: Shape, window: int, gpus: int, head_rows: int, *, checkpointed: bool) -> Memory:
    """Memory of one window on each of `gpus` GPUs; weights, gradients and moments are divided among them.

    Two layers (the one at work and the next) and both ends have whole weights and gradients, in bfloat16. The loss
    keeps its states, a masked copy and their gradients; the head's gradient in float32, a part of it and the head
    itself in bfloat16; and `head_rows` rows of logits.
    """
    share = SINGLE * shape.parameters / gpus
    kept = activation_bytes(shape, checkpointed) + (layer_bytes(shape) if checkpointed else 0)
    return Memory(
        weights=share,
        gradients=share,
        optimizer=2 * share,
        gathered=2 * HALF * (2 * shape.layer + shape.ends),
        activations=kept * window,
        loss=3 * HALF * shape.hidden * window + (SINGLE + 2 * HALF) * shape.head + HALF * shape.vocabulary * head_rows,
    )


def evaluation_memory(shape: Shape, positions: int, head_values: int) -> Memory:
    """Memory of a forward of `positions` positions with whole weights: each process evaluates windows of its own.

    Beside the states between layers, no more is alive than a layer could keep. `head_values` logits are held in
    bfloat16, in float32, and as float32 log-probabilities.
    """
    return Memory(
        weights=HALF * shape.parameters,
        activations=(layer_bytes(shape) + HALF * shape.hidden) * positions,
        loss=(HALF + 2 * SINGLE) * head_values,
    )


def fewest(candidates: Iterable[int], memory: Callable[[int], Memory], gpu: Gpu) -> int | None:
    """The first number of GPUs whose memory is enough; None if none is."""
    return next((count for count in candidates if memory(count).total <= gpu.usable), None)


# Evaluation


@dataclass(frozen=True)
class Forwards:
    """How much an evaluation runs."""

    windows: int
    positions: int  # of all windows, BOS included
    flops: int


def forwards(shape: Shape, documents: Sequence[Sequence[Span]], bos: bool) -> Forwards:
    """The forwards of each document's windows, without their last tokens, which are predicted but never read."""
    shapes = [(span.stop - span.start + bos, span.scored) for spans in documents for span in spans]
    cost = {key: forward_flops(shape, key[0] - 1, key[1]) for key in set(shapes)}
    return Forwards(len(shapes), sum(length for length, _ in shapes), sum(cost[key] for key in shapes))
