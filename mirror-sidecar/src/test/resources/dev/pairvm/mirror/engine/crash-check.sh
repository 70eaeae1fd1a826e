#!/bin/bash
# Judges image files as a host would find them after a crash; one line of standard input each: IMAGE FILESYSTEM DATABASE SEED COMMITS FILES, where
# at least so many commits and files must be there. Answers "good ..." or "bad ..." for each. In a mount and a PID namespace of its own.
here=$(dirname "$0")
loose() { findmnt -rno TARGET /mnt > /dev/null && unmount; true; }
# A server's last children outlive its main process for a moment.
unmount() { for _ in $(seq 100); do if umount /mnt 2> /dev/null; then return 0; fi; sleep 0.1; done; umount /mnt; }
judge() {
  local image=$1 fs=$2 database=$3 seed=$4 commits=$5 files=$6 options=loop said
  case $fs in
    xfs) options=loop,nouuid ;;
    # Copy on write: the image must be sound as it is, before anything is replayed.
    btrfs) said=$(btrfs check --readonly "$image" 2>&1) || { echo "bad: btrfs check before recovery: $said"; return; } ;;
  esac
  said=$(mount -t "$fs" -o $options "$image" /mnt 2>&1) || { echo "bad: mount: $said"; return; }
  said=$("$here/crash-$database.sh" check "$seed" "$commits" "$files" 2>&1) || { echo "bad: database: $said"; return; }
  local counted=$said
  said=$(unmount 2>&1) || { echo "bad: umount: $said"; return; }
  case $fs in
    ext4) said=$(e2fsck -fn "$image" 2>&1) || { echo "bad: e2fsck: $said"; return; } ;;
    xfs) said=$(xfs_repair -n -f "$image" 2>&1) || { echo "bad: xfs_repair: $said"; return; } ;;
    # The kernel keeps the newest of the devices of one identity that it has seen, unless it is made to forget.
    btrfs) btrfs device scan --forget > /dev/null 2>&1
      said=$(btrfs check --readonly "$image" 2>&1) || { echo "bad: btrfs check: $said"; return; } ;;
  esac
  echo "good: $counted"
}
while read -r image fs database seed commits files; do
  judge "$image" "$fs" "$database" "$seed" "$commits" "$files" | tr '\n' ' '
  echo
  loose
done
