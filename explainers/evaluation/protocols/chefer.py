"""Chefer et al. 2021 (CVPR): perturbation and segmentation of pictures, ERASER's rationales."""

from .protocol import Protocol
from .published import printed

#: In their evaluation the authors leave the first block out of rollout and TransAtt, and use the
#: older rules for their two baselines of relevance.
METHODS = (
    "rollout:start=1",
    "raw_attention",
    "attn_gradcam",
    "lrp:rules=original",
    "partial_lrp:rules=original",
    "transatt:start=1",
)

#: Their code for texts uses the older rules for TransAtt too, and of TransAtt the last layer alone.
METHODS_FOR_TEXTS = (
    "rollout",
    "raw_attention",
    "attn_gradcam",
    "partial_lrp:rules=original",
    "transatt:start=-1:rules=original",
)

PERTURBED = """
rollout: 53.1 20.05
raw attention: 45.55 23.99
Grad-CAM: 41.52 34.06
LRP: 43.49 41.94
partial LRP: 50.49 19.64
TransAtt: 54.16 17.03
"""

SEGMENTED = """
rollout: 73.54 84.76 55.42
raw attention: 67.84 80.24 46.37
Grad-CAM: 64.44 71.60 40.82
LRP: 51.09 55.68 32.89
partial LRP: 76.31 84.67 57.94
TransAtt: 79.70 86.03 61.95
"""

#: The unit of published areas.
AREAS = "areas under the accuracy in %, as `area` is"

PERTURBATION = Protocol(
    key="chefer-perturbation",
    title="Positive and negative perturbation of Chefer et al.",
    data="a folder of pictures with labels",
    methods=METHODS,
    metrics=("positive_perturbation", "negative_perturbation"),
    target=None,
    published=printed(("ImageNet",), ("negative", "positive"), PERTURBED),
    source=(
        "Chefer et al. 2021 (CVPR), Tables 1 and 2, predicted class, by way of an independent "
        "replication's report: secondary"
    ),
    differs=(
        "The predicted class is explained, and the accuracy is that of the true label. Pixels "
        "become black before normalisation, a tenth at a time, and the area is by trapezoids from "
        "0 to 90 %. As in the authors' evaluation, rollout and TransAtt leave the first block out, "
        "and LRP and Partial LRP have the older rules. LRP ends at the patches here; theirs "
        "goes on to the pixels. Here the model's processor resizes; the authors squash to "
        "224 x 224."
    ),
    unit=AREAS,
    model="vit",
    modality="image",
)

SEGMENTATION = Protocol(
    key="chefer-segmentation",
    title="Segmentation of Chefer et al.",
    data="a folder with images/NAME.jpg and masks/NAME.png",
    methods=METHODS,
    metrics=("segmentation:at=model:precision=both",),
    target=None,
    published=printed(("ImageNet-Segmentation",), ("pixel accuracy", "mAP", "mIoU"), SEGMENTED),
    source=(
        "Chefer et al. 2021 (CVPR), 4,276 pictures, by way of an independent replication's "
        "report: secondary"
    ),
    differs=(
        "Pixels above the mean of a map count as object. As in the authors' code, pixel accuracy "
        "and mIoU are those of all pixels together (`pooled`), and the precision is a mean over "
        "pictures. The means over pictures of the others stand beside them. Methods as in "
        "`chefer-perturbation`."
    ),
    unit="in % where ours are shares of 1",
    model="vit",
    modality="image",
)

ERASER_MOVIES = Protocol(
    key="eraser-movies",
    title="ERASER's movie rationales, token F1",
    data="ERASER's movies folder",
    methods=(*METHODS_FOR_TEXTS, "transatt", "gae", "cat", "attcat"),
    metrics=("token_f1",),
    target="label",
    source="the authors' table could not be checked",
    differs=(
        "The gold class is explained. A word's score is the highest of its tokens' scores. The F1 "
        "compares the top 5, 10, … 80 words with all marked words, also with those that the "
        "model does not read, which limits the recall (`gold=read` leaves them out). Negative "
        "scores rank last here; the authors clamp them to zero. As in the code of Chefer et al., "
        "TransAtt is of the last layer alone, and it and Partial LRP have the older rules; "
        "`transatt` is the method of the paper. GAE, CAT and AttCAT were published later."
    ),
    model="sentiment",
)
