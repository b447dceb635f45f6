"""The papers' protocols by name: each a row that fixes what its authors fixed, with the numbers they published."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import Refusal, nearest
from .datasets import Dataset
from .runner import Plan

ATTCAT = ("raw_attention", "rollout", "grads", "attgrads", "partial_lrp", "transatt", "cat", "attcat")
CHEFER = ("rollout", "raw_attention", "attn_gradcam", "lrp", "partial_lrp", "transatt")
CHEN = ("raw_attention", "rollout", "attn_gradcam", "partial_lrp", "gae", "transatt", "beyond_intuition", "beyond_intuition:variant=token")


@dataclass(frozen=True)
class Protocol:
    """How a paper's table is made.

    data         what to give as --data, in words
    methods, metrics, target   as for `measure`; they can be overridden on the command line, except the target
    prompt       of models that match pictures with texts: a sentence for each class, "{}" is its name
    published    {row: {column: number}}, as printed by the authors on their models and data
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
    published: Mapping[str, Mapping[str, object]]
    source: str
    differs: str
    unit: str = ""
    model: str = ""
    sees: str = "text"
    prompt: str = ""

    def plan(self, model: str, dataset: Dataset, **changes) -> Plan:
        """The run of this protocol with a model; changes: methods, metrics, seed, revision, side where the caller wants others."""
        texts = ()
        if self.prompt:
            if not dataset.classes:
                raise Refusal(f"The protocol {self.key} matches pictures with their classes' names, and {dataset.name} has no classes.tsv with names.")
            texts = tuple(self.prompt.format(name) for name in dataset.classes)
        pairs = isinstance(dataset.examples[0].inputs, tuple)
        metrics = tuple(name.replace("reproduce=attcat", "reproduce=attcat-pairs") if pairs else name for name in self.metrics)
        given = {name: value for name, value in changes.items() if value}
        return replace(Plan(model, self.methods, metrics, self.target, texts=texts), **given)

    def note(self) -> str:
        """What a reader of the table must know: the definition, what differs, and the published numbers."""
        columns = list(dict.fromkeys(name for row in self.published.values() for name in row))
        lines = [f"**{self.title}** (`--protocol {self.key}`). Explained: {self.target or 'the predicted class'}. {self.differs}"]
        if self.published:
            lines += ["", f"Published numbers{self.unit and f', {self.unit}'}, on the authors' models and data ({self.source}); ours are below:", "",
                      "| published | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
            lines += [f"| {name} | " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for name, row in self.published.items()]
        else:
            lines += ["", f"No published table is quoted: {self.source}."]
        return "\n".join(lines)


TABLE_1 = "Qiang et al. 2022, Table 1"
AREAS = "areas under the accuracy in %, as `area` is"
PROTOCOLS: dict[str, Protocol] = {one.key: one for one in (
    Protocol(
        "attcat-table1", "AOPC and log-odds of AttCAT's Table 1", "a table of texts, or of pairs, with labels", ATTCAT,
        ("aopc:reproduce=attcat", "logodds:reproduce=attcat"), "label",
        {"SST-2": {"AttCAT": ".371 / -1.319", "CAT": ".352 / -1.115", "TransAtt": ".354 / -1.038", "PartialLRP": ".341 / -.922", "AttGrads": ".351 / -.603",
                   "Grads": ".335 / -.252", "Rollout": ".286 / -.641", "RawAtt": ".331 / -.885"},
         "QQP": {"AttCAT": ".139 / .073", "TransAtt": ".145 / .114"}, "MNLI": {"AttCAT": ".164 / .008"}, "Amazon": {"AttCAT": ".457 / -2.332"},
         "Yelp": {"AttCAT": ".473 / -3.169"}, "IMDB": {"AttCAT": ".528 / -3.671"}},
        f"{TABLE_1}, AOPC / log-odds",
        "As in the authors' notebooks: the label is explained and watched, nine shares from 11 to 100 % of all tokens, specials never taken, |p − p_k|, the "
        "lowest-ranked token always left, texts of fewer than ten tokens left out; of pairs [CLS] and [SEP] can be taken too (`attcat-pairs`). AOPC "
        "deletes and log-odds put [PAD], as the paper says; the notebooks compute both ways. They also close [CLS] and [SEP] to attention while they "
        "explain: that is the option `attcat:mask_specials=true`."),
    Protocol(
        "attcat-kendall", "AttCAT's Kendall τ between classes", "a table of texts, or of pairs, with labels", ATTCAT,
        ("kendall:form=permutation", "kendall"), "label",
        {"AttCAT": {"SST-2": ".018", "QQP": ".349", "MNLI": ".017", "Amazon": ".015", "Yelp": ".008", "IMDB": ".023"}}, "Qiang et al. 2022",
        "The authors correlate the two lists of token positions in falling order (`form=permutation`); the rank correlation of the scores stands beside it."),
    Protocol(
        "attcat-squad", "AttCAT's precision at 20 for answers", "SQuAD's JSON", ATTCAT, ("precision_at_k:k=20",), "answer",
        {"perfect": {"SQuAD 1": "3.72", "SQuAD 2": "3.84"}}, "the length of the answers in Qiang et al. 2022, the most that can be hit",
        "What the model answers is explained (start and end together); counted are the tokens of the gold answer among the top 20 of all tokens, question and "
        "specials included, not divided by 20. Questions without an answer are left out, as the authors did for SQuAD 2.", unit="in tokens",
        model="question-answering"),
    Protocol(
        "chefer-perturbation", "Positive and negative perturbation of Chefer et al.", "a folder of pictures with labels", CHEFER,
        ("positive_perturbation", "negative_perturbation"), None,
        {"rollout": {"negative": 53.1, "positive": 20.05}, "raw attention": {"negative": 45.55, "positive": 23.99},
         "Grad-CAM": {"negative": 41.52, "positive": 34.06}, "LRP": {"negative": 43.49, "positive": 41.94},
         "partial LRP": {"negative": 50.49, "positive": 19.64}, "TransAtt": {"negative": 54.16, "positive": 17.03}},
        "Chefer et al. 2021 (CVPR), Tables 1 and 2, predicted class, by way of an independent replication's report: secondary",
        "The predicted class is explained and accuracy is of the true label; black pixels before normalisation, a tenth at a time, area by trapezoids from "
        "0 to 90 %. The processor of the model resizes here; the authors squash to 224 x 224.", unit=AREAS, model="vit", sees="image"),
    Protocol(
        "chefer-segmentation", "Segmentation of Chefer et al.", "a folder with images/NAME.jpg and masks/NAME.png", CHEFER,
        ("segmentation:at=model:precision=both",), None,
        {"rollout": {"pixel accuracy": 73.54, "mAP": 84.76, "mIoU": 55.42}, "raw attention": {"pixel accuracy": 67.84, "mAP": 80.24, "mIoU": 46.37},
         "Grad-CAM": {"pixel accuracy": 64.44, "mAP": 71.60, "mIoU": 40.82}, "LRP": {"pixel accuracy": 51.09, "mAP": 55.68, "mIoU": 32.89},
         "partial LRP": {"pixel accuracy": 76.31, "mAP": 84.67, "mIoU": 57.94}, "TransAtt": {"pixel accuracy": 79.70, "mAP": 86.03, "mIoU": 61.95}},
        "Chefer et al. 2021 (CVPR), on 4,276 ImageNet pictures, by way of an independent replication's report: secondary",
        "A map's mean is its threshold. Pixel accuracy and mIoU are of all pixels together (`pooled`), precision is a mean over pictures, as in the authors' "
        "code; the means over pictures of the others stand beside them.", unit="in % where ours are shares of 1", model="vit", sees="image"),
    Protocol(
        "beyond-intuition-bert", "Beyond Intuition's text perturbation", "a table of texts with labels, or ERASER's movies", CHEN,
        ("positive_perturbation:fill=pad:attend=false:area=ti", "negative_perturbation:fill=pad:attend=false:area=ti"), "label", {},
        "no table for texts is among what could be checked",
        "The gold class is explained; tokens become [PAD] that nobody attends to, a tenth at a time. The authors count shares of 512 places, padding included; "
        "here shares are of the words.", model="sentiment"),
    Protocol(
        "beyond-intuition-vit", "Beyond Intuition's perturbation of pictures", "a folder of pictures with labels", CHEN,
        ("positive_perturbation:area=ti", "negative_perturbation:area=ti"), None,
        {name: {"positive": positive, "negative": negative} for name, positive, negative in (
            ("raw attention", 24.51, 45.65), ("rollout", 20.45, 53.86), ("Grad-CAM", 34.61, 41.95), ("partial LRP", 20.18, 50.62), ("GAE", 20.95, 48.95),
            ("TransAtt", 17.37, 54.53), ("head-wise", 15.97, 57.13), ("token-wise", 15.89, 57.97))},
        "Chen et al. 2022, ViT-B, predicted class, from public notes on the paper: secondary",
        "As `chefer-perturbation`, with an accuracy of 0 added at 100 %.", unit=AREAS, model="vit", sees="image"),
    Protocol(
        "beyond-intuition-clip", "Beyond Intuition's perturbation of CLIP", "a .zip of pictures beside classes.tsv with their names", CHEN,
        ("positive_perturbation:fill=mean:by=pixel:area=whole", "negative_perturbation:fill=mean:by=pixel:area=whole"), None, {},
        "the paper's CLIP table could not be checked",
        "Zero-shot accuracy with the prompt “a photo of a …”; pixels become 0 after normalisation (the mean colour), a tenth at a time, to 100 %.",
        model="image-text", sees="image", prompt="a photo of a {}"),
    Protocol(
        "eraser-movies", "ERASER's movie rationales, token F1", "ERASER's movies folder", (*CHEFER[:3], "partial_lrp", "transatt", "gae", "cat", "attcat"),
        ("token_f1",), "label", {}, "the authors' table could not be checked",
        "The gold class is explained; a word's score is the highest of its tokens'; F1 of the top 5, 10, … 80 words with all marked words, also those beyond "
        "the model's window, which caps the recall (`gold=read` leaves them out). Negative scores rank last here; the authors clamp them to zero.",
        model="sentiment"),
    Protocol(
        "globenc-spearman", "GlobEnc's Spearman with gradient × input", "a table of texts, or of pairs, with labels",
        tuple(f"globenc:variant={one}" for one in ("W", "W-FixedRes", "W-Res", "N", "N-FixedRes", "N-Res", "N-ResLN", "N-Enc")), ("spearman",), "label",
        {"W": {"SST-2": -0.11, "MNLI": -0.06}, "W-FixedRes": {"SST-2": -0.24, "MNLI": -0.05}, "W-Res": {"SST-2": 0.19, "MNLI": 0.27},
         "N": {"SST-2": 0.44, "MNLI": 0.47}, "N-FixedRes": {"SST-2": 0.48, "MNLI": 0.55}, "N-Res": {"SST-2": 0.73, "MNLI": 0.75},
         "N-ResLN": {"SST-2": -0.21, "MNLI": -0.06}, "N-Enc": {"SST-2": 0.77, "MNLI": 0.78}},
        "Modarressi et al. 2022, BERT-base", "Of the gold class, with [CLS] and [SEP]; texts are not cut at 64 or 128 tokens."),
    Protocol(
        "decompx-faithfulness", "DecompX's AOPC, accuracy and prediction performance", "a table of texts, or of pairs, with labels",
        ("globenc", "globenc:variant=N-Enc+FFN", "alti", "gradient", "integrated_gradients", "decompx"), ("masking", "rationale_accuracy"), None,
        {"GlobEnc": {"accuracy ↓": 67.14, "AOPC ↑": 0.307, "prediction ↑": 72.36}, "GlobEnc+FFN": {"accuracy ↓": 64.90, "AOPC ↑": 0.326, "prediction ↑": 79.01},
         "ALTI": {"accuracy ↓": 57.65, "AOPC ↑": 0.416, "prediction ↑": 88.30},
         "gradient × input": {"accuracy ↓": 66.69, "AOPC ↑": 0.310, "prediction ↑": 67.20},
         "integrated gradients": {"accuracy ↓": 64.48, "AOPC ↑": 0.340, "prediction ↑": 64.56},
         "DecompX": {"accuracy ↓": 40.80, "AOPC ↑": 0.627, "prediction ↑": 92.20}},
        "Modarressi et al. 2023, SST-2",
        "The predicted class is explained; 0, 10, … 90 % of the words become [MASK], the most important first. Integrated gradients run here from [PAD] in 50 "
        "points, there from zero in 10, and `gradient` is the norm of the slope, theirs the norm of slope times input.",
        unit="accuracy and prediction in % where ours are shares of 1"),
    Protocol(
        "vitcx-deletion", "Deletion and insertion as ViT-CX measures them", "a folder of pictures",
        ("vit_cx", "raw_attention", "rollout", "attn_gradcam", "gae", "transatt", "attcat"),
        ("deletion:by=pixel", "insertion:by=pixel"), None, {}, "the paper's table could not be checked",
        "RISE's curves: pixels of the enlarged map, as many at a time as a row has; deleted ones become 0 after normalisation, insertion starts from a blur.",
        model="vit", sees="image"),
)}


def find_protocol(key: str) -> Protocol:
    if key not in PROTOCOLS:
        raise nearest(key, PROTOCOLS, "protocol")
    return PROTOCOLS[key]
