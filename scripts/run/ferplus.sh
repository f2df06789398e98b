#!/bin/sh
# From raw FER+ to a folder of models like the shipped one, its trust table, its evaluation and the study's report.
#
#   sh scripts/run/ferplus.sh FERPLUS OUT [PRESET] [COVERED.csv PHOTOS LOOKED_AT.csv]
#
# FERPLUS   folder or zip of FER+ in Microsoft's layout with its pictures
# OUT       gets caches, trainings, models, results and report; the same call goes on after any interruption
# PRESET    cpu (default), default, paper or quick: what the study trains (docs/study.md)
# the rest  covered faces looked at by eye, photos with real masks and validation faces looked at by eye, which the one
#           network learns from (docs/training.md). Without them the models are the seven VGGs and the DenseNet.
#
# Cost on the two cores of the project's machine without a GPU (docs/study.md, docs/LOG.md):
#   finding faces   8 min with the mesh; 1 h 40 min with dlib (its own estimate on one busy core)
#   study           quick 1 min, cpu 5 h alone (12.6 core-hours), default 119 h, paper 494 h at most
#   one network     13 epochs at 112 pixels more
#
# It makes models of the same kind, not the shipped files to the byte: these went on from runs that are gone
# (docs/training.md names them).
set -eu
FERPLUS=$1 OUT=$2 PRESET=${3:-cpu} COVERED=${4:-} PHOTOS=${5:-} LOOKED_AT=${6:-}
mkdir -p "$OUT"

# 1. Is it all there? Exit code 3 where something is missing; the counts stand beside the paper's.
mien data check ferplus "$FERPLUS"

# 2. Faces: by dlib for the published study, by the mesh for the one network.
mien data prepare ferplus "$FERPLUS" --detector dlib --out "$OUT/dlib"
mien data prepare ferplus "$FERPLUS" --out "$OUT/mesh"
DLIB=$(echo "$OUT"/dlib/ferplus-*) MESH=$(echo "$OUT"/mesh/ferplus-*)

# 3. The study: every training of the preset, every table and figure.
mien study --cache "$DLIB" --preset "$PRESET" --runs "$OUT/runs" --out "$OUT/study" --no-faces

# 4. The seven VGGs and the last visualisation network, in ONNX.
for AREA in mouth nose eyes nose_mouth nose_eyes mouth_eyes whole_face; do
  RUN=$(ls -d "$OUT"/runs/vgg-$AREA-seed0-*/ | head -n 1)
  mien export "$RUN" --cache "$DLIB" --out "$OUT/models"
done
RUN=$(ls -td "$OUT"/runs/densenet-whole_face-seed0-*/ | head -n 1)
mien export "$RUN" --cache "$DLIB" --out "$OUT/models"

# 5. Trust, fitted on validation, checked on test; evaluation on the test split, which chose nothing.
mien calibrate --cache "$DLIB" --models "$OUT/models" --out "$OUT/models" --results "$OUT/trust"
mien evaluate --cache "$DLIB" --models "$OUT/models" --network vgg --out "$OUT/evaluation_vgg.json"
mien cards "$OUT/evaluation_vgg.json" --models "$OUT/models" --out "$OUT/cards"
mien study --report-from "$OUT/study" --evaluation "$OUT/evaluation_vgg.json"
mien trust --models "$OUT/models"

# 6. The one network, where there are covered faces to learn from.
[ -n "$COVERED" ] || exit 0
mien train --cache "$MESH" --network resnet --epochs 13 --side 112 --covered "$COVERED" --photos "$PHOTOS" --runs "$OUT/runs"
RUN=$(ls -td "$OUT"/runs/resnet-*/ | head -n 1)
mien export "$RUN" --cache "$MESH" --out "$OUT/models" --covered "$COVERED" --photos "$PHOTOS" --looked-at "$LOOKED_AT"
python "$(dirname "$0")/best_of_areas.py" "$MESH" --models "$OUT/models" --take
mien calibrate --cache "$MESH" --models "$OUT/models" --out "$OUT/models" --results "$OUT/trust"
mien evaluate --cache "$MESH" --models "$OUT/models" --out "$OUT/evaluation.json"
mien study --report-from "$OUT/study" --evaluation "$OUT/evaluation_vgg.json" --evaluation "$OUT/evaluation.json"
mien trust --models "$OUT/models"
