# The control plane: etcd, API server, controller manager, scheduler in a pid namespace of their own; sourced.

start_control_plane() {
  if alive cp && [ -e "/run/netns/$(netns_of cp)" ]; then make_station cp "$CP_IP"; rm -f "$LAB"/run/*.stopped; return; fi
  kill_init cp
  remove_station cp
  make_station cp "$CP_IP"
  make_cgroup cp
  rm -f "$LAB"/run/*.stopped "$LAB/run/cp.pid"
  launch cp "$LAB/boot/control-init.sh"
}

# launch NAME SCRIPT : SCRIPT becomes the init of new namespaces, in NAME's netns; it calls "begin_init" for its cgroup
launch() {
  ( exec 9>&-
    export PAIRVM_LAB=$P PAIRVM_CACHE=$CACHE PAIRVM_LAB_NODES=$NODES NAME=$1
    exec setsid nsenter --net="/run/netns/$(netns_of "$1")" unshare --pid --mount --uts --ipc --propagation private --fork --kill-child "$2"
  ) < /dev/null > "$LAB/log/$1-init.log" 2>&1 &
  disown
  wait_until 30 "start of $1" alive "$1"
}

# kill_init NAME... : SIGKILL to the init of each; the kernel then kills all others in that pid namespace at once
kill_init() {
  local name p
  for name in "$@"; do
    p=$(pid_of "$name") || continue
    kill -KILL "$p" 2> /dev/null || true
  done
  for name in "$@"; do
    if is_frozen "$name"; then                       # a frozen process can not die: mark all for death, then thaw
      for p in $(cgroup_pids "$name"); do kill -KILL "$p" 2> /dev/null || true; done
      thaw_cgroup "$name"
    fi
    wait_until 60 "death of $name" gone "$name"
    wait_until 60 "death of the last processes of $name" cgroup_is_empty "$name"
    rm -f "$LAB/run/$name.pid"
    remove_cgroup "$name"
  done
}

api_answers() { in_netns "$(netns_of client)" "$BIN/kubectl" --kubeconfig "$LAB/pki/admin.kubeconfig" --request-timeout=2s get --raw /readyz; }

api_server_runs() { local p; p=$(pid_of cp) && [ -n "$(pgrep -x kube-apiserver --ns "$p" --nslist pid)" ]; }
api_server_is_gone() { ! api_server_runs; }

cmd_stop_api() {
  alive cp || die "the lab is not up"
  touch "$LAB/run/apiserver.stopped"
  pkill -KILL -x kube-apiserver --ns "$(pid_of cp)" --nslist pid || true
  wait_until 10 "end of the API server" api_server_is_gone
}

cmd_start_api() {
  alive cp || die "the lab is not up"
  rm -f "$LAB/run/apiserver.stopped"
  wait_until 120 "API server ready" api_answers
}
