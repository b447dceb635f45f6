"""Do maps find the object?

Average precision by pixel on photos with masks, beside what knowing nothing of the photo gives.

    python benchmarks/segmentation.py --model MODEL --data FOLDER [--limit 100]

FOLDER holds images/NAME.jpg and masks/NAME.png, as ECSSD does. MODEL is a classifier of pictures;
the class explained is the one that it predicts. Every map is enlarged to the photo, and its average
precision at telling the object's pixels from the others is taken, as `explainers.evaluation`
measures it. The centre prior falls from the middle of the photo towards its edges; a fair coin gets
the object's share of the pixels.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

import explainers as ex
from explainers import evaluation as ev
from explainers.evaluation.localisation import seen_mask

METHODS = [
    "gae",
    "legrad",
    "transatt",
    "attcat",
    "grad_cam",
    "beyond_intuition",
    "rollout",
    "raw_attention",
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100)
    args = parser.parse_args()
    model = ex.load(args.model)
    photos = sorted((args.data / "images").glob("*.jpg"))[: args.limit]
    found = {name: [] for name in (*METHODS, "centre prior", "a fair coin")}
    for done, photo in enumerate(photos, 1):
        mask = np.asarray(Image.open(args.data / "masks" / f"{photo.stem}.png").convert("L")) > 127
        case = ev.case_of(model, ev.Example(photo, data={"mask": mask}))
        seen = seen_mask(case, mask)
        if not seen.any() or seen.all():
            continue
        for name, key in (*((name, name) for name in METHODS), ("centre prior", "centre")):
            found[name].append(
                ev.METRICS["segmentation"].measure(case, case.heat(key))["average_precision"]
            )
        found["a fair coin"].append(seen.mean())
        if done % 10 == 0:
            print(f"{done}/{len(photos)}", file=sys.stderr, flush=True)
    print(
        f"| {len(found['gae'])} photos, {Path(model.name).name} | average precision by "
        "pixel | below GAE on the same photos (± one standard error) |"
    )
    print("|---|---|---|")
    for name, values in found.items():
        print(
            f"| {name} | {np.mean(values):.3f} | "
            f"{said(np.subtract(found['gae'], values)) if name != 'gae' else ''} |"
        )


def said(differences: np.ndarray) -> str:
    """Mean and standard error."""
    return f"{differences.mean():.3f} ± {differences.std(ddof=1) / np.sqrt(len(differences)):.3f}"


if __name__ == "__main__":
    main()
