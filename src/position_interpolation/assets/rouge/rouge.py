"""ROUGE as a metric of the library `evaluate`, over the package rouge-score; read from disk, never from the hub.

F-measures with the Porter stemmer. `rougeL` takes a text as one sequence; `rougeLsum` takes each line as a sentence.
"""

from typing import Any

import datasets
import evaluate
from rouge_score import rouge_scorer

VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")


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
        scorer = rouge_scorer.RougeScorer(VARIANTS, use_stemmer=True)
        rows = [scorer.score(right, left) for left, right in zip(predictions, references, strict=True)]
        return {variant: [row[variant].fmeasure for row in rows] for variant in VARIANTS}
