#!/bin/bash
# Makes the test guest's disk, guest.img: a raw bootable disk of 64 MiB (BIOS and EFI) with Debian's cloud kernel, an initramfs with
# the guest's own process 1, and a write log behind it. No loop device and no mount is needed. See README.md.
set -euo pipefail
GUEST=$(cd "$(dirname "$0")" && pwd)
HERE=$(cd "$GUEST/../images" && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}/images
. "$HERE/lib/say.sh"
. "$HERE/lib/debian.sh"

BOOT_SECTORS=63488 # partition 1: from 1 MiB to 32 MiB
LOG_SECTORS=65536  # partition 2: from there to the end; the guest goes on to the end of a larger disk

compile() {
  say "guest: compiling process 1"
  gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static -s -ffile-prefix-map="$GUEST"= -o "$1" "$GUEST"/src/*.c -lpthread \
    || die "the guest does not compile (a static libc is needed: package libc6-dev)"
}

# with_dependencies MODULES-DIR NAME... : paths, what is needed first coming first
with_dependencies() {
  local dir=$1 name path need
  shift
  for name; do
    path=$(find "$dir" -name "${name//_/[_-]}.ko*" -print -quit)
    [ -n "$path" ] || path=$(find "$dir" -name "${name//-/[_-]}.ko*" -print -quit)
    [ -n "$path" ] || { grep -q "/${name}.ko" "$dir/modules.builtin" && continue; die "the kernel has no module $name"; }
    need=$(xzcat "$path" | tr '\0' '\n' | sed -n 's/^depends=//p' | tr , ' ')
    # shellcheck disable=SC2086
    [ -z "$need" ] || with_dependencies "$dir" $need
    echo "$path"
  done
}

initramfs() {
  local tree=$1 out=$2 root=$WORK/root modules n=10 path file
  mkdir -p "$root"/{bin,dev,modules,proc,seed,sys,tmp,etc}
  mknod -m 600 "$root/dev/console" c 5 1
  compile "$root/init"
  cp "$tree/usr/bin/busybox" "$root/bin/"
  ln -s busybox "$root/bin/sh"
  install -m 755 "$GUEST/dhcp-script" "$root/bin/dhcp-script"
  modules=$(echo "$tree"/usr/lib/modules/*)
  # shellcheck disable=SC2046
  with_dependencies "$modules" $(sed 's/#.*//' "$GUEST/modules") | awk '!seen[$0]++' | while read -r path; do
    file=$n-$(basename "$path" .xz)
    xzcat "$path" > "$root/modules/$file"
    echo "$file" >> "$root/modules/list"
    n=$((n + 1))
  done
  find "$root" -exec touch -h -d @1767225600 {} +
  (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible) > "$out"
}

# le32 NUMBER: four bytes for printf
le32() { printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

# partition TYPE ACTIVE START SECTORS: an entry of the master boot record; addresses by cylinder are not used
partition() { printf '%b' "\\x$2\\xfe\\xff\\xff\\x$1\\xfe\\xff\\xff$(le32 "$3")$(le32 "$4")"; }

disk() {
  local tree=$1 initrd=$2 out=$3 work=$WORK/disk kernel
  mkdir -p "$work"
  kernel=$(echo "$tree"/boot/vmlinuz-*)
  cp "$kernel" "$work/vmlinuz"
  cp "$initrd" "$work/initrd"
  printf 'DEFAULT pairvm\nPROMPT 0\nTIMEOUT 0\nLABEL pairvm\n  LINUX /vmlinuz\n  INITRD /initrd\n  APPEND %s\n' "$(cat "$GUEST/cmdline")" \
    > "$work/syslinux.cfg"
  printf 'title pairvm\nlinux /vmlinuz\ninitrd /initrd\noptions %s\n' "$(cat "$GUEST/cmdline")" > "$work/pairvm.conf"
  printf 'timeout 0\ndefault pairvm.conf\n' > "$work/loader.conf"
  cp "$tree/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$work/bootx64.efi"
  touch -d @1767225600 "$work"/*
  truncate -s $((BOOT_SECTORS * 512)) "$work/boot.fat"
  # The tools are the tree's own: versions that belong together, and nothing to install here. In a mount name space of its own, so that
  # nothing stays mounted however this ends.
  mkdir -p "$tree/mnt/work"
  unshare --mount --propagation private sh -euc '
    mount --bind "$2" "$1/mnt/work"
    mount --bind /proc "$1/proc"
    exec chroot "$1" /usr/bin/sh -euc "$3"' make "$tree" "$work" '
      export PATH=/usr/sbin:/usr/bin
      mkfs.fat -F 16 -h 2048 -n PAIRVM -i 50414952 --invariant /mnt/work/boot.fat > /mnt/work/log
      cd /mnt/work
      mmd -i boot.fat ::EFI ::EFI/BOOT ::loader ::loader/entries
      mcopy -m -i boot.fat vmlinuz initrd syslinux.cfg ::
      mcopy -m -i boot.fat bootx64.efi ::EFI/BOOT/BOOTX64.EFI
      mcopy -m -i boot.fat loader.conf ::loader/loader.conf
      mcopy -m -i boot.fat pairvm.conf ::loader/entries/pairvm.conf
      syslinux --install boot.fat'
  truncate -s $(((2048 + BOOT_SECTORS + LOG_SECTORS) * 512)) "$out"
  dd if="$tree/usr/lib/syslinux/mbr/mbr.bin" of="$out" bs=440 count=1 conv=notrunc status=none
  {
    printf 'PVM1\0\0'
    partition ef 80 2048 $BOOT_SECTORS
    partition da 00 $((2048 + BOOT_SECTORS)) $LOG_SECTORS
    head -c 32 /dev/zero
    printf '\x55\xaa'
  } | dd of="$out" bs=1 seek=440 conv=notrunc status=none
  dd if="$work/boot.fat" of="$out" bs=1M seek=1 conv=notrunc,sparse status=none
}

main() {
  REFRESH=
  [ "${1:-}" != --refresh ] || REFRESH=1
  need_root "unpacking Debian packages"
  need mmdebstrap gcc cpio xzcat flock
  mkdir -p "$CACHE/trees"
  exec 8> "$CACHE/.guest.lock"
  flock 8
  TREE=$(debian_tree guest trixie : "$GUEST/packages" 8>&-)
  local key
  key=$({ cat "$TREE.key" "$GUEST/build.sh" "$GUEST"/{modules,cmdline,dhcp-script} "$GUEST"/src/*; } | sha256sum | cut -c1-16)
  if [ -f "$CACHE/guest.img" ] && [ "$(cat "$CACHE/guest.img.key" 2> /dev/null)" = "$key" ]; then
    say "guest: the disk is there already"
    return
  fi
  WORK=$CACHE/.guest
  rm -rf "$WORK"
  trap 'rm -rf "$WORK"' EXIT
  mkdir -p "$WORK"
  initramfs "$TREE" "$WORK/initrd"
  disk "$TREE" "$WORK/initrd" "$WORK/guest.img"
  rm -f "$CACHE/guest.img.key"
  mv "$WORK/guest.img" "$CACHE/guest.img"
  sha256sum "$CACHE/guest.img" | cut -d' ' -f1 > "$CACHE/guest.img.sha256"
  echo "$key" > "$CACHE/guest.img.key"
  say "guest: wrote $CACHE/guest.img ($(($(stat -c %s "$CACHE/guest.img") >> 20)) MiB, $(du -m "$CACHE/guest.img" | cut -f1) MiB used)"
}

main "$@"
