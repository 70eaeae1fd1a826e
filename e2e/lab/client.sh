# The place of whoever uses the cluster: a namespace on the pod network and on the guests' network; sourced.

make_client() {
  local ns; ns=$(netns_of client)
  make_station client "$CLIENT_IP"
  plug client lan lan0
  ip -n "$ns" addr replace "$CLIENT_LAN_IP/16" dev lan0; ip -n "$ns" link set lan0 up
}

cmd_exec_client() {
  [ $# -gt 0 ] || die "exec-client COMMAND..."
  [ -e "/run/netns/$(netns_of client)" ] || die "the lab is not up"
  KUBECONFIG=$LAB/pki/admin.kubeconfig PATH=$BIN:$PATH exec nsenter --net="/run/netns/$(netns_of client)" -- "$@" 9>&-
}

cmd_kubectl() { cmd_exec_client "$BIN/kubectl" "$@"; }
kubectl() { KUBECONFIG=$LAB/pki/admin.kubeconfig in_netns "$(netns_of client)" "$BIN/kubectl" "$@"; }

cmd_kubeconfig() { [ -f "$LAB/pki/admin.kubeconfig" ] || die "the lab was never up"; echo "$LAB/pki/admin.kubeconfig"; }

# Every frame at every port of the guests' switch, with the port and the direction (link type LINUX_SLL2, interface index = port).
cmd_capture_lan() {
  [ $# = 1 ] || die "capture-lan FILE"
  [ -e "/run/netns/$(switch_of lan)" ] || die "the lab is not up"
  exec nsenter --net="/run/netns/$(switch_of lan)" -- tcpdump -i any -y LINUX_SLL2 -n -s 256 -U --immediate-mode -Z root -w "$1" 9>&-
}
