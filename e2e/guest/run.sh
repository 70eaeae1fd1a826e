#!/bin/bash
# Boots the test guest by hand: the QEMU of the image pairvm/qemu, user networking, the guest's ports on localhost (7001 ... 7006).
# run.sh [DISK] [QEMU-ARGUMENT...]; DISK is made from guest.img when it is not there. The serial console is this terminal; Ctrl-A X ends.
set -euo pipefail
GUEST=$(cd "$(dirname "$0")" && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}/images
TREE=$CACHE/trees/qemu
disk=${1:-/tmp/pairvm-guest.img}
shift || true

[ -f "$CACHE/guest.img" ] || "$GUEST/build.sh"
[ -d "$TREE" ] || "$GUEST/../images/build.sh" qemu
[ -e "$disk" ] || { cp --sparse=always "$CACHE/guest.img" "$disk" && truncate -s "${DISK_SIZE:-256M}" "$disk"; }
disk=$(realpath "$disk")

forward=
for port in ${PORTS:-7001 7002 7003 7004 7005 7006}; do forward=$forward,hostfwd=tcp:127.0.0.1:$((port + ${PORT_OFFSET:-0}))-:$port; done
# in a mount name space of its own the tree borrows our directories, and nothing stays mounted
exec unshare --mount --propagation private bash -c '
  tree=$1 disk=$2
  shift 2
  for dir in dev proc tmp; do mount --rbind "/$dir" "$tree/$dir"; done
  mkdir -p "$tree/mnt/disk"
  mount --bind "$(dirname "$disk")" "$tree/mnt/disk"
  exec chroot "$tree" qemu-system-x86_64 "$@" -drive "if=none,id=root,format=raw,file=/mnt/disk/$(basename "$disk")"' \
  run "$TREE" "$disk" \
  -machine "${MACHINE:-q35}" -accel "${ACCEL:-tcg}" -cpu max -m "${MEMORY:-160}" -nodefaults -display none -no-user-config \
  -serial "${SERIAL:-mon:stdio}" -device virtio-blk-pci,drive=root,bootindex=1 -device pvpanic \
  -netdev "user,id=lan$forward" -device virtio-net-pci,netdev=lan,romfile= "$@"
