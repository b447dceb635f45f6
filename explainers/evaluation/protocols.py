"""The papers' protocols by name: each a row that fixes what its authors fixed, with the numbers they published."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Refusal, nearest
from .datasets import Dataset
from .runner import Plan

#: {row: {column: number}}, each number as its authors printed it.
Table = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Protocol:
    """How a paper's table is made.

    data         what to give as --data, in words
    methods, metrics, target   as for `measure`; they can be overridden on the command line, except the target
    prompt       of models that match pictures with texts: a sentence for each class, "{}" is its name
    published    {the authors' dataset: its table}
    unit         of these numbers, where it is not plain that ours have the same
    source       where these numbers stand; "secondary" if not in the paper itself
    differs      what is not as it was there, beside the model and the sample
    model        the bundled one that this protocol is for, if nobody names another; "" where the data decide
    """

    key: str
    title: str
    data: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    target: str | None
    published: Mapping[str, Table]
    source: str
    differs: str
    unit: str = ""
    model: str = ""
    sees: str = "text"
    prompt: str = ""

    def plan(self, model: str, dataset: Dataset, **changes) -> Plan:
        """The run of this protocol with a model.

        changes: methods, metrics, seed, revision, side where the caller wants others.
        """
        texts = ()
        if self.prompt:
            if not dataset.classes:
                raise Refusal(f"The protocol {self.key} matches pictures with their classes' names, "
                              f"and {dataset.name} has no classes.tsv with names.")
            texts = tuple(self.prompt.format(name) for name in dataset.classes)
        metrics = self.metrics
        if isinstance(dataset.examples[0].inputs, tuple):
            metrics = tuple(name.replace("reproduce=attcat", "reproduce=attcat-pairs") for name in metrics)
        given = {name: value for name, value in changes.items() if value}
        return replace(Plan(model, self.methods, metrics, self.target, texts=texts), **given)

    def note(self, data: str | Path = "") -> str:
        """What a reader of the table must know: the definition, what differs, and the published numbers.

        data: where the examples come from. If its file or folder is called after one of the datasets that the
        authors measured, the numbers are of that one, else of all of them.
        """
        lines = [f"**{self.title}** (`--protocol {self.key}`). "
                 f"Explained: {self.target or 'the predicted class'}. {self.differs}"]
        if not self.published:
            return "\n".join([*lines, "", f"No published table is quoted: {self.source}."])
        chosen = self.published_for(data)
        unit = f", {self.unit}" if self.unit else ""
        where = f"on {next(iter(chosen))}, by the authors' models" if len(chosen) == 1 else "on the authors' models and data"
        lines += ["", f"Published numbers{unit}, {where} ({self.source}); ours are below:", "", *rows_of(chosen)]
        return "\n".join(lines)

    def published_for(self, data: str | Path) -> Mapping[str, Table]:
        """The published table of the dataset after which the file or its folder is called; all tables if it is none or several."""
        place = Path(data)
        called = plain(place.parent.name + place.name)
        found = {name: table for name, table in self.published.items() if plain(name) in called}
        return found if len(found) == 1 else self.published


def plain(name: str) -> str:
    """A name without what people write differently: SST-2, sst2 and SST_2 are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def rows_of(published: Mapping[str, Table]) -> list[str]:
    """The lines of a Markdown table: a row a method; of several datasets the columns of each, beside each other."""
    columns = [(name, column) for name, table in published.items() for column in next(iter(table.values()))]
    rows = dict.fromkeys(row for table in published.values() for row in table)
    heads = [column if len(published) == 1 else f"{name} {column}".strip() for name, column in columns]
    lines = ["| published | " + " | ".join(heads) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = [published[name].get(row, {}).get(column, "") for name, column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def printed(datasets: Sequence[str], columns: Sequence[str], text: str) -> dict[str, Table]:
    """A table as it is printed, the columns of each dataset beside each other, taken apart by dataset.

    text: a line a row, "name: number number ...", as many numbers as there are datasets times columns.
    """
    tables: dict[str, dict[str, dict[str, str]]] = {name: {} for name in datasets}
    for line in text.strip().splitlines():
        row, _, numbers = line.partition(":")
        cells = iter(numbers.split())
        for name in datasets:
            tables[name][row.strip()] = {column: next(cells) for column in columns}
    return tables


ATTCAT = ("raw_attention", "rollout", "grads", "attgrads", "partial_lrp", "transatt", "cat", "attcat",
          "attcat:mask_specials=true")
CHEFER = ("rollout", "raw_attention", "attn_gradcam", "lrp", "partial_lrp", "transatt")
CHEN = ("raw_attention", "rollout", "attn_gradcam", "partial_lrp", "gae", "transatt",
        "beyond_intuition", "beyond_intuition:variant=token")
GLOBENC = ("W", "W-FixedRes", "W-Res", "N", "N-FixedRes", "N-Res", "N-ResLN", "N-Enc")

ATTCAT_DATA = ("SST-2", "QQP", "MNLI", "Amazon", "Yelp", "IMDB")
ATTCAT_TABLE_1 = printed(ATTCAT_DATA, ("AOPC ↑", "log-odds ↓"), """
    RawAtt:     0.331 -0.885  0.143  0.149  0.138  0.235  0.384 -1.729  0.394 -2.017  0.298 -1.245
    Rollout:    0.286 -0.641  0.139  0.262  0.151  0.321  0.324 -1.303  0.277 -1.055  0.331 -1.323
    Grads:      0.335 -0.252  0.141  0.184  0.156  0.139  0.316 -1.820  0.414 -1.994  0.304 -1.227
    AttGrads:   0.351 -0.603  0.143  0.113  0.159  0.114  0.346 -1.941  0.439 -2.054  0.310 -1.267
    PartialLRP: 0.341 -0.922  0.142  0.137  0.138  0.231  0.418 -2.019  0.424 -2.199  0.312 -1.321
    TransAtt:   0.354 -1.038  0.145  0.114  0.130  0.214  0.415 -1.889  0.434 -2.508  0.421 -2.137
    CAT:        0.352 -1.115  0.134  0.121  0.157  0.121  0.409 -2.157  0.421 -2.587  0.406 -3.052
    AttCAT:     0.371 -1.319  0.139  0.073  0.164  0.008  0.457 -2.332  0.473 -3.169  0.528 -3.671
""")
ATTCAT_TABLE_2 = printed(ATTCAT_DATA, ("Kendall's τ ↓",), """
    Grads:       0.150  0.236  0.169  0.146  0.174  0.098
    AttGrads:    0.116  0.198  0.156  0.148  0.132  0.064
    PartialLRP:  0.955  0.949  0.935  0.965  0.952  0.858
    TransAtt:    0.336  0.222  0.339  0.152  0.121  0.043
    CAT:         0.101  0.373  0.339  0.095  0.107  0.056
    AttCAT:      0.018  0.349  0.017  0.015  0.008  0.023
""")
AREAS = "areas under the accuracy in %, as `area` is"

PROTOCOLS: dict[str, Protocol] = {one.key: one for one in (
    Protocol(
        "attcat-table1", "AOPC and log-odds of AttCAT's Table 1", "a table of texts, or of pairs, with labels", ATTCAT,
        ("aopc:reproduce=attcat", "logodds:reproduce=attcat"), "label", ATTCAT_TABLE_1, "Qiang et al. 2022, Table 1",
        "As in the authors' notebooks: the label is explained and watched; nine shares from 11 "
        "to 100 % of all tokens, specials never taken; |p − p_k|; texts of fewer than ten tokens"
        " are left out. The lowest-ranked token is always left. In the maps of raw attention, "
        "rollout, Partial LRP and TransAtt the notebooks set [CLS] to zero before they rank, so "
        "that this token is [CLS] and not a word, and so it is here. Of pairs [CLS] and [SEP] "
        "can be taken too (`attcat-pairs`). AOPC deletes and log-odds put [PAD], as the paper "
        "says; the notebooks compute both ways. While they explain, the notebooks close [CLS] "
        "and [SEP] to attention: of AttCAT both settings are rows, `attcat:mask_specials=true` "
        "is theirs. The other rows are explained with the attention that the model itself has, "
        "where the notebooks close it for them too. CAT, Grads and AttGrads are not in the "
        "notebooks, which have Attention Grad-CAM in their place; these rows follow the paper, "
        "and [CLS] keeps its score."),
    Protocol(
        "attcat-kendall", "AttCAT's Kendall τ between classes", "a table of texts, or of pairs, with labels", ATTCAT,
        ("kendall:form=permutation", "kendall"), "label", ATTCAT_TABLE_2, "Qiang et al. 2022, Table 2",
        "The authors correlate the two lists of token positions in falling order, [CLS] at zero "
        "in the same maps as in `attcat-table1` (`form=permutation`); the rank correlation of "
        "the scores stands beside it. Raw attention and rollout know no classes, so their maps "
        "are the same for both; the authors leave them out. `attcat:mask_specials=true` closes "
        "[CLS] and [SEP] to attention, as the notebooks do for every method."),
    Protocol(
        "attcat-squad", "AttCAT's precision at 20 for answers", "SQuAD's JSON", ATTCAT, ("precision_at_k:k=20",), "answer",
        printed(("SQuAD 1", "SQuAD 2"), ("tokens",), "perfect: 3.72 3.84"),
        "the length of the answers in Qiang et al. 2022, the most that can be hit",
        "What the model answers is explained (start and end together); counted are the tokens of "
        "the gold answer among the top 20 of all tokens, question and specials included, not "
        "divided by 20. Questions without an answer are left out, as the authors did for SQuAD 2.",
        unit="in tokens", model="question-answering"),
    Protocol(
        "chefer-perturbation", "Positive and negative perturbation of Chefer et al.", "a folder of pictures with labels",
        CHEFER, ("positive_perturbation", "negative_perturbation"), None,
        printed(("ImageNet",), ("negative", "positive"), """
            rollout: 53.1 20.05
            raw attention: 45.55 23.99
            Grad-CAM: 41.52 34.06
            LRP: 43.49 41.94
            partial LRP: 50.49 19.64
            TransAtt: 54.16 17.03
        """),
        "Chefer et al. 2021 (CVPR), Tables 1 and 2, predicted class, by way of an independent "
        "replication's report: secondary",
        "The predicted class is explained and accuracy is of the true label; black pixels before "
        "normalisation, a tenth at a time, area by trapezoids from 0 to 90 %. The processor of "
        "the model resizes here; the authors squash to 224 x 224.",
        unit=AREAS, model="vit", sees="image"),
    Protocol(
        "chefer-segmentation", "Segmentation of Chefer et al.", "a folder with images/NAME.jpg and masks/NAME.png", CHEFER,
        ("segmentation:at=model:precision=both",), None,
        printed(("ImageNet-Segmentation",), ("pixel accuracy", "mAP", "mIoU"), """
            rollout: 73.54 84.76 55.42
            raw attention: 67.84 80.24 46.37
            Grad-CAM: 64.44 71.60 40.82
            LRP: 51.09 55.68 32.89
            partial LRP: 76.31 84.67 57.94
            TransAtt: 79.70 86.03 61.95
        """),
        "Chefer et al. 2021 (CVPR), 4,276 pictures, by way of an independent replication's "
        "report: secondary",
        "A map's mean is its threshold. Pixel accuracy and mIoU are of all pixels together "
        "(`pooled`), precision is a mean over pictures, as in the authors' code; the means over "
        "pictures of the others stand beside them.",
        unit="in % where ours are shares of 1", model="vit", sees="image"),
    Protocol(
        "beyond-intuition-bert", "Beyond Intuition's text perturbation", "a table of texts with labels, or ERASER's movies",
        CHEN, ("positive_perturbation:fill=pad:attend=false:area=ti", "negative_perturbation:fill=pad:attend=false:area=ti"),
        "label", {}, "no table for texts is among what could be checked",
        "The gold class is explained; tokens become [PAD] that nobody attends to, a tenth at a "
        "time. The authors count shares of 512 places, padding included; here shares are of the "
        "words.",
        model="sentiment"),
    Protocol(
        "beyond-intuition-vit", "Beyond Intuition's perturbation of pictures", "a folder of pictures with labels", CHEN,
        ("positive_perturbation:area=ti", "negative_perturbation:area=ti"), None,
        printed(("ImageNet",), ("positive", "negative"), """
            raw attention: 24.51 45.65
            rollout: 20.45 53.86
            Grad-CAM: 34.61 41.95
            partial LRP: 20.18 50.62
            GAE: 20.95 48.95
            TransAtt: 17.37 54.53
            head-wise: 15.97 57.13
            token-wise: 15.89 57.97
        """),
        "Chen et al. 2022, ViT-B, predicted class, from public notes on the paper: secondary",
        "As `chefer-perturbation`, with an accuracy of 0 added at 100 %.", unit=AREAS, model="vit", sees="image"),
    Protocol(
        "beyond-intuition-clip", "Beyond Intuition's perturbation of CLIP",
        "a .zip of pictures beside classes.tsv with their names", CHEN,
        ("positive_perturbation:fill=mean:by=pixel:area=whole", "negative_perturbation:fill=mean:by=pixel:area=whole"),
        None, {}, "the paper's CLIP table could not be checked",
        "Zero-shot accuracy with the prompt “a photo of a …”; pixels become 0 after normalisation"
        " (the mean colour), a tenth at a time, to 100 %.",
        model="image-text", sees="image", prompt="a photo of a {}"),
    Protocol(
        "eraser-movies", "ERASER's movie rationales, token F1", "ERASER's movies folder",
        (*CHEFER[:3], "partial_lrp", "transatt", "gae", "cat", "attcat"), ("token_f1",), "label", {},
        "the authors' table could not be checked",
        "The gold class is explained; a word's score is the highest of its tokens'; F1 of the top"
        " 5, 10, … 80 words with all marked words, also those beyond the model's window, which "
        "caps the recall (`gold=read` leaves them out). Negative scores rank last here; the "
        "authors clamp them to zero.",
        model="sentiment"),
    Protocol(
        "globenc-spearman", "GlobEnc's Spearman with gradient × input", "a table of texts, or of pairs, with labels",
        tuple(f"globenc:variant={one}" for one in GLOBENC), ("spearman",), "label",
        printed(("SST-2", "MNLI"), ("Spearman's ρ",), """
            W: -0.11 -0.06
            W-FixedRes: -0.24 -0.05
            W-Res: 0.19 0.27
            N: 0.44 0.47
            N-FixedRes: 0.48 0.55
            N-Res: 0.73 0.75
            N-ResLN: -0.21 -0.06
            N-Enc: 0.77 0.78
        """),
        "Modarressi et al. 2022, BERT-base", "Of the gold class, with [CLS] and [SEP]; texts are not cut at 64 or 128 tokens."),
    Protocol(
        "decompx-faithfulness", "DecompX's AOPC, accuracy and prediction performance",
        "a table of texts, or of pairs, with labels",
        ("globenc", "globenc:variant=N-Enc+FFN", "alti", "gradient", "integrated_gradients", "decompx"),
        ("masking", "rationale_accuracy"), None,
        printed(("SST-2",), ("accuracy ↓", "AOPC ↑", "prediction ↑"), """
            GlobEnc: 67.14 0.307 72.36
            GlobEnc+FFN: 64.90 0.326 79.01
            ALTI: 57.65 0.416 88.30
            gradient × input: 66.69 0.310 67.20
            integrated gradients: 64.48 0.340 64.56
            DecompX: 40.80 0.627 92.20
        """),
        "Modarressi et al. 2023",
        "The predicted class is explained; 0, 10, … 90 % of the words become [MASK], the most "
        "important first. Integrated gradients run here from [PAD] in 50 points, there from zero "
        "in 10, and `gradient` is the norm of the slope, theirs the norm of slope times input.",
        unit="accuracy and prediction in % where ours are shares of 1"),
    Protocol(
        "vitcx-deletion", "Deletion and insertion as ViT-CX measures them", "a folder of pictures",
        ("vit_cx", "raw_attention", "rollout", "attn_gradcam", "gae", "transatt", "attcat"),
        ("deletion:by=pixel", "insertion:by=pixel"), None, {}, "the paper's table could not be checked",
        "RISE's curves: pixels of the enlarged map, as many at a time as a row has; deleted ones "
        "become 0 after normalisation, insertion starts from a blur.",
        model="vit", sees="image"),
)}


def find_protocol(key: str) -> Protocol:
    if key not in PROTOCOLS:
        raise nearest(key, PROTOCOLS, "protocol")
    return PROTOCOLS[key]
