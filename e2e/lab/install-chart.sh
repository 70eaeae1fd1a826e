#!/bin/bash
# Installs or upgrades PairVM from its chart on the lab and waits until the operator is ready. Idempotent.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
LAB=$HERE/lab
HELM=${PAIRVM_CACHE:-$HOME/.cache/pairvm}/lab/bin/helm
# The image tag is always the same here, so pods of an older build are told apart by what the images hold.
BUILD=$(cat "${PAIRVM_CACHE:-$HOME/.cache/pairvm}"/images/{operator,mirror,qemu}.tar.key | sha256sum | cut -c1-12)
"$LAB" exec-client "$HELM" upgrade --install pairvm "$REPO/helm/pairvm" --kubeconfig "$("$LAB" kubeconfig)" \
  --namespace pairvm-system --create-namespace --set-string "podAnnotations.pairvm\.dev/build=$BUILD" > /dev/null
"$LAB" kubectl -n pairvm-system rollout status deployment/pairvm-operator --timeout=180s
