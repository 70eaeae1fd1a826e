# Which process is the init of a node or of the control plane; sourced.
# A pid file holds "pid start-time": after a restart of the machine, or when pids wrap around, no stranger is taken for ours.

pid_of() { # pid_of NAME : prints the pid, fails if it does not run any more
  local pid born stat
  read -r pid born 2> /dev/null < "$LAB/run/$1.pid" || return 1
  stat=$(cat "/proc/$pid/stat" 2> /dev/null) || return 1
  set -- ${stat##*) }                      # fields from the third on: state is $1, start time is field 22
  [ "${20}" = "$born" ] && [ "$1" != Z ] && [ "$1" != X ] && echo "$pid"
}

alive() { pid_of "$1" > /dev/null; }
gone() { ! alive "$1"; }

# Called by an init while /proc still is the machine's: what it reads there about itself is its pid outside.
write_own_pid() {
  local stat pid; read -r stat < /proc/self/stat; pid=${stat%% *}
  set -- ${stat##*) }
  echo "$pid ${20}" > "$LAB/run/.$NAME.pid"; mv "$LAB/run/.$NAME.pid" "$LAB/run/$NAME.pid"
}

# begin_init SCRIPT : first act of an init. It joins its cgroup itself and only then makes the cgroup namespace, whose root that
# becomes; so the cgroup holds no process from outside, which cgroup v2 would not hand controllers down beside.
begin_init() {
  [ -z "${HAS_BEGUN:-}" ] || return 0
  write_own_pid
  join_cgroup "$NAME"
  HAS_BEGUN=1 exec unshare --cgroup --propagation unchanged "$1"
}

# keep NAME COMMAND... : runs a daemon again when it ends, unless $RUN/NAME.stopped says to wait. Its pid is in $RUN/NAME.pid.
keep() {
  local name=$1; shift
  while :; do
    while [ -e "$RUN/$name.stopped" ]; do sleep 0.1; done
    "$@" >> "$LOG/$name.log" 2>&1 &
    echo $! > "$RUN/$name.pid"
    wait $!
    echo "--- $name ended with status $? at $(date +%T)" >> "$LOG/$name.log"
    sleep 0.5
  done
}
