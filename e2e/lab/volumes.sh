# Loop devices that a node left behind; sourced. The volumes themselves are made on the nodes by pairvm-lab-volumes.

# loops_of [NODE] : loop devices on files of that node's disk (or of any), and loop devices on top of those
loops_of() {
  local l file found=" " more=1
  while [ -n "$more" ]; do
    more=
    for l in /sys/block/loop*; do
      file=$(cat "$l/loop/backing_file" 2> /dev/null) || continue
      l=/dev/${l##*/}
      case $found in *" $l "*) continue ;; esac
      case $file in "$LAB/nodes/${1:+$1/}"* | */pairvm-volumes/"$P.${1:+$1.}"*) ;; *) case $found in *" $file "*) ;; *) continue ;; esac ;; esac
      found="$found$l "; more=1
    done
  done
  echo "$found" | tr ' ' '\n' | grep . | tac
}

release_loops_of() { local l; for l in $(loops_of "${1:-}"); do losetup -d "$l" 2> /dev/null || true; done; }
