"""The papers' protocols by name: what each one's authors fixed, with the numbers they published."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Refusal, nearest
from .data import Dataset
from .runs import Plan

#: {row: {column: number}}, each number as its authors printed it.
Table = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Protocol:
    """How a paper's table is made.

    data         what to give as --data, in words
    methods, metrics, target   as for `measure`; all but the target can be chosen anew
    prompt       of models that match pictures with texts: a sentence a class, "{}" is its name
    published    {the authors' dataset: its table}
    unit         of these numbers, where it is not plain that ours have the same
    source       where these numbers stand; "secondary" if not in the paper itself
    differs      what is not as it was there, beside the model and the sample
    model        the bundled one that it is for, if nobody names another; "" if the data decide
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
    modality: str = "text"
    prompt: str = ""

    def plan(self, model: str, dataset: Dataset, **changes) -> Plan:
        """The run of this protocol with a model.

        changes: methods, metrics, seed, revision, side where the caller wants others.
        """
        texts = ()
        if self.prompt:
            if not dataset.classes:
                raise Refusal(
                    f"The protocol {self.key} matches pictures with their classes' names, "
                    f"and {dataset.name} has no classes.tsv with names."
                )
            texts = tuple(self.prompt.format(name) for name in dataset.classes)
        metrics = self.metrics
        if isinstance(dataset.examples[0].inputs, tuple):
            for_pairs = "reproduce=attcat", "reproduce=attcat-pairs"
            metrics = tuple(name.replace(*for_pairs) for name in metrics)
        given = {name: value for name, value in changes.items() if value}
        return replace(Plan(model, self.methods, metrics, self.target, texts=texts), **given)

    def note(self, data: str | Path = "") -> str:
        """What a reader of the table must know: definition, differences, published numbers.

        data: where the examples come from, which chooses among the numbers (`published_for`).
        """
        explained = self.target or "the predicted class"
        said = f"**{self.title}** (`--protocol {self.key}`). Explained: {explained}. {self.differs}"
        if not self.published:
            return f"{said}\n\nNo published table is quoted: {self.source}."
        chosen = self.published_for(data)
        kind = f"Published numbers, {self.unit}," if self.unit else "Published numbers"
        on = next(iter(chosen)) if len(chosen) == 1 else "the authors' data"
        lines = [
            said,
            "",
            f"{kind} of the authors' models on {on} ({self.source}); ours are below:",
            "",
            *rows_of(chosen),
        ]
        return "\n".join(lines)

    def published_for(self, data: str | Path) -> Mapping[str, Table]:
        """The table of the dataset after which a file, or the folder it is in, is called.

        All tables, if it is called after none of them or after several.
        """
        place = Path(data)
        called = plain(f"{place.parent.name} {place.name}")
        found = {name: one for name, one in self.published.items() if plain(name) in called}
        return found if len(found) == 1 else self.published


def plain(name: str) -> str:
    """A name without what people write differently: SST-2, sst2 and SST_2 are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def rows_of(published: Mapping[str, Table]) -> list[str]:
    """A Markdown table, a row a method; the columns of several datasets stand beside each other."""
    columns, heads = [], []
    for name, table in published.items():
        for column in next(iter(table.values())):
            columns.append((name, column))
            heads.append(column if len(published) == 1 else f"{name} {column}")
    lines = ["| published | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in next(iter(published.values())):
        cells = [published[name][row][column] for name, column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines


def printed(datasets: Sequence[str], columns: Sequence[str], text: str) -> dict[str, Table]:
    """A table taken apart by dataset; as printed, the columns of each stand beside each other.

    text: a line a row, "name: number number ...", datasets times columns of them.
    """
    tables: dict[str, dict[str, dict[str, str]]] = {name: {} for name in datasets}
    for line in text.strip().splitlines():
        row, _, numbers = line.partition(":")
        each = iter(numbers.split())
        for name in datasets:
            tables[name][row.strip()] = {column: next(each) for column in columns}
    return tables


ATTCAT = (
    "raw_attention",
    "rollout",
    "grads",
    "attgrads",
    "partial_lrp",
    "transatt",
    "cat",
    "attcat",
    "attcat:mask_specials=true",
)
#: In their evaluations Chefer et al. drop the first block of rollout and TransAtt, and take the
#: older rules for their two baselines of relevance.
CHEFER = (
    "rollout:start=1",
    "raw_attention",
    "attn_gradcam",
    "lrp:rules=original",
    "partial_lrp:rules=original",
    "transatt:start=1",
)
#: Their code for texts takes the older rules and the last layer alone for TransAtt, too.
CHEFER_TEXTS = (
    "rollout",
    "raw_attention",
    "attn_gradcam",
    "partial_lrp:rules=original",
    "transatt:start=-1:rules=original",
)
BEYOND_INTUITION = ("beyond_intuition", "beyond_intuition:variant=token")
DECOMPX_DATA = ("SST-2", "MNLI", "QNLI", "HateXplain")
GLOBENC = ("W", "W-FixedRes", "W-Res", "N", "N-FixedRes", "N-Res", "N-ResLN", "N-Enc")

ATTCAT_DATA = ("SST-2", "QQP", "MNLI", "Amazon", "Yelp", "IMDB")
ATTCAT_TABLE_1 = printed(
    ATTCAT_DATA,
    ("AOPC ↑", "log-odds ↓"),
    """
    RawAtt:     0.331 -0.885  0.143  0.149  0.138  0.235  0.384 -1.729  0.394 -2.017  0.298 -1.245
    Rollout:    0.286 -0.641  0.139  0.262  0.151  0.321  0.324 -1.303  0.277 -1.055  0.331 -1.323
    Grads:      0.335 -0.252  0.141  0.184  0.156  0.139  0.316 -1.820  0.414 -1.994  0.304 -1.227
    AttGrads:   0.351 -0.603  0.143  0.113  0.159  0.114  0.346 -1.941  0.439 -2.054  0.310 -1.267
    PartialLRP: 0.341 -0.922  0.142  0.137  0.138  0.231  0.418 -2.019  0.424 -2.199  0.312 -1.321
    TransAtt:   0.354 -1.038  0.145  0.114  0.130  0.214  0.415 -1.889  0.434 -2.508  0.421 -2.137
    CAT:        0.352 -1.115  0.134  0.121  0.157  0.121  0.409 -2.157  0.421 -2.587  0.406 -3.052
    AttCAT:     0.371 -1.319  0.139  0.073  0.164  0.008  0.457 -2.332  0.473 -3.169  0.528 -3.671
""",
)
ATTCAT_TABLE_2 = printed(
    ATTCAT_DATA,
    ("Kendall's τ ↓",),
    """
    Grads:       0.150  0.236  0.169  0.146  0.174  0.098
    AttGrads:    0.116  0.198  0.156  0.148  0.132  0.064
    PartialLRP:  0.955  0.949  0.935  0.965  0.952  0.858
    TransAtt:    0.336  0.222  0.339  0.152  0.121  0.043
    CAT:         0.101  0.373  0.339  0.095  0.107  0.056
    AttCAT:      0.018  0.349  0.017  0.015  0.008  0.023
""",
)
AREAS = "areas under the accuracy in %, as `area` is"

PROTOCOLS: dict[str, Protocol] = {
    one.key: one
    for one in (
        Protocol(
            key="attcat-table1",
            title="AOPC and log-odds of AttCAT's Table 1",
            data="a table of texts, or of pairs, with labels",
            methods=ATTCAT,
            metrics=("aopc:reproduce=attcat", "logodds:reproduce=attcat"),
            target="label",
            published=ATTCAT_TABLE_1,
            source="Qiang et al. 2022, Table 1",
            differs=(
                "As in the authors' notebooks: the label is explained and watched; nine shares from 11 "
                "to 100 % of all tokens, specials never taken; |p − p_k|; texts of fewer than ten "
                "tokens are left out. The lowest-ranked token is always left. In the maps of raw "
                "attention, rollout, Partial LRP and TransAtt the notebooks set [CLS] to zero before "
                "they rank, so that this token is [CLS] and not a word, and so it is here. Of pairs "
                "[CLS] and [SEP] can be taken too (`attcat-pairs`). AOPC deletes and log-odds put "
                "[PAD], as the paper says; the notebooks compute both ways. While they explain, the "
                "notebooks close [CLS] and [SEP] to attention: of AttCAT both settings are rows, "
                "`attcat:mask_specials=true` is theirs. The other rows are explained with the model's "
                "own attention, where the notebooks close it for them too. CAT, Grads and AttGrads are "
                "not in the notebooks, which have Attention Grad-CAM in their place; these rows follow "
                "the paper, and [CLS] keeps its score."
            ),
        ),
        Protocol(
            key="attcat-kendall",
            title="AttCAT's Kendall τ between classes",
            data="a table of texts, or of pairs, with labels",
            methods=ATTCAT,
            metrics=("kendall:form=permutation", "kendall"),
            target="label",
            published=ATTCAT_TABLE_2,
            source="Qiang et al. 2022, Table 2",
            differs=(
                "The authors correlate the two lists of token positions in falling order, [CLS] at "
                "zero in the same maps as in `attcat-table1` (`form=permutation`); the rank "
                "correlation of the scores stands beside it. Raw attention and rollout know no "
                "classes, so their maps are the same for both; the authors leave them out. "
                "`attcat:mask_specials=true` closes [CLS] and [SEP] to attention, as the notebooks do "
                "for every method."
            ),
        ),
        Protocol(
            key="attcat-squad",
            title="AttCAT's precision at 20 for answers",
            data="SQuAD's JSON",
            methods=ATTCAT,
            metrics=("precision_at_k:k=20", "precision_at_k:k=20:ends=absolute"),
            target="answer",
            published=printed(("SQuAD 1", "SQuAD 2"), ("tokens",), "perfect: 3.72 3.84"),
            source="the length of the answers in Qiang et al. 2022, the most that can be hit",
            differs=(
                "What the model answers is explained (start and end together); counted are the tokens "
                "of the gold answer among the top 20 of all tokens, question and specials included, "
                "not divided by 20. So is the authors' notebook for SQuAD 1; that for SQuAD 2 adds the "
                "sizes of the maps of start and end (`ends=absolute`) and leaves questions without an "
                "answer out, as is done here. Both close [CLS] and [SEP] to attention while they "
                "explain (`attcat:mask_specials=true`) and give the model no segments. Their raw "
                "attention is the last token's, averaged over all layers, and their rollout multiplies "
                "nothing; here both are what their papers say."
            ),
            unit="in tokens",
            model="question-answering",
        ),
        Protocol(
            key="chefer-perturbation",
            title="Positive and negative perturbation of Chefer et al.",
            data="a folder of pictures with labels",
            methods=CHEFER,
            metrics=("positive_perturbation", "negative_perturbation"),
            target=None,
            published=printed(
                ("ImageNet",),
                ("negative", "positive"),
                """
            rollout: 53.1 20.05
            raw attention: 45.55 23.99
            Grad-CAM: 41.52 34.06
            LRP: 43.49 41.94
            partial LRP: 50.49 19.64
            TransAtt: 54.16 17.03
        """,
            ),
            source=(
                "Chefer et al. 2021 (CVPR), Tables 1 and 2, predicted class, by way of an independent "
                "replication's report: secondary"
            ),
            differs=(
                "The predicted class is explained and accuracy is of the true label; black pixels "
                "before normalisation, a tenth at a time, area by trapezoids from 0 to 90 %. As in the "
                "authors' evaluation rollout and TransAtt leave the first block out, and LRP and "
                "Partial LRP take the older rules. LRP is of patches here, where theirs goes on to the "
                "pixels. The processor of the model resizes here; the authors squash to 224 x 224."
            ),
            unit=AREAS,
            model="vit",
            modality="image",
        ),
        Protocol(
            key="chefer-segmentation",
            title="Segmentation of Chefer et al.",
            data="a folder with images/NAME.jpg and masks/NAME.png",
            methods=CHEFER,
            metrics=("segmentation:at=model:precision=both",),
            target=None,
            published=printed(
                ("ImageNet-Segmentation",),
                ("pixel accuracy", "mAP", "mIoU"),
                """
            rollout: 73.54 84.76 55.42
            raw attention: 67.84 80.24 46.37
            Grad-CAM: 64.44 71.60 40.82
            LRP: 51.09 55.68 32.89
            partial LRP: 76.31 84.67 57.94
            TransAtt: 79.70 86.03 61.95
        """,
            ),
            source=(
                "Chefer et al. 2021 (CVPR), 4,276 pictures, by way of an independent replication's "
                "report: secondary"
            ),
            differs=(
                "A map's mean is its threshold. Pixel accuracy and mIoU are of all pixels together "
                "(`pooled`), precision is a mean over pictures, as in the authors' code; the means "
                "over pictures of the others stand beside them. Methods as in `chefer-perturbation`."
            ),
            unit="in % where ours are shares of 1",
            model="vit",
            modality="image",
        ),
        Protocol(
            key="beyond-intuition-bert",
            title="Beyond Intuition's text perturbation",
            data="a table of texts with labels, or ERASER's movies",
            methods=(
                "raw_attention",
                "rollout",
                "attn_gradcam",
                "partial_lrp",
                "gae:start=-1",
                "transatt:start=-1:rules=original",
                *BEYOND_INTUITION,
            ),
            metrics=(
                "positive_perturbation:fill=pad:attend=false:area=ti",
                "negative_perturbation:fill=pad:attend=false:area=ti",
            ),
            target="label",
            published={},
            source="no table for texts is among what could be checked",
            differs=(
                "The gold class is explained; tokens become [PAD] that nobody attends to, a tenth at a "
                "time. The authors count shares of 512 places, padding included; here shares are of "
                "the words. As in their code GAE is of the last layer alone, and TransAtt too, by the "
                "older rules."
            ),
            model="sentiment",
        ),
        Protocol(
            key="beyond-intuition-vit",
            title="Beyond Intuition's perturbation of pictures",
            data="a folder of pictures with labels",
            methods=(
                "raw_attention",
                "rollout:start=1",
                "attn_gradcam",
                "partial_lrp",
                "gae:start=1",
                "transatt:start=1",
                *BEYOND_INTUITION,
            ),
            metrics=("positive_perturbation:area=ti", "negative_perturbation:area=ti"),
            target=None,
            published=printed(
                ("ImageNet",),
                ("positive", "negative"),
                """
            raw attention: 24.51 45.65
            rollout: 20.45 53.86
            Grad-CAM: 34.61 41.95
            partial LRP: 20.18 50.62
            GAE: 20.95 48.95
            TransAtt: 17.37 54.53
            head-wise: 15.97 57.13
            token-wise: 15.89 57.97
        """,
            ),
            source=(
                "Chen et al. 2022, ViT-B, predicted class, from public notes on the paper: secondary"
            ),
            differs=(
                "As `chefer-perturbation`, with an accuracy of 0 added at 100 %. As in the authors' "
                "evaluation rollout, TransAtt and GAE leave the first block out, and Partial LRP has "
                "the rules of TransAtt. Their GAE takes the relu after the mean over heads, which is "
                "not that of its paper; here it is as in the paper."
            ),
            unit=AREAS,
            model="vit",
            modality="image",
        ),
        Protocol(
            key="beyond-intuition-clip",
            title="Beyond Intuition's perturbation of CLIP",
            data="a .zip of pictures beside classes.tsv with their names",
            methods=(
                "raw_attention",
                "rollout",
                "attn_gradcam",
                "partial_lrp",
                "gae",
                "transatt",
                *BEYOND_INTUITION,
            ),
            metrics=(
                "positive_perturbation:fill=mean:by=pixel:area=whole",
                "negative_perturbation:fill=mean:by=pixel:area=whole",
            ),
            target=None,
            published={},
            source="the paper's CLIP table could not be checked",
            differs=(
                "Zero-shot accuracy with the prompt “a photo of a …”; pixels become 0 after "
                "normalisation (the mean colour), a tenth at a time, to 100 %. Which other methods "
                "the authors compared, and how, could not be checked."
            ),
            model="image-text",
            modality="image",
            prompt="a photo of a {}",
        ),
        Protocol(
            key="eraser-movies",
            title="ERASER's movie rationales, token F1",
            data="ERASER's movies folder",
            methods=(*CHEFER_TEXTS, "transatt", "gae", "cat", "attcat"),
            metrics=("token_f1",),
            target="label",
            published={},
            source="the authors' table could not be checked",
            differs=(
                "The gold class is explained; a word's score is the highest of its tokens'; F1 of the "
                "top 5, 10, … 80 words with all marked words, also those beyond the model's window, "
                "which caps the recall (`gold=read` leaves them out). Negative scores rank last here; "
                "the authors clamp them to zero. As in the code of Chefer et al., TransAtt is of the "
                "last layer alone, and it and Partial LRP take the older rules; `transatt` is the "
                "method as their paper has it. GAE, CAT and AttCAT came later."
            ),
            model="sentiment",
        ),
        Protocol(
            key="globenc-spearman",
            title="GlobEnc's Spearman with gradient × input",
            data="a table of texts, or of pairs, with labels",
            methods=tuple(f"globenc:variant={one}" for one in GLOBENC),
            metrics=("spearman",),
            target="label",
            published=printed(
                ("SST-2", "MNLI", "HateXplain"),
                ("Spearman's ρ",),
                """
            W: -0.11 -0.06 0.12
            W-FixedRes: -0.24 -0.05 0.13
            W-Res: 0.19 0.27 0.53
            N: 0.44 0.47 0.43
            N-FixedRes: 0.48 0.55 0.48
            N-Res: 0.73 0.75 0.66
            N-ResLN: -0.21 -0.06 0.08
            N-Enc: 0.77 0.78 0.72
        """,
            ),
            source="Modarressi et al. 2022, BERT-base",
            differs="Of the gold class, with [CLS] and [SEP]; texts are not cut at 64 or 128 tokens.",
        ),
        Protocol(
            key="decompx-faithfulness",
            title="DecompX's AOPC, accuracy and prediction performance",
            data="a table of texts, or of pairs, with labels",
            methods=(
                "globenc",
                "globenc:variant=N-Enc+FFN",
                "alti",
                "gradient",
                "integrated_gradients",
                "decompx",
            ),
            metrics=("masking", "rationale_accuracy"),
            target=None,
            published=printed(
                DECOMPX_DATA,
                ("accuracy ↓", "AOPC ↑", "prediction ↑"),
                """
            GlobEnc: 67.14 .307 72.36  48.07 .498 70.43  64.93 .342 84.00  47.65 .401 56.50
            GlobEnc+FFN: 64.90 .326 79.01  45.05 .533 75.15  63.74 .354 84.97  46.89 .406 59.52
            ALTI: 57.65 .416 88.30  45.89 .515 74.24  63.85 .355 85.69  43.30 .469 64.67
            GxI: 66.69 .310 67.20  44.21 .544 76.05  62.93 .366 86.27  46.28 .433 60.67
            IG: 64.48 .340 64.56  40.80 .579 73.94  61.12 .381 86.27  45.19 .445 64.46
            DecompX: 40.80 .627 92.20  32.64 .703 80.95  57.50 .453 89.84  38.71 .612 66.34
        """,
            ),
            source="Modarressi et al. 2023",
            differs=(
                "The predicted class is explained; 0, 10, … 90 % of the words become [MASK], the "
                "most important first. Integrated gradients (IG) run here from [PAD] in 50 points, "
                "there from zero in 10, and `gradient` is the norm of the slope, theirs (GxI) the norm "
                "of slope times input."
            ),
            unit="accuracy and prediction in % where ours are shares of 1",
        ),
        Protocol(
            key="vitcx-deletion",
            title="Deletion and insertion as ViT-CX measures them",
            data="a folder of pictures",
            methods=(
                "vit_cx",
                "raw_attention",
                "rollout",
                "attn_gradcam",
                "gae",
                "transatt",
                "attcat",
            ),
            metrics=("deletion:by=pixel", "insertion:by=pixel"),
            target=None,
            published={},
            source="the paper's table could not be checked",
            differs=(
                "RISE's curves: pixels of the enlarged map, as many at a time as a row has; deleted "
                "ones become 0 after normalisation, insertion starts from a blur."
            ),
            model="vit",
            modality="image",
        ),
    )
}


def find_protocol(key: str) -> Protocol:
    if key not in PROTOCOLS:
        raise nearest(key, PROTOCOLS, "protocol")
    return PROTOCOLS[key]
