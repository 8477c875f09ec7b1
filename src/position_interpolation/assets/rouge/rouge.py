"""ROUGE as a metric of the library `evaluate`, over the package rouge-score; read from disk, never from the hub.

F-measures with the Porter stemmer. Words are Unicode's: in plain English rouge-score's own, in other scripts what it
drops; where a script puts no spaces between words, each letter is one. `rougeL` takes a text as one sequence;
`rougeLsum` takes each line as a sentence.
"""

import unicodedata
from typing import Any

import datasets
import evaluate
import regex
from rouge_score import rouge_scorer, tokenizers

VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
WORDS = regex.compile(rf"(?V1){UNSPACED}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+")


class Words(tokenizers.Tokenizer):
    """Lower-case words of any script, those of plain letters stemmed where rouge-score stems them: above three."""

    def __init__(self) -> None:
        self.stemmer = tokenizers.porter.PorterStemmer()

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        found = WORDS.findall(unicodedata.normalize("NFC", text).lower())
        return [self.stemmer.stem(word) if len(word) > 3 and word.isascii() else word for word in found]


class Rouge(evaluate.Metric):
    """F-measures of predictions against references, one of each variant a document."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum, F-measure, stemmed.",
            citation="Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, list[float]]:
        scorer = rouge_scorer.RougeScorer(VARIANTS, tokenizer=Words())
        rows = [scorer.score(right, left) for left, right in zip(predictions, references, strict=True)]
        return {variant: [row[variant].fmeasure for row in rows] for variant in VARIANTS}
