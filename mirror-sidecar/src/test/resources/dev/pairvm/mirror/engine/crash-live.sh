#!/bin/bash
# A real file system on an NBD export, with programs that commit to it. First process of a mount and a PID namespace: when it is killed,
# everything here is, and nothing stays mounted. Says "ready", then "commit N" and "file N" for what a program was told is safe, then "over".
# Goes on until there is a file FOLDER/stop.
# crash-live.sh FOLDER SOCKET FILESYSTEM DATABASE SEED make|keep
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"; socket=$2 fs=$3 database=$4 seed=$5 how=$6
touch disk && rm -f fuse.pid
nbdfuse -P fuse.pid disk "nbd+unix:///root?socket=$socket" &
fuse=$!
for _ in $(seq 200); do if [ -e fuse.pid ]; then break; fi; sleep 0.05; done
[ -e fuse.pid ] || { echo "nbdfuse did not mount"; exit 1; }
if [ "$how" = make ]; then
  case $fs in
    ext4) mkfs.ext4 -q -F disk ;;
    xfs) mkfs.xfs -q -f --unsupported disk > mkfs.log 2>&1 ;;      # smaller than a supported one
    btrfs) mkfs.btrfs -q -f disk > mkfs.log 2>&1 ;;
  esac
fi
case $fs in ext4 | btrfs) options=loop,discard ;; xfs) options=loop,nouuid ;; esac
mount -t "$fs" -o $options disk /mnt
"$here/crash-$database.sh" live "$seed" "$how" "$PWD/stop"
umount /mnt
umount disk
wait $fuse || true
echo over
