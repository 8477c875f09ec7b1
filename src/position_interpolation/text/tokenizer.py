"""The tiny rung's own tokenizer: byte-level BPE, in which each digit is a token."""

from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from position_interpolation.text.corpora import Documents

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
PIECES, CHARACTERS = 10, 12_000  # of each document that the tokenizer is trained on


def train(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer that puts BOS in front, as LLaMA's does.

    Digits stay single tokens, so that a five-digit passkey has five tokens whatever its value. `vocabulary` counts the
    special tokens, too. Evaluation text must not be among `texts`.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[BOS, EOS, PAD], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    first = [(BOS, tokenizer.token_to_id(BOS))]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=first)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD)


def excerpts(documents: Documents) -> Iterator[str]:
    """Ten evenly spaced pieces of every document: enough to train a tokenizer on, without reading everything."""
    for document in documents.items:
        step = max(1, len(document.text) // PIECES)
        for number in range(PIECES):
            yield document.text[number * step : number * step + CHARACTERS]
