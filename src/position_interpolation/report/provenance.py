"""Where the numbers of a results folder come from, and where they differ from the paper: sentences for its page."""

from collections.abc import Iterable, Iterator, Sequence

from position_interpolation.evidence import extensions, paper, select
from position_interpolation.evidence.extensions import extension_of, ordered
from position_interpolation.evidence.records import Record
from position_interpolation.evidence.words import plural, thousands
from position_interpolation.settings.schema import RECALL
from position_interpolation.tasks.benchmarks.page import by_sample
from position_interpolation.tasks.longppl import key_tokens as longppl
from position_interpolation.tasks.passkey import rules

MADE_UP = "random words, and a model of random weights: the numbers mean nothing"
# What each source of text has in the place of the paper's corpora (conf/data).
STAND_INS = {
    ("embedded", "pg19"): "books of the King James Bible stand in for PG-19",
    ("embedded", "proof_pile"): "source files of sympy stand in for Proof-pile",
    ("local", "proof_pile"): "LaTeX and Isabelle documents alone stand in for Proof-pile",
    ("made_up", "pg19"): MADE_UP,
    ("made_up", "proof_pile"): MADE_UP,
}
MODELS = {"smollm2_135m_instruct": " (tuned to instructions, quantised to Q4_1 and dequantised: see wheel.py)"}
DOCUMENTS = {"pg19": 100, "proof_pile": 128}
# Rows of each benchmark's split that the paper's harness would have asked.
QUESTIONS = {"boolq": 3270, "piqa": 1838, "race_middle": 1436, "race_high": 3498, "winogrande": 1267}
SHOWN = 12  # items of a list that is not folded away
GENERATED = "generated"  # the source of prompts, which are no text


def sources(records: Sequence[Record]) -> list[str]:
    """One markdown line for each text: its name, source, fingerprint, documents, tokens and protocols."""
    lines = []
    hidden = (*select.OF_ONE_DOCUMENT, select.TRAINING_LOSS)
    measured = (one for one in records if one.metric not in hidden and one.task not in ("theory", "rotation"))
    texts = select.gathered(measured, lambda one: (one.data["name"], one.data["source"], one.data.get("sha256")))
    for (title, source, sha256), rows in texts.items():
        text = f"**{title}**, source `{source}`, sha256 `{(sha256 or 'none')[:16]}`"
        largest = max(rows, key=lambda record: (record.n_documents or 0, record.n_tokens or 0))
        tokens = largest.n_tokens or 0
        if largest.metric == select.BLOCK_PERPLEXITY:  # blocks of one forward add up, protocols of one text do not
            tokens = sum(row.n_tokens or 0 for row in rows if row.signature == largest.signature)
        text += f": {counted(largest)}" + (f", {plural(tokens, 'token')}" if tokens else "")
        for name in ("protocol", "stride"):
            values = _unique(getattr(record, name) for record in rows)
            text += f"; {name} {', '.join(values)}" if values else ""
        ids = [f"`{identifier}`" for identifier in largest.data.get("ids") or []]
        lines.append(f"- {text}." + (f" {_folded('Ids', ids)}" if ids else ""))
    return [*lines, *_tuning(records)]


def counted(record: Record) -> str:
    """`12 documents`, trials or questions that a number rests on."""
    asked = record.data.get("source") == GENERATED
    unit = "trial" if asked else "question" if record.task in QUESTIONS else "document"
    return plural(record.n_documents or 0, unit)


def _tuning(records: Sequence[Record]) -> list[str]:
    """What the extensions were tuned on, one markdown line per mixture, whose texts may differ by seed and window."""
    losses = (record for record in records if record.metric == select.TRAINING_LOSS)
    mixtures = select.gathered(losses, lambda record: (record.data["name"], record.data["source"]))
    lines = []
    for (name, source), rows in mixtures.items():
        tokens = max(record.n_tokens or 0 for record in rows)
        fingerprints = _unique(f"`{(record.data.get('sha256') or 'none')[:16]}`" for record in rows)
        lines.append(
            f"- Tuned on **{name}** (shares of sequences), source `{source}`, up to {plural(tokens, 'token')}; a "
            "training loss is the mean over a block of steps. "
            f"Sha256 of the texts' fingerprints: {', '.join(fingerprints)}."
        )
    return lines


def conditions(records: Sequence[Record]) -> list[str]:
    """Code, libraries, machines, seeds and weights behind the numbers, one markdown line each."""
    versions = _unique(", ".join(f"{name} {number}" for name, number in record.versions.items()) for record in records)
    known = [(item, record.weights_sha256) for record in records if (item := extension_of(record)) is not None]
    ranked = sorted(known, key=lambda pair: pair[0].rank)
    weights = _unique(f"{item.base}, {item.label}: `{(sha256 or 'none')[:16]}`" for item, sha256 in ranked)
    spent = sum({record.signature: record.seconds for record in records}.values())
    duration = "less than a second" if spent < 1 else f"{thousands(spent)} seconds"
    lines = {
        "Code": ", ".join(_unique(record.commit for record in records)) or "outside a checkout",
        "Libraries": "; ".join(versions),
        "Machine": "; ".join(_unique(f"{record.device}, {record.dtype}" for record in records)),
        "Seeds": ", ".join(_unique(record.seed for record in records)),
        "Measured in": f"{duration}, without tuning and what earlier jobs left on disk",
    }
    shown = [f"- {name}: {value}." for name, value in lines.items()]
    return [*shown, *([f"- {_folded('Weights evaluated (sha256)', weights)}"] if weights else [])]


def deviations(records: Sequence[Record]) -> list[str]:
    """What differs from the paper's setup, as far as records tell; markdown lines."""
    lines = (*_models(records), *_texts(records), *_unstated(records), *_beyond(records))
    return [f"- {line}" for line in dict.fromkeys(lines)]


def _models(records: Sequence[Record]) -> Iterator[str]:
    """Other models than the paper's, tuned otherwise."""
    for item in ordered(extensions.ends(records)):
        if "llama" not in item.model.lower():
            kind = MODELS.get(item.model, "")
            yield f"Model: {item.base}{kind} with L = {item.base_window}, for LLaMA with L = 2048."
        steps = paper.TUNED.get(item.method)
        if item.steps and steps and item.steps != steps and not item.control:
            yield f"Tuning: {item.label}; the paper's {item.method_name} is tuned {steps} steps."
    mixtures = _unique(record.data.get("name") for record in records if record.metric == select.TRAINING_LOSS)
    for mixture in (text for text in mixtures if RECALL in text):
        yield f"Tuning text: {mixture}; recall is made-up text that asks for keys, of which the paper's has none."
    if any("PoSE" in text for text in mixtures):
        yield "Tuning: on short chunks whose positions skip (PoSE, arXiv:2309.10400), for whole windows."


def _texts(records: Sequence[Record]) -> Iterator[str]:
    """Other texts than the paper's, or fewer."""
    read = (row for row in records if row.metric == "perplexity")
    for task, source, count in dict.fromkeys((row.task, str(row.data["source"]), row.n_documents or 0) for row in read):
        if (source, task) in STAND_INS:
            yield f"Text: {STAND_INS[source, task]}."
        if task in DOCUMENTS and count != DOCUMENTS[task]:
            yield f"Documents of {task}: {count}, for {DOCUMENTS[task]}."
    for rows in select.summaries(records).values():
        printed, reports = paper.printed()["govreport"], (row for row in rows if row.metric in select.ROUGES)
        tuned = next((row.n_documents for row in rows if row.metric == "summary_steps"), None)
        pairs = f", fine-tuned on {plural(tuned, 'pair')} for {thousands(printed['train_documents'])}" if tuned else ""
        yield f"Summaries: {select.counted(reports, 'report')} for {printed['eval_documents']}{pairs}."


def _unstated(records: Sequence[Record]) -> Iterator[str]:
    """Choices that the paper does not state, and benchmarks of fewer questions."""
    if select.perplexities(records):
        yield "Aggregation: the paper does not state it; here every scored token counts alike (`token`)."
    for rule in dict.fromkeys(str(group.rule) for group in rules.passkeys(records)):
        yield (
            "Passkey: the paper states neither prompt length nor matching rule; here prompt and answer fill "
            f"the window and decoding is greedy. {rules.SENTENCES[rule]}"
        )
    for task, asked in dict.fromkeys((record.task, record.n_documents) for record in records):
        if task in QUESTIONS and asked != QUESTIONS[task]:
            yield f"Questions of {task}: {asked}, for {QUESTIONS[task]}."
    if by_sample(records):
        yield (
            "Benchmarks: the paper states neither harness nor scoring rule; here the choice with the largest summed "
            "log-likelihood is the answer, in the templates at the top of tasks/benchmarks/questions.py. Compare "
            "within the table."
        )


def _beyond(records: Sequence[Record]) -> Iterator[str]:
    """What the paper does not measure."""
    tasks, metrics = {record.task for record in records}, {record.metric for record in records}
    measured = {
        "Perplexity by position is no experiment of the paper.": select.positions(records),
        "Queries and keys of real heads are measured nowhere in the paper.": select.heads(records),
        "Harder retrieval than the passkey's is no experiment of the paper.": "retrieval" in tasks,
        "LongPPL (arXiv:2410.23771) is no measure of the paper.": longppl.KEY in metrics,
    }
    yield from (sentence for sentence, found in measured.items() if found)


def _folded(title: str, items: Sequence[str]) -> str:
    """A line such as `Ids: a; b.`, or the items folded away, where there are many."""
    listed = "; ".join(items)
    if len(items) <= SHOWN:
        return f"{title}: {listed}."
    return f"{title}:\n  <details><summary>all {len(items)}</summary>\n\n  {listed}\n\n  </details>"


def _unique(values: Iterable[object]) -> list[str]:
    """Distinct values as text, in order of first appearance, without None."""
    return list(dict.fromkeys(str(value) for value in values if value is not None))
