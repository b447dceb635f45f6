"""Chen et al. 2022 (Beyond Intuition): perturbation of texts, of pictures, and of CLIP."""

from .chefer import AREAS
from .protocol import Protocol
from .published import printed

OURS = ("beyond_intuition", "beyond_intuition:variant=token")

PERTURBED = """
raw attention: 24.51 45.65
rollout: 20.45 53.86
Grad-CAM: 34.61 41.95
partial LRP: 20.18 50.62
GAE: 20.95 48.95
TransAtt: 17.37 54.53
head-wise: 15.97 57.13
token-wise: 15.89 57.97
"""

TEXTS = Protocol(
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
        *OURS,
    ),
    metrics=(
        "positive_perturbation:fill=pad:attend=false:area=ti",
        "negative_perturbation:fill=pad:attend=false:area=ti",
    ),
    target="label",
    source="no table for texts is among what could be checked",
    differs=(
        "The gold class is explained. Tokens become [PAD], which cannot be attended to, a tenth at "
        "a time. The authors count shares of 512 places, padding included; here they are shares of "
        "the words. As in their code, GAE and TransAtt are of the last layer alone, TransAtt with "
        "the older rules."
    ),
    model="sentiment",
)

VIT = Protocol(
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
        *OURS,
    ),
    metrics=("positive_perturbation:area=ti", "negative_perturbation:area=ti"),
    target=None,
    published=printed(("ImageNet",), ("positive", "negative"), PERTURBED),
    source="Chen et al. 2022, ViT-B, predicted class, from public notes on the paper: secondary",
    differs=(
        "As `chefer-perturbation`, with an accuracy of 0 added at 100 %. As in the authors' "
        "evaluation, rollout, TransAtt and GAE leave the first block out, and Partial LRP has the "
        "rules of TransAtt. Their GAE takes the relu after the mean over heads, unlike its paper; "
        "here it is as in the paper."
    ),
    unit=AREAS,
    model="vit",
    modality="image",
)

CLIP = Protocol(
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
        *OURS,
    ),
    metrics=(
        "positive_perturbation:fill=mean:by=pixel:area=whole",
        "negative_perturbation:fill=mean:by=pixel:area=whole",
    ),
    target=None,
    source="the paper's CLIP table could not be checked",
    differs=(
        "Zero-shot accuracy with the prompt “a photo of a …”. Pixels become 0 after normalisation "
        "(the mean colour), a tenth at a time, to 100 %. Which other methods the authors compared, "
        "and how, could not be checked."
    ),
    model="image-text",
    modality="image",
    prompt="a photo of a {}",
)
