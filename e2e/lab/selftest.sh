#!/bin/bash
# The lab's own test, in a lab of its own: what scenarios rely on is true. Each check names what it shows.
# Writes a JUnit report beside those of the scenarios. KEEP=1 leaves the lab up for a look.
set -u
export PAIRVM_LAB=${PAIRVM_LAB:-pairvm-selftest}
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/settings.sh"
LABDIR=$LAB LAB=$HERE/lab
REPORT=$HERE/../target/failsafe-reports/TEST-dev.pairvm.e2e.Lab.xml
CASES="" COUNT=0 FAILED=0 ABORT=

# check NAME COMMAND... : one test case
check() {
  local name=$1 began out; shift
  began=$(date +%s%N); COUNT=$((COUNT + 1))
  if [ -z "$ABORT" ] && out=$("$@" 2>&1); then
    printf '  ok    %s\n' "$name"; CASES="$CASES<testcase classname=\"dev.pairvm.e2e.Lab\" name=\"$name\" time=\"$(seconds_since "$began")\"/>"
  else
    FAILED=$((FAILED + 1)); out=${ABORT:-$out}
    printf '  FAIL  %s\n%s\n' "$name" "$(echo "$out" | tail -5 | sed 's/^/          /')"
    CASES="$CASES<testcase classname=\"dev.pairvm.e2e.Lab\" name=\"$name\" time=\"$(seconds_since "$began")\"><failure>$(echo "$out" | tail -20 | sed 's/&/\&amp;/g; s/</\&lt;/g')</failure></testcase>"
  fi
}
seconds_since() { awk -v a="$1" -v b="$(date +%s%N)" 'BEGIN {printf "%.1f", (b - a) / 1e9}'; }
k() { "$LAB" kubectl "$@"; }
eventually() { local end=$(($(date +%s) + $1)); shift; until "$@" > /dev/null 2>&1; do [ "$(date +%s)" -lt $end ] || { echo "not in time: $*"; "$@"; return 1; }; sleep 0.2; done; }
not() { ! "$@"; }
equal() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }

# ---- the probe: one pod per node with every network; commands run in its network namespace through the node, not through the API.
probe_ip() { k get pods -l app=probe --field-selector "spec.nodeName=$1" -o jsonpath='{.items[0].status.podIP}'; }
mirror_ip() { in_probe "$1" ip -4 -o addr show net2 | awk '{sub("/.*", "", $4); print $4}'; }
lan_ip() { echo "10.79.50.${1#n}"; }
in_probe() { local n=$1; shift; "$LAB" exec-node "$n" sh -c 'for f in /run/netns/*; do if nsenter --net=$f ip -4 -o addr show eth0 2> /dev/null | grep -q "10\.78\." && nsenter --net=$f ip link show net2 > /dev/null 2>&1; then exec nsenter --net=$f "$@"; fi; done; echo no probe here; exit 1' sh "$@"; }
ping_from() { local n=$1; shift; in_probe "$n" busybox ping -c 1 -W 1 "$@"; }
tcp_from() { in_probe "$1" busybox timeout 2 busybox nc "$2" "$3" < /dev/null; }      # connects and leaves
fetch_from() { in_probe "$1" curl -sf -m 3 "http://$2/"; }
all_pairs() { local a b; for a in $NODES; do for b in $NODES; do [ "$a" = "$b" ] || eventually 5 "$1" "$a" "$b" || return 1; done; done; }
pod_pair() { ping_from "$1" "$(probe_ip "$2")"; }
lan_pair() { ping_from "$1" "$(lan_ip "$2")"; }
mirror_pair() { ping_from "$1" "$(mirror_ip "$2")"; }
lan_addresses() { local n; for n in $NODES; do in_probe "$n" ip addr replace "$(lan_ip "$n")/16" dev net1 || return 1; done; }
api_from() { tcp_from "$1" $API_SERVICE_IP 443; }

probes_run() { k rollout status daemonset/probe --timeout=90s; }
status_annotation() {
  local text; text=$(k get pods -l app=probe --field-selector spec.nodeName=n1 -o jsonpath='{.items[0].metadata.annotations.k8s\.v1\.cni\.cncf\.io/network-status}')
  equal "$(echo "$text" | jq -r 'map(.name + " " + .interface) | join(", ")')" "pairvm-pods eth0, default/lan net1, default/mirror-net net2" || return 1
  equal "$(echo "$text" | jq -r '.[2].ips[0]')" "$(mirror_ip n1)"
}
services() { # from a pod to whatever pod the service chooses, its own node's included
  local ip i n; ip=$(k get service probe -o jsonpath='{.spec.clusterIP}')
  for n in $NODES; do for i in 1 2 3 4 5 6; do eventually 10 fetch_from "$n" "$ip" || return 1; done; done
}

# A guest's frames carry a MAC that no interface of the pod has: a bridge in the pod, and a station behind it.
foreign_mac() {
  in_probe n1 sh -ec 'ip link add gbr type bridge; ip link set gbr up; ip addr flush dev net1; ip link set net1 master gbr
    ip netns add guest-$$; ip link add gtap type veth peer name eth0 netns guest-$$; ip link set gtap master gbr up
    ip -n guest-$$ link set eth0 address 52:54:00:aa:00:01; ip -n guest-$$ addr add 10.79.50.99/16 dev eth0; ip -n guest-$$ link set eth0 up' || return 1
  eventually 5 ping_from n2 10.79.50.99 && "$LAB" exec-client busybox ping -c 1 -W 1 10.79.50.99 && "$LAB" exec-client ip neigh show 10.79.50.99 | grep -q 52:54:00:aa:00:01
}
capture() {
  local f pid; f=$(mktemp)
  "$LAB" capture-lan "$f" 2> /dev/null & pid=$!
  sleep 1; "$LAB" exec-client busybox ping -c 1 -W 1 "$(lan_ip n3)" > /dev/null; sleep 0.5; kill $pid; wait $pid
  # libpcap tells the interface index: port of n3 in, port of the client out
  tcpdump -r "$f" -n 2> /dev/null | grep -q . && tcpdump -r "$f" -n "ifindex $(port_index n3) and inbound and icmp" 2> /dev/null | grep -q reply &&
    tcpdump -r "$f" -n "ifindex $(port_index client) and outbound and icmp" 2> /dev/null | grep -q reply
  local status=$?; rm -f "$f"; return $status
}

cut_lan() { "$LAB" cut n1 lan && not lan_pair n1 n2 && not lan_pair n3 n1 && mirror_pair n1 n2 && pod_pair n1 n2 && lan_pair n2 n3 && "$LAB" heal n1 lan && eventually 5 lan_pair n1 n2; }
cut_mirror() { "$LAB" cut n1 mirror && not mirror_pair n1 n2 && lan_pair n1 n2 && pod_pair n1 n2 && api_from n1 && "$LAB" heal n1 mirror && eventually 5 mirror_pair n1 n2; }
cut_pod() {
  local two; two=$(probe_ip n2); "$LAB" cut n1 pod && not ping_from n1 "$two" && not api_from n1 && mirror_pair n1 n2 && lan_pair n1 n2 && "$LAB" heal n1 pod && eventually 5 pod_pair n1 n2; }
cut_api() { "$LAB" cut n1 api && not api_from n1 && pod_pair n1 n2 && mirror_pair n1 n2 && api_from n2 && "$LAB" heal n1 api && eventually 5 api_from n1; }
cut_peers() { "$LAB" cut n1 peers && not pod_pair n1 n2 && api_from n1 && mirror_pair n1 n2 && "$LAB" heal n1 peers && eventually 5 pod_pair n1 n2; }

volumes_bind() { k wait --for=condition=Ready pod/disks --timeout=60s && equal "$(k get pvc -o jsonpath='{.items[*].status.phase}')" "Bound Bound"; }
write_volumes() { k exec disks -- sh -c 'echo kept > /data/file; echo kept | dd of=/dev/disk bs=512 conv=sync,fsync; sync'; }
read_volumes() { equal "$(k exec disks -- sh -c 'cat /data/file; head -c 4 /dev/disk')" "$(printf 'kept\nkept')"; }
volumes_go() {
  k delete pod/disks pvc/fs pvc/block --wait=true && eventually 30 no_volumes && eventually 5 not grep -lq "$P.n2" /sys/block/loop*/loop/backing_file
}
no_volumes() { equal "$(k get pv -o name)" "" && equal "$(ls "$LABDIR/nodes/n2/disk/var/lib/pairvm-volumes")" ""; }

# A dead host says no goodbye: a TCP connection to it stays as it was.
silent_death() {
  local ip two=n2 pid; ip=$(probe_ip n2)
  "$LAB" exec-client busybox nc "$ip" 8080 < <(sleep 30) > /dev/null & pid=$!
  eventually 5 connection_to "$ip" || return 1
  BOOT=$("$LAB" exec-node n2 cat /proc/sys/kernel/random/boot_id)
  "$LAB" kill-node n2 || return 1
  sleep 1; connection_to "$ip" || { echo "the connection ended: the host said goodbye"; return 1; }
  kill $pid; not "$LAB" exec-node n2 true && not pgrep -f "hostname-override=n2.*$P" && equal "$(ls "$LABDIR/run" | grep -c '^n2.pid')" 0
}
connection_to() { "$LAB" exec-client ss -Htn state established dst "$1" | grep -q .; }
node_is() { equal "$(k get node "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" "$2"; }
boots_again() {
  local before; before=$(k get node n2 -o jsonpath='{.status.nodeInfo.bootID}')
  "$LAB" start-node n2 && eventually 30 node_is n2 True && eventually 20 new_boot_id "$before" && eventually 60 probes_run
}
new_boot_id() { not equal "$(k get node n2 -o jsonpath='{.status.nodeInfo.bootID}')" "$1"; }
cut_outlives_boot() { "$LAB" cut n2 mirror && "$LAB" kill-node n2 && "$LAB" start-node n2 && eventually 60 probe_on n2 && not mirror_pair n2 n1 && "$LAB" heal n2 mirror && eventually 10 mirror_pair n2 n1; }
probe_on() { in_probe "$1" true; }
freeze() { local ip; ip=$(probe_ip n3); "$LAB" freeze-node n3 && not fetch_from n1 "$ip:8080" && "$LAB" thaw-node n3 && eventually 10 fetch_from n1 "$ip:8080"; }
killed_frozen() { "$LAB" freeze-node n3 && "$LAB" kill-node n3 && "$LAB" start-node n3 && eventually 60 probe_on n3; }
api_stops() { local two; two=$(probe_ip n2); "$LAB" stop-api && not k get --raw /readyz --request-timeout=2s && ping_from n1 "$two" && mirror_pair n1 n2 && "$LAB" start-api && eventually 10 k get nodes; }
image_again() { local began=$SECONDS; "$LAB" load-image "$LABDIR/made/busybox.tar" && [ $((SECONDS - began)) -le 5 ]; }
repairs() { # half of a node is gone: "up" makes it whole
  ip netns del "$(netns_of n3)"; "$LAB" up && eventually 60 probe_on n3; }
bad_words() { not "$LAB" kill-node n9 && not "$LAB" cut n1 wifi && not "$LAB" load-image /etc/passwd && not "$LAB" frobnicate && not "$LAB" down --purge; }
refuses_networks() { # a pod that asks for what is not there does not start, and says why
  k run lost --image=pairvm.lab/busybox:1 --overrides='{"metadata":{"annotations":{"k8s.v1.cni.cncf.io/networks":"nowhere"}}}' -- sleep 1000 && eventually 20 sh -c "'$LAB' kubectl describe pod lost | grep -q 'network default/nowhere'" && k delete pod lost --now; }
nothing_attached() { # after the pods are gone
  k delete daemonset/probe --wait=true && eventually 40 no_probes && local n && for n in $NODES; do
    equal "$("$LAB" exec-node "$n" sh -c 'ls /run/pairvm-lab/networks /run/cni/mirror-net /run/cni/pairvm-pods 2> /dev/null | grep -cE "json|^10\."')" 0 || return 1
    equal "$("$LAB" exec-node "$n" sh -c 'ip -o link show master br-lan | wc -l; ip -o link show master br-mirror | wc -l' | xargs)" "1 1" || return 1
  done
}
no_probes() { equal "$(k get pods -o name)" ""; }
goes_down() { "$LAB" down --wipe && not "$LAB" exec-client true && [ ! -e "$LABDIR/nodes" ]; }
stray_process_ends() { "$LAB" exec-client sleep 1000 & local p=$!; sleep 0.3; "$LAB" down && not kill -0 $p; }

began=$SECONDS
"$LAB" tools || exit 1
"$LAB" down --wipe > /dev/null || exit 1
echo "lab self-test ($P)"
up_began=$SECONDS
check "up from nothing in less than 60 s" eval '"$LAB" up && [ $((SECONDS - up_began)) -lt 60 ]'
[ "$FAILED" = 0 ] || ABORT="the lab did not come up"
echo "        up took $((SECONDS - up_began)) s"
k apply -f "$HERE/selftest.yaml" > /dev/null
check "a pod runs on each node" probes_run
check "network-status tells all interfaces" status_annotation
check "LAN addresses" lan_addresses
check "pods reach each other across nodes" all_pairs pod_pair
check "net1 is one layer-2 network" all_pairs lan_pair
check "net2 is one layer-2 network" all_pairs mirror_pair
check "the client is on the LAN" eval '"$LAB" exec-client busybox ping -c 1 -W 1 "$(lan_ip n2)"'
check "a service answers on every node" services
check "the client reaches services" eval 'eventually 30 "$LAB" exec-client curl -sf -m 3 "http://$(k get service probe -o jsonpath="{.spec.clusterIP}")/"'
check "a capture tells the port" capture
check "cut and heal: lan" cut_lan
check "cut and heal: mirror" cut_mirror
check "cut and heal: pod" cut_pod
check "cut and heal: api" cut_api
check "cut and heal: peers" cut_peers
check "volumes bind, file system and block" volumes_bind
check "volumes are written" write_volumes
check "a host dies without a word" silent_death
check "its node becomes NotReady" eventually 45 node_is n2 Unknown
check "it boots again with a new boot id" boots_again
check "its pod runs again" k wait --for=condition=Ready pod/disks --timeout=90s
check "volumes outlive the crash" read_volumes
check "a cut outlives a boot" cut_outlives_boot
check "LAN addresses again" eval 'eventually 30 lan_addresses'
check "a frozen host hangs and thaws" freeze
check "a frozen host can be killed" killed_frozen
check "pods outlive the API server" api_stops
check "an image that is there is not imported again" image_again
check "up repairs a broken node" repairs
check "frames with a guest's MAC pass" foreign_mac
check "an unknown network is refused by name" refuses_networks
check "released volumes are removed" volumes_go
check "bad arguments change nothing and say why" bad_words
check "nothing stays attached after pods" nothing_attached
[ -z "${KEEP:-}" ] || { echo "KEEP: the lab $P stays up"; exit $FAILED; }
check "down ends strays in the client's namespace" stray_process_ends
check "down --wipe leaves nothing" goes_down
mkdir -p "$(dirname "$REPORT")"
printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="dev.pairvm.e2e.Lab" time="%s" tests="%s" errors="0" skipped="0" failures="%s">%s</testsuite>\n' $((SECONDS - began)) $COUNT $FAILED "$CASES" > "$REPORT"
echo "lab self-test: $((COUNT - FAILED)) of $COUNT checks hold, $((SECONDS - began)) s"
[ $FAILED = 0 ]
