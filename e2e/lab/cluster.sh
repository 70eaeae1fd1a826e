# The whole: up, down, status; sourced.

# Scripts that run inside the lab are copied: a running lab does not change when the repository does.
copy_scripts() { mkdir -p "$LAB/boot"; cp --remove-destination "$HERE"/{settings,say,processes,cgroups,control-init,node-init,node-daemons,node-config,node-images}.sh "$LAB/boot/"; chmod +x "$LAB"/boot/*.sh; }

nodes_are_ready() { [ "$(kubectl get nodes --no-headers 2> /dev/null | grep -cw Ready)" -ge "$(echo $NODES | wc -w)" ]; }

apply_manifests() { kubectl apply --server-side --force-conflicts --field-manager=pairvm-lab -f "$HERE/manifests" > "$LAB/log/manifests.log" 2>&1; }

cmd_up() {
  doctor_or_die
  cmd_tools
  STARTED=$(date +%s%N)
  local n
  mkdir -p "$LAB"/{run,log,images}
  install_binaries; copy_scripts; make_pki; make_own_images
  make_switches
  make_client
  start_control_plane
  wait_until 120 "API server ready" api_answers
  say "API server is ready"
  for n in $NODES; do start_node "$n"; done
  wait_until 30 "the lab's own objects (a CRD takes a moment to be served)" apply_manifests
  wait_until 120 "all nodes Ready" nodes_are_ready
  wait_until 30 "service account of namespace default" kubectl get serviceaccount default
  say "nodes are ready: $NODES"
}

cmd_down() {
  local wipe=${1:-} net n ns
  [ -z "$wipe" ] || [ "$wipe" = --wipe ] || die "down [--wipe]"
  end_processes_in_netns
  kill_init $NODES $(cd "$LAB/run" && ls n*.pid 2> /dev/null | sed 's/\.pid$//') cp
  for ns in $(lab_netns); do ip netns del "$ns"; done
  release_loops_of
  remove_cgroup
  rm -rf "$LAB"/run/{cuts,*.pid,*.stopped}
  if [ "$wipe" = --wipe ]; then rm -rf "${LAB:?}"/{nodes,etcd,pki,log,images,made,boot}; fi
  nothing_is_left
}

lab_netns() { ls /run/netns 2> /dev/null | grep -E "^$P-(cp|client|n[0-9]+|switch-(pod|lan|mirror))$" || true; }

# Whoever still runs in a namespace of the lab (a test that was interrupted, a capture) belongs to it.
end_processes_in_netns() {
  local ns p
  for ns in "$(netns_of client)" $(for net in $NETWORKS; do switch_of "$net"; done); do
    [ -e "/run/netns/$ns" ] || continue
    for p in $(ip netns pids "$ns"); do kill -KILL "$p" 2> /dev/null || true; done
  done
}

nothing_is_left() {
  local left="" x
  x=$(lab_netns | xargs); [ -z "$x" ] || left="$left\n  network namespaces: $x"
  x=$(cgroup_pids | xargs); [ -z "$x" ] || left="$left\n  processes: $x"
  x=$(for h in $(hierarchies); do ls -d "$h/$P" 2> /dev/null; done | xargs); [ -z "$x" ] || left="$left\n  cgroups: $x"
  x=$(awk '{print $5}' /proc/self/mountinfo | grep -F "$LAB/" | xargs); [ -z "$x" ] || left="$left\n  mounts: $x"
  x=$(loops_of | xargs); [ -z "$x" ] || left="$left\n  loop devices: $x"
  [ -z "$left" ] || { printf "lab: down left something behind:$left\n" >&2; return 1; }
}

cmd_status() {
  local n net cuts frozen
  alive cp || { echo "the lab is down"; return 0; }
  echo "control plane: up, API server $(api_answers > /dev/null 2>&1 && echo ready || echo "does not answer")"
  for n in $NODES; do
    cuts=$(cd "$LAB/run/cuts" 2> /dev/null && ls "$n".* 2> /dev/null | sed "s/^$n\.//" | xargs || true)
    if alive "$n"; then frozen=$(is_frozen "$n" && echo ", frozen" || true); echo "$n: up$frozen${cuts:+, cut from: $cuts}"; else echo "$n: down"; fi
  done
  kubectl get nodes -o wide --request-timeout=3s 2> /dev/null || true
}
