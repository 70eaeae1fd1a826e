# Loop devices that a node left behind (the kernel keeps them); sourced. The volumes are made on the nodes by pairvm-lab-volumes:
# it puts a loop device on each block volume's image, and the kubelet puts another on that one's device node, to hold it.

# loops_of [NODE] : loop devices on files among the volumes of that node (or of any), those on top first.
# The files are recognized by inode, for the paths that the kernel tells have no meaning once the node is gone.
loops_of() {
  local name file inode images="" holders=""
  while read -r name inode; do
    file=$(find "$LAB"/nodes/${1:-*}/disk/var/lib/pairvm-volumes -maxdepth 1 -inum "$inode" 2> /dev/null) || true
    case $file in *.img) images="$images $name" ;; *.dev) holders="$holders $name" ;; esac
  done < <(losetup --noheadings --list --output NAME,BACK-INO)
  echo $holders $images
}

release_loops_of() {
  local l; for l in $(loops_of "${1:-}"); do losetup --detach "$l" 2> /dev/null || true; done
  [ -z "$(loops_of "${1:-}")" ] || wait_until 5 "release of loop devices" no_loops_of "${1:-}"
}
no_loops_of() { [ -z "$(loops_of "${1:-}")" ]; }
