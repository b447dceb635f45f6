#!/usr/bin/env bash
# Every table of docs/results, by the command that makes it:  DATA=FOLDER DEIT=FOLDER benchmarks/protocols.sh [NAME ...]
# DATA holds SST-2, the pairs, reviews, ERASER's movies, SQuAD, ECSSD and pictures with labels, each under the name in its command; DEIT is a
# DeiT-Tiny in Hugging Face layout. A run that was stopped goes on from its shards in runs/protocols. About two hours on two CPU cores.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-.venv/bin/python}"
mkdir -p docs/results runs/protocols

table() {       # table NAME arguments of evaluate...
  local name=$1; shift
  if [ ${#wanted[@]} -gt 0 ] && [[ ! " ${wanted[*]} " == *" $name "* ]]; then return; fi
  "$python" -m explainers evaluate "$@" --out "runs/protocols/$name" > "runs/protocols/$name.log" 2>&1 || { tail -3 "runs/protocols/$name.log"; exit 1; }
  { cat "runs/protocols/$name/table.md"; echo; echo "Made by \`python -m explainers evaluate ${*//$DATA/DATA}\`."; } | sed "s#${DEIT:-DEIT}#DEIT#g" > "docs/results/$name.md"
  echo "$name done"
}

wanted=("$@")
sst2=(--data "$DATA/sst2/dev.tsv" --columns text,label)
mnli=(--data "$DATA/pairs/MNLI_dev.tsv" --model inference)
qqp=(--data "$DATA/pairs/QQP_dev.tsv" --model paraphrase)
yelp=(--data "$DATA/reviews/yelp_review_test.json" --labels polarity)
amazon=(--data "$DATA/reviews/amazon_review_test.json" --labels polarity)
imdb=(--data "$DATA/imdb/test_2000.jsonl.gz")
methods_for() { "$python" -c "import explainers as ex; print(','.join(key for key, one in ex.METHODS.items() if '$1' in one.modalities))"; }

table globenc-sst2 "${sst2[@]}" --protocol globenc-spearman
table globenc-mnli "${mnli[@]}" --protocol globenc-spearman
table kendall-sst2 "${sst2[@]}" --protocol attcat-kendall
table kendall-qqp "${qqp[@]}" --protocol attcat-kendall --limit 500
table kendall-mnli "${mnli[@]}" --protocol attcat-kendall --limit 500
table table1-sst2 "${sst2[@]}" --protocol attcat-table1
table squad --data "$DATA/squad/articles_0_13.json" --model question-answering --protocol attcat-squad --limit 400
table eraser-movies --data "$DATA/eraser_movies" --protocol eraser-movies
table table1-mnli "${mnli[@]}" --protocol attcat-table1 --limit 300
table table1-qqp "${qqp[@]}" --protocol attcat-table1 --limit 300
table segmentation-ecssd --data "$DATA/ecssd" --model "$DEIT" --protocol chefer-segmentation \
  --methods rollout:start=1,raw_attention,attn_gradcam,lrp:rules=original,partial_lrp:rules=original,transatt:start=1,gae
table clip-tinyimagenet --data "$DATA/tinyimagenet50/val.zip" --protocol beyond-intuition-clip --limit 500
table perturbation-imagenet --data "$DATA/imagenet_sample" --model "$DEIT" --protocol chefer-perturbation --limit 200
table decompx-sst2 "${sst2[@]}" --protocol decompx-faithfulness --limit 300
table kendall-yelp "${yelp[@]}" --protocol attcat-kendall --limit 200
table kendall-amazon "${amazon[@]}" --protocol attcat-kendall --limit 200
table kendall-imdb "${imdb[@]}" --protocol attcat-kendall --limit 200
table table1-yelp "${yelp[@]}" --protocol attcat-table1 --limit 200
table table1-amazon "${amazon[@]}" --protocol attcat-table1 --limit 200
table table1-imdb "${imdb[@]}" --protocol attcat-table1 --limit 200
table beyond-intuition-imagenet --data "$DATA/imagenet_sample" --model "$DEIT" --protocol beyond-intuition-vit --limit 100
table vitcx-tinyimagenet --data "$DATA/tinyimagenet50/val.zip" --model vit --protocol vitcx-deletion --limit 100
table beyond-intuition-sst2 "${sst2[@]}" --protocol beyond-intuition-bert --limit 300
for planted in planted-and planted-not; do table "$planted" --data "$planted" --methods "$(methods_for text)" --metrics planted; done
for planted in planted-corner planted-object; do table "$planted" --data "$planted" --methods "$(methods_for image),vit_cx:offset=true" --metrics planted --limit 100; done

if [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" segmentation-precision "* ]]; then
  { "$python" benchmarks/segmentation.py --model "$DEIT" --data "$DATA/ecssd" --limit 300
    echo; echo "Every map is enlarged to the photo; the class explained is the predicted one. A fair coin gets the object's share of the pixels."
    echo; echo "Made by \`python benchmarks/segmentation.py --model DEIT --data DATA/ecssd --limit 300\`."; } > docs/results/segmentation-precision.md
  echo "segmentation-precision done"
fi
