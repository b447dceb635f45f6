"""Qiang et al. 2022 (AttCAT): AOPC and log-odds, Kendall's τ, precision at 20."""

from .protocol import Protocol
from .published import printed

METHODS = (
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
DATASETS = ("SST-2", "QQP", "MNLI", "Amazon", "Yelp", "IMDB")
TEXTS = "a table of texts, or of pairs, with labels"

PUBLISHED_1 = """
RawAtt:     0.331 -0.885  0.143  0.149  0.138  0.235  0.384 -1.729  0.394 -2.017  0.298 -1.245
Rollout:    0.286 -0.641  0.139  0.262  0.151  0.321  0.324 -1.303  0.277 -1.055  0.331 -1.323
Grads:      0.335 -0.252  0.141  0.184  0.156  0.139  0.316 -1.820  0.414 -1.994  0.304 -1.227
AttGrads:   0.351 -0.603  0.143  0.113  0.159  0.114  0.346 -1.941  0.439 -2.054  0.310 -1.267
PartialLRP: 0.341 -0.922  0.142  0.137  0.138  0.231  0.418 -2.019  0.424 -2.199  0.312 -1.321
TransAtt:   0.354 -1.038  0.145  0.114  0.130  0.214  0.415 -1.889  0.434 -2.508  0.421 -2.137
CAT:        0.352 -1.115  0.134  0.121  0.157  0.121  0.409 -2.157  0.421 -2.587  0.406 -3.052
AttCAT:     0.371 -1.319  0.139  0.073  0.164  0.008  0.457 -2.332  0.473 -3.169  0.528 -3.671
"""

PUBLISHED_2 = """
Grads:       0.150  0.236  0.169  0.146  0.174  0.098
AttGrads:    0.116  0.198  0.156  0.148  0.132  0.064
PartialLRP:  0.955  0.949  0.935  0.965  0.952  0.858
TransAtt:    0.336  0.222  0.339  0.152  0.121  0.043
CAT:         0.101  0.373  0.339  0.095  0.107  0.056
AttCAT:      0.018  0.349  0.017  0.015  0.008  0.023
"""

TABLE_1 = Protocol(
    key="attcat-table1",
    title="AOPC and log-odds of AttCAT's Table 1",
    data=TEXTS,
    methods=METHODS,
    metrics=("aopc:reproduce=attcat", "logodds:reproduce=attcat"),
    target="label",
    published=printed(DATASETS, ("AOPC ↑", "log-odds ↓"), PUBLISHED_1),
    source="Qiang et al. 2022, Table 1",
    differs=(
        "As in the authors' notebooks, the probability of the label is measured, as |p − p_k|, at "
        "nine shares from 11 to 100 % of all tokens. Special tokens are never removed, the "
        "lowest-ranked token always stays, and texts of fewer than ten tokens are left out. In the "
        "maps of raw attention, rollout, Partial LRP and TransAtt the notebooks set [CLS] to zero "
        "before they rank, so that the token that stays is [CLS] and not a word; so it is here. "
        "In pairs [CLS] and [SEP] can be removed too (`attcat-pairs`). AOPC deletes tokens and "
        "log-odds replaces them by [PAD], as the paper says; the notebooks compute both ways. "
        "While they explain, the notebooks mask [CLS] and [SEP] in the attention. AttCAT has a row "
        "for each setting; `attcat:mask_specials=true` is theirs. The other rows are explained "
        "with the model's own attention, where the notebooks mask it too. CAT, Grads and AttGrads "
        "are not in the notebooks, which have Attention Grad-CAM instead; these rows follow the "
        "paper, and [CLS] keeps its score."
    ),
)

KENDALL = Protocol(
    key="attcat-kendall",
    title="AttCAT's Kendall τ between classes",
    data=TEXTS,
    methods=METHODS,
    metrics=("kendall:form=permutation", "kendall"),
    target="label",
    published=printed(DATASETS, ("Kendall's τ ↓",), PUBLISHED_2),
    source="Qiang et al. 2022, Table 2",
    differs=(
        "The authors correlate the two lists of token positions in falling order, with [CLS] at "
        "zero in the same maps as in `attcat-table1` (`form=permutation`). The rank correlation of "
        "the scores stands beside it. Raw attention and rollout do not depend on the class, so "
        "their maps are the same for both; the authors leave them out. "
        "`attcat:mask_specials=true` masks [CLS] and [SEP] in the attention, as the notebooks do "
        "for every method."
    ),
)

SQUAD = Protocol(
    key="attcat-squad",
    title="AttCAT's precision at 20 for answers",
    data="SQuAD's JSON",
    methods=METHODS,
    metrics=("precision_at_k:k=20", "precision_at_k:k=20:ends=absolute"),
    target="answer",
    published=printed(("SQuAD 1", "SQuAD 2"), ("tokens",), "perfect: 3.72 3.84"),
    source="the length of the answers in Qiang et al. 2022, the most that can be hit",
    differs=(
        "The predicted answer is explained, start and end together. The number is how many tokens "
        "of the gold answer are among the top 20 of all tokens, question and special tokens "
        "included, not divided by 20. This is the authors' notebook for SQuAD 1. Their notebook "
        "for SQuAD 2 adds the absolute maps of start and end (`ends=absolute`) and leaves out "
        "questions without an answer, as is done here. Both mask [CLS] and [SEP] in the attention "
        "while they explain (`attcat:mask_specials=true`), and give the model no segments. Their "
        "raw attention is that of the last token, averaged over all layers, and their rollout "
        "multiplies nothing; here both are as in their papers."
    ),
    unit="in tokens",
    model="question-answering",
)
