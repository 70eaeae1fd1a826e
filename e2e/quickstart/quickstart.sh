#!/bin/bash
# From nothing to a protected machine whose host dies. Non-interactive; may be run again and again.
# Everything it starts stays up afterwards, but for the disk image server; `make lab-down` ends the cluster.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}
LAB=$REPO/e2e/lab/lab
NAMESPACE=quickstart
GUEST=10.79.100.1
CLIENT=10.77.0.11
PORT=8077
BEGAN=$SECONDS
STEP_BEGAN=$SECONDS
STEPS=()

k() { "$LAB" kubectl "$@"; }
client() { "$LAB" exec-client "$@"; }

# step NAME: closes the step before and opens a new one, so that the times can be told at the end
step() {
  [ -z "${STEP:-}" ] || STEPS+=("$(printf '%6ss  %s' $((SECONDS - STEP_BEGAN)) "$STEP")")
  STEP=$1
  STEP_BEGAN=$SECONDS
  [ "$1" = end ] || printf '\n\033[1m== %s\033[0m\n' "$1"
}

die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# until SECONDS WHAT COMMAND...: waits for the command to succeed
until_true() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    if [ $SECONDS -ge "$limit" ]; then
      k -n "$NAMESPACE" get pvm,pods,events >&2 || true
      die "$what did not happen in time"
    fi
    sleep 0.2
  done
}

field() { k -n "$NAMESPACE" get pvm orders -o "jsonpath=$1"; }

# guest PORT LINE: the guest's first answer
guest() {
  client timeout 15 bash -c 'exec 3<>/dev/tcp/'"$GUEST"'/'"$1"'; [ -z "'"$2"'" ] || echo "'"$2"'" >&3; while read -r line <&3; do case $line in HELLO*) ;; *) echo "$line"; exit;; esac; done'
}

announced() { guest 7003 ""; }
verify_from() { client timeout 60 bash -c 'exec 3<>/dev/tcp/'"$GUEST"'/7004; echo "verify '"$1"'" >&3; while read -r line <&3; do case $line in OK*|FAIL*) echo "$line"; exit;; esac; done'; }

serve_image() {
  client "$(command -v busybox)" httpd -f -p "$CLIENT:$PORT" -h "$CACHE/images" &
  SERVER=$!
  trap 'kill "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true' EXIT
}

step "what this machine lacks"
"$LAB" doctor

step "cluster binaries (built once, then cached)"
"$LAB" tools

step "container images and test guest (built once, then cached)"
"$REPO/e2e/images/build.sh"
"$REPO/e2e/guest/build.sh"

step "a cluster of three nodes on this machine"
"$LAB" up
"$LAB" load-image "$CACHE"/images/{operator,mirror,qemu}.tar

step "PairVM, from its chart"
"$REPO/e2e/lab/install-chart.sh"

step "a protected machine"
k create namespace "$NAMESPACE" --dry-run=client -o yaml | k apply -f - > /dev/null
serve_image
sed -e "s|@URL@|http://$CLIENT:$PORT/guest.img|" -e "s|@SHA256@|$(cut -d' ' -f1 "$CACHE/images/guest.img.sha256")|" \
  "$HERE/orders.yaml" | k -n "$NAMESPACE" apply -f -
k -n "$NAMESPACE" wait --for=condition=Ready pvm/orders --timeout=300s
k -n "$NAMESPACE" wait --for=condition=InSync pvm/orders --timeout=300s
until_true 90 "the guest's write log" announced
k -n "$NAMESPACE" get pvm orders
k -n "$NAMESPACE" get pods -o wide

step "its host dies"
active=$(field '{.status.active.node}')
standby=$(field '{.status.standby.node}')
before=$(announced)
echo "The guest on $active has written, flushed and announced record $before. Killing every process of $active now."
killed=$(date +%s%3N)
"$LAB" kill-node "$active"
until_true 120 "the guest's return on $standby" announced
back=$(($(date +%s%3N) - killed))
after=$(announced)
echo "The guest is back on $standby after $((back / 1000)).$(printf %03d $((back % 1000))) s (under software emulation) and announces record $after."
verdict=$(verify_from "$before")
echo "It reads its log back from the disk: $verdict"
case $verdict in OK*) ;; *) die "a record that was announced is missing" ;; esac
until_true 60 "the status naming $standby" sh -c "[ \"\$('$LAB' kubectl -n $NAMESPACE get pvm orders -o jsonpath='{.status.active.node}')\" = $standby ]"
echo "What the machine says of it: $(field '{.status.lastFailover}')"

step "the host comes back"
"$LAB" start-node "$active"
k -n "$NAMESPACE" wait --for=condition=Redundant pvm/orders --timeout=300s
k -n "$NAMESPACE" get pvm orders

step end
printf '\nTimes:\n'
printf '%s\n' "${STEPS[@]}"
cat <<T

The cluster is up, the machine is protected again ($((SECONDS - BEGAN)) s in all). Try:
  e2e/lab/lab kubectl -n $NAMESPACE get pvm -w                         # watch it
  e2e/lab/lab exec-client bash -c 'cat < /dev/tcp/$GUEST/7003'         # listen to the guest's write log
  make lab-kill-node N=$standby                                            # kill the other host; make lab-start-node N=$standby
  make lab-cut N=$active NETWORK=mirror                                   # cut the mirror network; make lab-heal ...
  e2e/lab/lab kubectl -n $NAMESPACE edit pvm orders                     # change spec.level while it runs
  make e2e SCENARIO=HostLossL2                                         # a scenario with its checks
  make lab-down                                                        # end all of it
T
