# Names, places and addresses of the lab; sourced by every part, also inside the nodes.

# One machine can hold several labs side by side: each has its own name, and all it makes starts with that name.
P=${PAIRVM_LAB:-pairvm}
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}
LAB=$CACHE/lab${P#pairvm}
BIN=$LAB/bin
NODES=${PAIRVM_LAB_NODES:-"n1 n2 n3"}

# Every address lives in a network namespace made by the lab, and none of those has a route to the machine's own interfaces.
NETWORKS="pod lan mirror"        # one layer-2 switch each
CP_IP=10.77.0.10                 # API server, on the pod network
CLIENT_IP=10.77.0.11             # where tests and kubectl run
CLIENT_LAN_IP=10.79.0.11         # the same on the guests' network
SERVICES=10.96.0.0/16
API_SERVICE_IP=10.96.0.1
PODS=10.78.0.0/16

node_index() { echo "${1#n}"; }
node_ip() { echo "10.77.0.$((100 + ${1#n}))"; }
pod_cidr() { echo "10.78.${1#n}.0/24"; }
# A node gives its pods addresses from its own slice, but all slices are one network.
mirror_slice() { echo "10.80.${1#n}"; }
# Interface index of a node's port on every switch: fixed, so that a packet capture tells which node a frame came from.
port_index() { case $1 in cp) echo 10 ;; client) echo 11 ;; *) echo $((100 + ${1#n})) ;; esac; }

netns_of() { echo "$P-$1"; }                        # of cp, client, n1 ...
switch_of() { echo "$P-switch-$1"; }                # of a network
in_netns() { local ns=$1; shift; nsenter --net="/run/netns/$ns" -- "$@"; }

is_node() { case " $NODES " in *" $1 "*) return 0 ;; esac; return 1; }
need_node() {
  [ $# -gt 0 ] || die "which node? One of: $NODES"
  local n; for n in "$@"; do is_node "$n" || die "\"$n\" is no node of this lab; nodes: $NODES"; done
}
