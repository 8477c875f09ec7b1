"""An optimiser's state on disk, in one file per process, from which any number of processes can go on."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING, BytesStorageMetadata, Metadata
from transformers.distributed import load_optimizer_distributed

# The names in the index of these files. torch reads the index as a pickle, in which any other name could run any code.
INDEX = ".metadata"
INDEX_NAMES = {
    ("pathlib", "PosixPath"),
    ("pathlib._local", "PosixPath"),  # as Python 3.13 calls it
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
# Read once: an index can replace what the enum itself says of its members.
MEMORY_FORMATS = dict(_MEM_FORMAT_ENCODING.__members__)


def load(model: Any, optimizer: Any, folder: Path) -> None:
    """Read this process's share.

    Raises:
        ValueError: there is no state, or it holds what no state holds.
    """
    if not (folder / INDEX).is_file():
        raise ValueError("it holds no state of this optimiser")
    with (folder / INDEX).open("rb") as stream:
        index = Index(stream).load()
    _check_numbers(folder, index)
    load_optimizer_distributed(model, optimizer, str(folder))


class Index(pickle.Unpickler):
    """Reads the index of such files and nothing else, because a checkpoint may come from anybody."""

    def find_class(self, module: str, name: str) -> Any:
        """What the index names, if an index has it."""
        if (module, name) == ("builtins", "getattr"):  # by which Python 3.11.0 to 3.11.3 name the member of an enum
            return _memory_format
        if (module, name) not in INDEX_NAMES:
            raise ValueError(f"its index names {module}.{name}, which has no place there")
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"its index names {module}.{name}, which only another version of Python has") from error


def _memory_format(kind: Any, name: str) -> Any:
    """The member of this name of the one enum that an index has; `getattr` would find anything."""
    if kind is not _MEM_FORMAT_ENCODING or name not in MEMORY_FORMATS:
        raise ValueError(f"its index asks for {name} of {kind}, which has no place there")
    return MEMORY_FORMATS[name]


def _check_numbers(folder: Path, index: Metadata) -> None:
    """Read all that is no tensor, such as learning rates, in torch's safe way, before torch reads it unsafely."""
    for key, place in index.storage_data.items():
        if not isinstance(index.state_dict_metadata[key.fqn], BytesStorageMetadata):
            continue  # torch reads tensors safely by itself
        if place.transform_descriptors:
            raise ValueError(f"its {key.fqn} is encoded, which ours are not")
        with (folder / place.relative_path).open("rb") as stored:
            stored.seek(place.offset)
            try:
                torch.load(io.BytesIO(stored.read(place.length)), weights_only=True)
            except (pickle.UnpicklingError, EOFError) as error:
                raise ValueError(f"its {key.fqn} is no number") from error
