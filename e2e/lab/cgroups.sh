# The cgroups of nodes and control plane, for cgroup v1 (one hierarchy per controller) and v2; sourced.
# Each node's tree is $P/NODE: what the node's cgroup namespace shows as the root.

cgroup_version() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && echo 2 || echo 1; }

# The mount points of the hierarchies, such as /sys/fs/cgroup/memory. On v2 there is one.
hierarchies() {
  if [ "$(cgroup_version)" = 2 ]; then echo /sys/fs/cgroup; else awk '$3 == "cgroup" {print $2}' /proc/mounts; fi
}

# A whole cluster lives in the lab's group; at the default weight all of it together would get as much processor as one compiler outside.
weigh_cgroup() { # weigh_cgroup DIRECTORY
  if [ -e "$1/cpu.shares" ]; then echo 65536 > "$1/cpu.shares"; elif [ -e "$1/cpu.weight" ]; then echo 5000 > "$1/cpu.weight"; fi
}

make_cgroup() { # make_cgroup NAME
  local h d c
  for h in $(hierarchies); do
    for d in "$h/$P" "$h/$P/$1"; do
      mkdir -p "$d"
      if [ -e "$d/cpuset.cpus" ] && [ "$(cgroup_version)" = 1 ]; then       # empty in a new v1 group, and then nothing may join
        cat "$h/cpuset.cpus" > "$d/cpuset.cpus"; cat "$h/cpuset.mems" > "$d/cpuset.mems"
      fi
    done
    if [ "$(cgroup_version)" = 2 ]; then
      for c in $(cat "$h/cgroup.controllers"); do
        echo "+$c" > "$h/cgroup.subtree_control" && echo "+$c" > "$h/$P/cgroup.subtree_control" || true
      done 2> /dev/null
    fi
    weigh_cgroup "$h/$P"
  done
}

join_cgroup() { # join_cgroup NAME : the calling shell, by its pid in its own pid namespace, and what it starts
  local h; for h in $(hierarchies); do echo $BASHPID > "$h/$P/$1/cgroup.procs"; done
}

cgroup_pids() { # of NAME and all below; without NAME of the whole lab
  local h; for h in $(hierarchies); do
    [ -d "$h/$P/${1:-}" ] && find "$h/$P/${1:-}" -name cgroup.procs -exec cat {} + 2> /dev/null
  done | sort -un
}
cgroup_is_empty() { [ -z "$(cgroup_pids "${1:-}")" ]; }

remove_cgroup() { # remove_cgroup [NAME]
  local h; for h in $(hierarchies); do
    [ ! -d "$h/$P/${1:-}" ] || find "$h/$P/${1:-}" -depth -type d -exec rmdir {} + 2> /dev/null || true
  done
}

freezer_of() { [ "$(cgroup_version)" = 2 ] && echo "/sys/fs/cgroup/$P/$1" || echo "$(hierarchies | grep -w freezer)/$P/$1"; }
is_frozen() {
  local f; f=$(freezer_of "$1")
  if [ "$(cgroup_version)" = 2 ]; then grep -q '^frozen 1' "$f/cgroup.events" 2> /dev/null
  else [ "$(cat "$f/freezer.state" 2> /dev/null)" = FROZEN ]; fi
}
is_thawed() { ! is_frozen "$1"; }
freeze_cgroup() { local f; f=$(freezer_of "$1"); if [ "$(cgroup_version)" = 2 ]; then echo 1 > "$f/cgroup.freeze"; else echo FROZEN > "$f/freezer.state"; fi; }
thaw_cgroup() { local f; f=$(freezer_of "$1"); if [ "$(cgroup_version)" = 2 ]; then echo 0 > "$f/cgroup.freeze"; else echo THAWED > "$f/freezer.state"; fi; }
