"""Text that is not plain English: tokens of any length, bytes of the document itself, words of every script."""

from itertools import product
from typing import Any

import pytest
from rouge_score import rouge_scorer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from position_interpolation.tasks.govreport import rouge, summaries
from position_interpolation.tasks.perplexity.losses import long_enough, scored_bytes, tokenise
from position_interpolation.text.corpora import Document, Documents
from position_interpolation.text.encoding import encode, first_tokens

LONGEST = 256  # characters of a token, as real tokenizers have them for rules, tables and indentation
PROSE = "It was the best of times, it was the worst of times. Grüße aus Zürich — said Ἀχιλλεύς. "
RULES = "=" * 5_000 + "\n" + "".join(f"{'=' * (7 * n)} {n}\n" for n in range(60)) + PROSE * 40


@pytest.fixture(scope="module")
def joining() -> Any:
    """A byte-level BPE whose tokens are 1, 2, 4, ... 256 equals signs, and single bytes else."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("=" * (size // 2),) * 2 for size in (2**n for n in range(1, LONGEST.bit_length()))]
    vocabulary = {token: number for number, token in enumerate([*alphabet, *("".join(pair) for pair in merges)])}
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="!")


@pytest.fixture(scope="module")
def lossy() -> Any:
    """Words without accents or capitals, all that it does not know one unknown token: decoding loses most of a text."""
    known = ["[UNK]", "it", "was", "the", "best", "of", "times", "worst", "grusse", "said", ".", ","]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(known)}, "[UNK]"))
    made.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", eos_token=".")


def corpus(*texts: str) -> Documents:
    return Documents("own", "local", tuple(Document(str(number), text) for number, text in enumerate(texts)))


# Tokens are counted, not characters


@pytest.mark.parametrize("count", [1, 2, 7, 20, 30, 100, 1_000, 100_000])
@pytest.mark.parametrize("text", [RULES, PROSE + RULES, RULES[5_000:], "=" * 40_000], ids=lambda text: text[:5])
def test_the_first_tokens_of_a_text_are_those_of_all_of_it(joining: Any, tokenizer: Any, text: str, count: int) -> None:
    for one in (joining, tokenizer):
        assert first_tokens(one, text, count) == encode(one, text)[:count]


def test_documents_are_as_long_as_their_tokens_say(joining: Any) -> None:
    documents = corpus("=" * LONGEST * 300, PROSE)
    assert [item.id for item in long_enough(documents, joining, minimum=290, count=2).items] == ["0"]
    found = tokenise(documents, joining, minimum=290, truncate=290)
    assert [len(tokens) for tokens in found.values()] == [290]


def test_a_prompt_is_filled_and_a_summary_that_fits_is_whole(joining: Any) -> None:
    report = "=" * LONGEST * 500
    assert len(summaries.prompt(joining, report, 400)) == 400
    assert len(first_tokens(joining, report, 300)) == 300
    assert summaries.target(joining, report, 501)[-1] == joining.eos_token_id
    assert len(summaries.target(joining, report, 400)) == 400


# Bytes are the document's own


def test_all_of_a_document_counts_whatever_its_tokens_decode_to(lossy: Any, joining: Any, tokenizer: Any) -> None:
    texts = (PROSE, "  ½ Ⅻ ﬁn 😀\n\n", "它是最好的时代。")
    for one in (lossy, joining, tokenizer):
        documents = corpus(*texts)
        found = tokenise(documents, one, None, None)
        assert scored_bytes(documents, found, one, bos=0) == [len(text.encode()) for text in texts]


@pytest.mark.parametrize(("bos", "begins"), [(0, 0), (None, len("It"))])
def test_a_cut_document_counts_up_to_its_last_token(lossy: Any, bos: int | None, begins: int) -> None:
    """And without BOS from behind its first, which is not scored."""
    documents = corpus(PROSE * 9)
    found = tokenise(documents, lossy, None, truncate=15)
    ends = PROSE.index("Grüße") + len("Grüße")
    assert scored_bytes(documents, found, lossy, bos) == [len(PROSE[begins:ends].encode())]


# ROUGE's words


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("Совет одобрил новый бюджет", "Совет одобрил другой план"),
        ("κυβέρνηση ενέκρινε νέους νόμους", "ΚΥΒΈΡΝΗΣΗ ενέκρινε άλλα μέτρα"),
        ("सरकार ने हिन्दी बजट", "सरकार ने दूसरी योजना"),
        ("الحكومة وافقت على الميزانية", "الحكومة وافقت ضد الخطة"),
        ("政府批准", "政府拒绝"),
        ("รฐ", "รม"),
        ("Straße größer als zuvor", "STRASSE größer als heute".replace("STRASSE", "Gasse")),
    ],
    ids=lambda text: text[:6],
)
def test_words_of_every_script_count(text: str, half: str) -> None:
    assert rouge.scores([text], [text])["rougeL"] == [100]
    assert rouge.scores([half], [text])["rouge1"] == [pytest.approx(50)]


def test_one_letter_written_in_two_ways_is_one_letter() -> None:
    assert rouge.scores(["Cafe\u0301 cre\u0300me"], ["café crème"])["rouge2"] == [100]


def test_plain_english_is_as_rouge_score_has_it() -> None:
    texts = [
        "The runners were running, weren't they? In 1999-2000: 3.5 %!", "they ran\nruns_2 of the e-mail A1b2",
        "Congress's committees [GAO-01-234] recommended generalizations;", "", "--",
    ]  # fmt: skip
    scorer = rouge_scorer.RougeScorer(rouge.VARIANTS, use_stemmer=True)
    pairs = list(product(texts, texts))
    found = rouge.scores(*(list(side) for side in zip(*pairs, strict=True)))
    for variant in rouge.VARIANTS:
        assert found[variant] == [100 * scorer.score(right, left)[variant].fmeasure for left, right in pairs]
