# Nodes: each is a set of namespaces (net, pid, mount, uts, ipc, cgroup) with a disk directory of its own; sourced.
# SIGKILL of the pid namespace's init is the crash of a host: every process ends at once, memory, /run and interfaces are
# gone, the disk stays.

node_is_whole() { # running, with its namespace and all cables
  local net
  alive "$1" && [ -e "/run/netns/$(netns_of "$1")" ] || return 1
  for net in $NETWORKS; do ip -n "$(switch_of "$net")" link show "$1" > /dev/null 2>&1 || return 1; done
}

start_node() {
  local n=$1 ns net i; ns=$(netns_of "$n")
  ! node_is_whole "$n" || return 0
  kill_init "$n"
  remove_station "$n"
  make_station "$n" "$(node_ip "$n")"
  in_netns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
  for net in lan mirror; do                         # what pods attach to: a bridge whose uplink is the network card
    plug "$n" "$net" "${net}0"
    ip -n "$ns" link add "br-$net" type bridge
    ip -n "$ns" link set "${net}0" master "br-$net" up; ip -n "$ns" link set "br-$net" up
  done
  apply_cuts_of "$n"
  make_cgroup "$n"
  mkdir -p "$LAB/nodes/$n/disk" "$LAB/nodes/$n/root" "$LAB/nodes/$n/pki" "$LAB/log/$n"
  for i in ca.crt "$n.crt" "$n.key" "$n.kubeconfig" proxy.kubeconfig networks.crt networks.key volumes.kubeconfig; do
    cp "$LAB/pki/$i" "$LAB/nodes/$n/pki/"
  done
  launch "$n" "$LAB/boot/node-init.sh"
}

cmd_start_node() {
  need_node "$@"
  alive cp || die "the lab is not up; \"lab up\" starts all of it"
  copy_scripts
  local n; for n in "$@"; do start_node "$n"; done
}

# The cables go silent before the processes die: the sockets of dying processes would say goodbye, and a dead host does not.
cmd_kill_node() {
  need_node "$@"
  local n net; for net in $NETWORKS; do
    for n in "$@"; do echo "link set dev $n state 0"; done | bridge -n "$(switch_of "$net")" -force -batch - 2> /dev/null || true
  done
  local p; for n in "$@"; do if p=$(pid_of "$n"); then kill -KILL "$p" && echo "killed $n at $(date +%s.%3N)"; else echo "$n was down"; fi; done
  kill_init "$@"
  for n in "$@"; do remove_station "$n"; release_loops_of "$n"; done
}

cmd_freeze_node() { need_node "$@"; local n; for n in "$@"; do alive "$n" || die "$n is down"; freeze_cgroup "$n"; wait_until 10 "freezing $n" is_frozen "$n"; done; }
cmd_thaw_node() { need_node "$@"; local n; for n in "$@"; do alive "$n" || die "$n is down"; thaw_cgroup "$n"; wait_until 10 "thawing $n" is_thawed "$n"; done; }

# exec_node NODE COMMAND... : in all namespaces of the node
exec_node() {
  local p; p=$(pid_of "$1") || die "$1 is down"
  shift
  nsenter --target "$p" --mount --uts --ipc --net --pid --cgroup --root -- \
    env PATH=/pairvm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}
cmd_exec_node() { need_node "${1:-}"; [ $# -gt 1 ] || die "exec-node NODE COMMAND..."; exec_node "$@"; }
