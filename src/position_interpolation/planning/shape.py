"""The sizes of a base from which its costs follow."""

import copy
from dataclasses import dataclass
from typing import Any

STATED = {  # by a size's name here, its name in a transformers configuration
    "hidden": "hidden_size", "intermediate": "intermediate_size", "layers": "num_hidden_layers",
    "heads": "num_attention_heads", "key_heads": "num_key_value_heads", "vocabulary": "vocab_size",
    "tied": "tie_word_embeddings",
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama, or of a similar model."""

    hidden: int  # h
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    tied: bool  # the head's matrix is the embedding's
    head_size: int | None = None  # d, where it is not h / heads
    biases: int = 0  # elements of all biases of a layer
    normed_heads: bool = False  # queries and keys have norms of their own
    spans: tuple[int | None, ...] = ()  # how far each layer sees, where some do not see everything before
    whole: bool = False  # the last layer is computed for all positions; in a Llama `scoring` spares most of it

    @classmethod
    def of(cls, config: Any) -> "Shape":
        """From a transformers configuration; what it does not say is counted in a layer without memory."""
        import torch  # imported here: it takes seconds, and a refused command line needs none of it
        from transformers import AutoModelForCausalLM, LlamaConfig

        from position_interpolation.models import loading

        one = copy.deepcopy(config)
        one.num_hidden_layers = 1
        one.layer_types = (getattr(config, "layer_types", None) or [])[:1] or None
        with torch.device("meta"):
            layer = AutoModelForCausalLM.from_config(one).model.layers[0]
        spans = loading.spans(config)
        stated: dict[str, Any] = {own: getattr(config, theirs) for own, theirs in STATED.items()}
        return cls(
            **stated,
            head_size=getattr(config, "head_dim", None),
            biases=sum(weight.numel() for name, weight in layer.named_parameters() if name.endswith(".bias")),
            normed_heads=hasattr(layer.self_attn, "q_norm"),
            spans=spans if any(spans) else (),
            whole=not isinstance(config, LlamaConfig),
        )

    @property
    def head_dimension(self) -> int:
        """d."""
        return self.head_size or self.hidden // self.heads

    @property
    def queries(self) -> int:
        """Width of all queries of a position, and of attention's output."""
        return self.heads * self.head_dimension

    @property
    def keys(self) -> int:
        """Width of all keys of a position, and of all values."""
        return self.key_heads * self.head_dimension

    @property
    def layer(self) -> int:
        """Elements of a layer's matrices: queries and output, keys and values, gate, up and down."""
        return self.hidden * (2 * self.queries + 2 * self.keys + 3 * self.intermediate)

    @property
    def vectors(self) -> int:
        """Elements of a layer's norms and biases."""
        return 2 * self.hidden + self.biases + 2 * self.head_dimension * self.normed_heads

    @property
    def head(self) -> int:
        """Elements of the head's matrix, and of the embedding's."""
        return self.vocabulary * self.hidden

    @property
    def ends(self) -> int:
        """Parameters outside the layers: embedding, head and last norm."""
        return self.head * (1 if self.tied else 2) + self.hidden

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.layers * (self.layer + self.vectors) + self.ends
