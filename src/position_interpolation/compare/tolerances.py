"""How far two measurements of one number may lie apart before rounding no longer explains it, by kind and dtype.

What each tolerance was seen to cover: docs/running.md.
"""

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import bdtrc

from position_interpolation.evidence import select
from position_interpolation.evidence.k_max import LONGEST, SUCCESS
from position_interpolation.evidence.records import Record
from position_interpolation.settings.errors import UsageError

Unit = Literal["share", "nats", "times", "turned", "interval"]
CHANCE = 1e-3  # probability that rounding turns more answers than it is granted
MAGNITUDE = 10.0  # factor: rounding leaves no more than the order of magnitude of an ill-conditioned fit


@dataclass(frozen=True)
class Kind:
    """Numbers that are compared in the same way; the name is for readers."""

    name: str
    unit: Unit
    metrics: tuple[str, ...] = ()
    granted: str = "relative"  # the field of `Tolerance` that says how much


@dataclass(frozen=True)
class Tolerance:
    """What the rounding of one dtype explains."""

    relative: float  # for a perplexity, and for whatever has no unit of its own
    loss: float  # nats; for one document, and as a share for the perplexity of one block of positions
    step: float  # nats; for one step of tuning, of which the first ones fall fast
    answer: float  # nats; for the log-likelihood of the answers to a few questions
    turned: float  # share of right-or-wrong verdicts that come out otherwise


FULL = Tolerance(1e-6, 1e-6, 1e-6, 1e-6, 0.0)
TOLERANCES = {
    "float64": FULL,
    "float32 and float64": FULL,  # section 2, whose fits in float32 are a kind of their own
    "float32": Tolerance(5e-4, 2e-3, 1e-2, 1e-2, 0.002),
    "bfloat16": Tolerance(5e-3, 2e-2, 0.1, 0.1, 0.02),
}
# Not rounding: the text was tuned on in another order, and other keys were asked for.
OTHER_SEED = Tolerance(6e-2, 0.15, 0.15, 1.0, 0.0)
THEORY, FITS, OTHER = Kind("theory", "share"), Kind("Figure 2's fits", "times"), Kind("other", "share")
KINDS = (
    Kind("perplexity", "share", ("perplexity", select.OF_ALL_WINDOWS, "bits_per_byte")),
    Kind("perplexity by position", "share", (select.BLOCK_PERPLEXITY,), "loss"),
    Kind("loss of a document", "nats", ("document_loss", "document_window_loss", select.DOCUMENT_BLOCK_LOSS), "loss"),
    Kind("training loss", "nats", (select.TRAINING_LOSS,), "step"),
    Kind("success", "turned", (SUCCESS,)),
    Kind("key likelihood", "nats", ("key_log_likelihood",), "answer"),
    Kind("k_max", "interval", (LONGEST,)),
    Kind("accuracy", "turned", ("accuracy", "accuracy_normalised", "accuracy_change")),
    Kind("margin", "nats", ("margin", "margin_change"), "answer"),
    Kind("ROUGE", "interval", (*select.ROUGES, *select.DOCUMENT_ROUGES)),
    THEORY,
    FITS,
    OTHER,
)


def kind(record: Record) -> Kind:
    """What kind of number a record is."""
    if record.task == "theory":
        return FITS if record.metric.startswith(("normal_", "plotted_")) else THEORY
    return next((one for one in KINDS if record.metric in one.metrics), OTHER)


def tolerance(ours: Record, theirs: Record) -> Tolerance:
    """The tolerance of the coarser dtype.

    Raises:
        UsageError: a dtype without a tolerance.
    """
    if ours.seed != theirs.seed:
        return OTHER_SEED
    if unknown := {ours.dtype, theirs.dtype} - TOLERANCES.keys():
        raise UsageError(f"there is no tolerance for dtype '{min(unknown)}': expected one of {', '.join(TOLERANCES)}")
    return max(TOLERANCES[ours.dtype], TOLERANCES[theirs.dtype], key=lambda one: one.relative)


def size(unit: Unit, ours: float, theirs: float) -> float:
    """How far apart two values are: as a share of theirs, as a ratio above 1, or as a plain difference."""
    if ours == theirs:
        return 0.0
    if unit == "share":
        return abs(ours - theirs) / abs(theirs) if theirs else math.inf
    if unit == "times":
        return max(ours / theirs, theirs / ours) if ours * theirs > 0 else math.inf
    return abs(ours - theirs)


def beyond(ours: Record, theirs: Record) -> str:
    """In what way two measurements of one number differ by more than rounding explains; empty if they do not."""
    own, granted = kind(ours), tolerance(ours, theirs)
    unit = own.unit
    if ours.data.get("sha256") == theirs.data.get("sha256") and ours.n_documents != theirs.n_documents:
        return f"of {ours.n_documents} documents or trials of one text, not of {theirs.n_documents}"
    if unit in ("turned", "interval") and ours.value != theirs.value:
        return _of_answers(ours, theirs, granted)
    limit: float = MAGNITUDE if unit == "times" else getattr(granted, own.granted)
    shown = {"nats": f"{limit:g} nats", "times": f"a factor of {limit:g}"}.get(unit, f"{100 * limit:g} %")
    if size(unit, ours.value, theirs.value) > limit:
        return f"by more than {shown}"
    ends = [(ours.ci_low, theirs.ci_low), (ours.ci_high, theirs.ci_high)]
    if any(one is None or other is None or size(unit, one, other) > limit for one, other in ends if one != other):
        return f"an end of the interval by more than {shown}"
    return ""


def same_questions(ours: Record, theirs: Record) -> bool:
    """Whether both sides were asked the same questions."""
    return (ours.data.get("sha256"), ours.n_documents) == (theirs.data.get("sha256"), theirs.n_documents)


def turned(ours: Record, theirs: Record) -> int:
    """At least how many answers to the same questions came out otherwise."""
    return round(abs(ours.value - theirs.value) * (theirs.n_documents or 0))


def most_turned(answers: int, share: float) -> int:
    """The most answers that may turn: if each does with probability `share`, more do so less often than CHANCE."""
    return next(count for count in range(answers + 1) if bdtrc(count, answers, share) < CHANCE)


def _of_answers(ours: Record, theirs: Record, granted: Tolerance) -> str:
    """As `beyond`, for answers: to the same questions a few may turn; for other numbers the intervals have to meet.

    So they have to under different seeds, most of which tune other models or ask other keys. The score of a single
    summary has no interval and is not judged: after the first different token all may differ.
    """
    counted = kind(ours).unit == "turned"
    if counted and ours.seed == theirs.seed and same_questions(ours, theirs) and (asked := theirs.n_documents):
        found = turned(ours, theirs)
        most = most_turned(asked, granted.turned)
        return f"{found} of {asked} answers turned, more than {most}" if found > most else ""
    lows, highs = (ours.ci_low, theirs.ci_low), (ours.ci_high, theirs.ci_high)
    if None in lows + highs:
        return "and neither a count of answers nor an interval allows for it" if counted else ""
    apart = max(low or 0.0 for low in lows) > min(high or 0.0 for high in highs)
    return "the intervals do not meet" if apart else ""
