"""An optimiser's state on disk, in as many parts as there are processes, for any number of them to go on from."""

import pickle
from pathlib import Path
from typing import Any

from transformers.distributed import load_optimizer_distributed, save_optimizer_distributed

# What the parts' index is made of: torch reads it as a pickle, in which any other name could do anything.
INDEX = ".metadata"
INDEX_NAMES = {
    ("pathlib", "PosixPath"),
    ("torch", "Size"),
    ("torch", "float32"),
    ("torch.serialization", "_get_layout"),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    *(
        ("torch.distributed.checkpoint.metadata", name)
        for name in (
            "BytesStorageMetadata", "ChunkStorageMetadata", "Metadata", "MetadataIndex", "StorageMeta",
            "TensorProperties", "TensorStorageMetadata", "_MEM_FORMAT_ENCODING",
        )
    ),
}  # fmt: skip


def save(model: Any, optimizer: Any, folder: Path) -> None:
    """Write this process's part."""
    save_optimizer_distributed(model, optimizer, str(folder))


def load(model: Any, optimizer: Any, folder: Path) -> None:
    """Take over what belongs to this process's share of the weights.

    Raises:
        ValueError: there is no state, or its index holds more than an index does.
    """
    if not (folder / INDEX).is_file():
        raise ValueError("it holds no state of this optimiser")
    with (folder / INDEX).open("rb") as stream:
        _Index(stream).load()
    load_optimizer_distributed(model, optimizer, str(folder))


class _Index(pickle.Unpickler):
    """Reads the index of an optimiser's parts and nothing else: a checkpoint may be anybody's."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in INDEX_NAMES:
            raise ValueError(f"its index names {module}.{name}, which has no place there")
        return super().find_class(module, name)
