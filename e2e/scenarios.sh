#!/bin/bash
# Runs scenarios on a cluster: scenarios.sh [lab|kind|existing] [NAME|all|every]. NAME is a class without its ending E2E; "all" is what continuous
# integration has the time for, "every" also those that are tagged "long".
# Maven runs outside; only the JVM of the scenarios runs where the cluster can be reached.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/.." && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}
LAB=$HERE/lab/lab
CLUSTER=${1:-lab}
SCENARIO=${2:-all}
export JAVA_HOME=${JAVA_HOME:-$("$HERE/tools/jdk.sh")}
ARGS=${ARGS:-}

step() { printf '\n== %s\n' "$*"; }

# A java that runs inside the lab's client namespace, in a folder that looks like a JDK's home.
lab_jvm() {
  local home=$REPO/e2e/target/lab-jvm
  mkdir -p "$home/bin"
  cp "$JAVA_HOME/release" "$home/"
  printf '#!/bin/sh\nexec "%s" exec-client "%s/bin/java" "$@"\n' "$LAB" "$JAVA_HOME" > "$home/bin/java"
  chmod +x "$home/bin/java"
  echo "$home/bin/java"
}

case $CLUSTER in
  lab)
    step "the lab"
    "$LAB" doctor
    "$LAB" up
    step "images and test guest"
    "$HERE/images/build.sh"
    "$HERE/guest/build.sh"
    "$LAB" load-image "$CACHE"/images/{operator,mirror,qemu}.tar
    step "PairVM, from its chart"
    "$HERE/lab/install-chart.sh"
    kubeconfig=$("$LAB" kubeconfig)
    jvm="-Djvm=$(lab_jvm)"
    ;;
  kind | existing)
    "$HERE/guest/build.sh"
    kubeconfig=${KUBECONFIG:-$HOME/.kube/config}
    [ -f "$kubeconfig" ] || { echo "CLUSTER=$CLUSTER needs a kubeconfig: KUBECONFIG=FILE (no such file: $kubeconfig)" >&2; exit 1; }
    echo "PairVM must be installed there already: helm install pairvm helm/pairvm -n pairvm-system --create-namespace"
    jvm=
    ;;
  *) echo "CLUSTER must be lab, kind or existing, not \"$CLUSTER\"" >&2; exit 1 ;;
esac

step "scenarios: $SCENARIO"
case $SCENARIO in
  all) chosen=-DexcludedGroups=long ;;
  every) chosen= ;;
  *) chosen="-Dit.test=${SCENARIO%E2E}E2E" ;;
esac
cd "$REPO"
# -Dtest=None: the tests that need no cluster are "make test-fast"
exec mvn -B --no-transfer-progress -pl e2e -am -Pe2e verify -Dtest=None -Dsurefire.failIfNoSpecifiedTests=false $jvm $chosen \
  -Dpairvm.cluster="$CLUSTER" -Dpairvm.lab="$LAB" -Dpairvm.guest.image="$CACHE/images/guest.img" -Dpairvm.kubeconfig="$kubeconfig" $ARGS
