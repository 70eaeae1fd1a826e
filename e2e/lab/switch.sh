# Three layer-2 switches (Linux bridges, each alone in a namespace), their ports, and cutting; sourced.
# The names: netns $P-switch-NETWORK holds bridge "switch" and one port per station, named as the station.

make_switches() {
  local net ns
  for net in $NETWORKS; do
    ns=$(switch_of "$net")
    [ -e "/run/netns/$ns" ] || ip netns add "$ns"
    ip -n "$ns" link show switch > /dev/null 2>&1 || ip -n "$ns" link add switch index 1000 type bridge
    ip -n "$ns" link set lo up; ip -n "$ns" link set switch up
    no_netfilter_on_bridges "$ns"
  done
  in_netns "$(switch_of pod)" nft -f - <<'N'
add table bridge cuts
add set bridge cuts api { type ifname; }
add set bridge cuts peers { type ifname; }
add chain bridge cuts forward { type filter hook forward priority 0; policy accept; }
flush chain bridge cuts forward
add rule bridge cuts forward iifname @api oifname "cp" drop
add rule bridge cuts forward oifname @api iifname "cp" drop
add rule bridge cuts forward iifname @peers oifname "n*" drop
add rule bridge cuts forward oifname @peers iifname "n*" drop
N
}

# Bridged frames are not for the IP firewall (kube-proxy's rules), and forwarded ones need no redirects.
no_netfilter_on_bridges() {
  in_netns "$1" sh -c 'for f in iptables ip6tables arptables; do p=/proc/sys/net/bridge/bridge-nf-call-$f; [ ! -e $p ] || echo 0 > $p; done'
}

# plug STATION NETWORK INTERFACE : a cable from the switch to an interface in the station's namespace
plug() {
  local station=$1 sw ns; sw=$(switch_of "$2"); ns=$(netns_of "$1")
  ip -n "$sw" link show "$station" > /dev/null 2>&1 && ip -n "$ns" link show "$3" > /dev/null 2>&1 && return
  ip -n "$sw" link del "$station" 2> /dev/null || true
  ip -n "$sw" link add "$station" index "$(port_index "$station")" type veth peer name "$3" netns "$ns"
  ip -n "$sw" link set "$station" master switch up
}

# Routes of a station on the pod network to the pods of every node, and to services.
routes_to_pods() { # STATION
  local ns n; ns=$(netns_of "$1")
  for n in $NODES; do
    [ "$n" = "$1" ] || ip -n "$ns" route replace "$(pod_cidr "$n")" via "$(node_ip "$n")"
  done
  # Any route will do: kube-proxy's rules rewrite the destination before the packet leaves.
  ip -n "$ns" route replace "$SERVICES" dev eth0
}

make_station() { # make_station STATION IP : a namespace on the pod network
  local ns; ns=$(netns_of "$1")
  [ -e "/run/netns/$ns" ] || ip netns add "$ns"
  ip -n "$ns" link set lo up
  no_netfilter_on_bridges "$ns"
  plug "$1" pod eth0
  ip -n "$ns" addr replace "$2/24" dev eth0; ip -n "$ns" link set eth0 up
  routes_to_pods "$1"
}

remove_station() {
  local net; for net in $NETWORKS; do ip -n "$(switch_of "$net")" link del "$1" 2> /dev/null || true; done
  [ ! -e "/run/netns/$(netns_of "$1")" ] || ip netns del "$(netns_of "$1")"
}

# ---- cutting. What is cut stays cut while the node is down and up again: run/cuts/NODE.NETWORK remembers.

CUTTABLE="pod lan mirror api peers"
need_network() { case " $CUTTABLE " in *" ${1:-} "*) ;; *) die "\"${1:-}\" is no network that can be cut; one of: $CUTTABLE" ;; esac; }

apply_cut() { # apply_cut NODE NETWORK
  case $2 in
    api | peers) in_netns "$(switch_of pod)" nft add element bridge cuts "$2" "{ \"$1\" }" ;;
    *) bridge -n "$(switch_of "$2")" link set dev "$1" state 0 ;;      # port disabled: frames vanish, the carrier stays
  esac
}

cmd_cut() {
  need_node "${1:-}"; need_network "${2:-}"
  mkdir -p "$LAB/run/cuts"; touch "$LAB/run/cuts/$1.$2"
  ! alive "$1" || apply_cut "$1" "$2"
}

cmd_heal() {
  need_node "${1:-}"; need_network "${2:-}"
  rm -f "$LAB/run/cuts/$1.$2"
  alive "$1" || return 0
  case $2 in
    api | peers) in_netns "$(switch_of pod)" nft "add element bridge cuts $2 { \"$1\" }; delete element bridge cuts $2 { \"$1\" }" ;;
    *) bridge -n "$(switch_of "$2")" link set dev "$1" state 3 ;;
  esac
}

apply_cuts_of() { # after NODE's ports were made
  local f; for f in "$LAB/run/cuts/$1".*; do [ ! -e "$f" ] || apply_cut "$1" "${f##*.}"; done
}
