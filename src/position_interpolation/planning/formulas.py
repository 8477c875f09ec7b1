"""What a run costs, by formula: FLOPs, memory and hours, from the shape of a model. Nothing is loaded or run.

FLOPs. A matrix of n elements costs 2 n FLOPs a position. A query that sees t keys costs 4 q t in each layer (q the
width of all heads' queries: 2 q t for the scores, 2 q t for the mix of values). Position t sees t keys, or in a layer
of a sliding window no more than that, so a window of W positions sees W (W + 1) / 2 in place of W^2: flash kernels skip
the rest. Norms, biases, RoPE, softmax and the lookup of embeddings are no matrix products and are left out. Backward
costs twice the forward, so a token of a training window costs, where all layers see everything before,

    6 N + 6 layers q (W + 1),  N: elements of all matrices with the head, without the embedding.

Utilisation is of these FLOPs (model FLOP utilisation): work done again under checkpointing counts for nothing, so it
lowers the utilisation and not the FLOPs.

Memory. Tuning under full sharding in mixed precision (FSDP2): weights, gradients and both AdamW moments in float32,
divided among the GPUs; bfloat16 copies of what is at work, whole; one window a GPU at a time, its positions not
divided. Evaluation: weights in bfloat16, divided if one GPU does not hold them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

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
    """GPUs of one kind, and the share of their peak that useful work is assumed to reach."""

    gpu: Gpu
    count: int
    utilisation: float

    def hours(self, flops: float) -> float:
        """How long so many FLOPs take."""
        return flops / (self.count * self.gpu.teraflops * 1e12 * self.utilisation) / 3600


# FLOPs


def forward_flops(shape: Shape, length: int, scored: int) -> int:
    """FLOPs of one forward over `length` positions, of which the last `scored` reach the head.

    In a Llama's last layer the others need keys and values only, as `scoring` computes it.
    """
    reaches = shape.reaches or (None,) * shape.layers
    attention = [_attention(shape, length, length, sees) for sees in reaches]
    below, head = 2 * shape.layer * length * (shape.layers - 1) + sum(attention[:-1]), 2 * shape.head * scored
    if shape.whole:
        return below + 2 * shape.layer * length + attention[-1] + head
    of_keys = 2 * shape.hidden * shape.keys
    last = 2 * of_keys * length + 2 * (shape.layer - of_keys) * scored
    return below + last + _attention(shape, length, scored, reaches[-1]) + head


def _attention(shape: Shape, length: int, queries: int, sees: int | None) -> int:
    """FLOPs of one layer's causal attention for the last `queries` of `length` positions, each over so many at most."""
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
    gathered: float = 0  # bfloat16 copies of what is at work, whole
    activations: float = 0
    loss: float = 0

    @property
    def total(self) -> float:
        """All of it."""
        return sum(getattr(self, part.name) for part in fields(self))


def layer_bytes(shape: Shape) -> int:
    """Bytes that a layer keeps for its backward, a position, in bfloat16.

    Each of two norms keeps its input in float32, a float32 scale, the normed input and its weighted self; attention its
    queries, keys, values, output and one float32 a head, and where heads have norms the same of them, but for the
    weighted self; the MLP gate, its activation, up and their product.
    """
    norms = 2 * (SINGLE * shape.hidden + SINGLE + 2 * HALF * shape.hidden)
    if shape.normed_heads:
        norms += (SINGLE + HALF) * (shape.queries + shape.keys) + SINGLE * (shape.heads + shape.key_heads)
    attention = 2 * HALF * (shape.queries + shape.keys) + SINGLE * shape.heads
    return norms + attention + 4 * HALF * shape.intermediate


def activation_bytes(shape: Shape, checkpointed: bool) -> int:
    """Bytes that the decoder keeps for its backward, a position.

    Checkpointed, a layer keeps its input alone and makes the rest again. Token id, cosines and sines, and the last norm
    are outside the layers.
    """
    layer = HALF * shape.hidden if checkpointed else layer_bytes(shape)
    norm = SINGLE * shape.hidden + SINGLE + HALF * shape.hidden
    return shape.layers * layer + norm + 2 * HALF * shape.head_dimension + LONG


def tuning_memory(shape: Shape, window: int, gpus: int, head_rows: int, *, checkpointed: bool) -> Memory:
    """One window on each of `gpus` GPUs, everything that lasts divided among them.

    Whole, in bfloat16, are the weights and gradients of two layers (the one at work and the next) and of both ends. The
    loss has its states, a masked copy and their gradients; the head's gradient in float32, one part of it and itself
    in bfloat16; and `head_rows` rows of logits.
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
    """A forward of `positions` positions, the weights in bfloat16 whole: each process evaluates windows of its own.

    No more than what a layer could keep is alive, beside the states between layers; `head_values` logits are there in
    bfloat16, in float32, and as float32 log-probabilities.
    """
    return Memory(
        weights=HALF * shape.parameters,
        activations=(layer_bytes(shape) + HALF * shape.hidden) * positions,
        loss=(HALF + 2 * SINGLE) * head_values,
    )


def fewest(candidates: Iterable[int], memory: Callable[[int], Memory], gpu: Gpu) -> int | None:
    """The first number of GPUs whose memory suffices; None if none does."""
    return next((count for count in candidates if memory(count).total <= gpu.usable), None)


# Evaluation


@dataclass(frozen=True)
class Forwards:
    """What an evaluation runs."""

    windows: int
    positions: int  # of all windows, BOS included
    flops: int


def forwards(shape: Shape, documents: Sequence[Sequence[Span]], bos: bool) -> Forwards:
    """The forwards of each document's windows (`windows.plan`, `sampling.drawn`).

    A window's last token is predicted and never read, so a forward has one position less than its window.
    """
    shapes = [(span.stop - span.start + bos, span.scored) for spans in documents for span in spans]
    cost = {key: forward_flops(shape, key[0] - 1, key[1]) for key in set(shapes)}
    return Forwards(len(shapes), sum(length for length, _ in shapes), sum(cost[key] for key in shapes))
