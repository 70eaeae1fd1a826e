#!/bin/bash
# Init of a node's namespaces. Builds the node's root (the machine's /usr read-only, own /etc and /var on the node's disk, fresh
# /run /tmp /proc /sys), pivots into it and becomes node-daemons.sh. The lab's own things are below /pairvm.
set -e
cd "$(dirname "$0")"
. ./settings.sh; . ./say.sh; . ./processes.sh; . ./cgroups.sh
begin_init "$LAB/boot/node-init.sh"
D=$LAB/nodes/$NAME/disk R=$LAB/nodes/$NAME/root

make_disk() {
  mkdir -p "$D"/{usr,proc,sys,dev,run,tmp,root,mnt,home,srv,.old,pairvm/{boot,bin,images,pki,log}} \
    "$D"/etc/{cni/net.d,cni/multus/net.d,containerd} "$D"/var/{lib/{kubelet,containerd,cni},log/{pods,containers},tmp}
  local l f
  for l in bin sbin lib lib64; do [ ! -L "/$l" ] || cp -a "/$l" "$D/$l"; done
  ln -sfn ../run "$D/var/run"
  for f in alternatives ld.so.cache ld.so.conf ld.so.conf.d passwd group nsswitch.conf protocols services ssl localtime iproute2; do
    [ ! -e "/etc/$f" ] || cp -a "/etc/$f" "$D/etc/"
  done
  echo "$NAME" > "$D/etc/hostname"; : > "$D/etc/resolv.conf"
  printf '127.0.0.1 localhost\n%s %s\n' "$(node_ip "$NAME")" "$NAME" > "$D/etc/hosts"
  tr -d - < /proc/sys/kernel/random/uuid > "$D/etc/machine-id"
  touch "$D/.made"
}

mount_cgroups() {
  local h name c
  if [ "$(cgroup_version)" = 2 ]; then mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"; return; fi
  mount -t tmpfs -o mode=755 tmpfs "$R/sys/fs/cgroup"
  for h in $(hierarchies); do
    name=${h##*/}; mkdir "$R/sys/fs/cgroup/$name"
    mount -t cgroup -o "$([ "$name" = systemd ] && echo none,name=systemd || echo "$name")" cgroup "$R/sys/fs/cgroup/$name"
    for c in ${name//,/ }; do [ "$c" = "$name" ] || ln -s "$name" "$R/sys/fs/cgroup/$c"; done
  done
}

# The kubelet sets sysctls that belong to the whole machine: it gets private files in their place.
# A boot id of the node's own makes a restart look like one.
private_sysctls() {
  local kv f; mkdir -p "$R/run/sysctl"
  for kv in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000 "kernel/random/boot_id=$(cat /proc/sys/kernel/random/uuid)"; do
    f=$R/run/sysctl/$(echo "${kv%%=*}" | tr / .)
    echo "${kv#*=}" > "$f"; mount --bind "$f" "$R/proc/sys/${kv%%=*}"
  done
}

read_only() { mkdir -p "$R/$2"; mount --bind "$1" "$R/$2"; mount -o remount,bind,ro "$R/$2"; }

[ -f "$D/.made" ] || make_disk
mount --bind "$D" "$R"; mount --make-private "$R"       # a mount point, for pivot_root; and cAdvisor sees a disk's file system
mount --rbind /usr "$R/usr"; mount -o remount,bind,ro "$R/usr"
mount --bind /dev "$R/dev"; mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$R/dev/pts"; mount -t tmpfs tmpfs "$R/dev/shm"
mount -t proc proc "$R/proc"; mount -t sysfs sysfs "$R/sys"
mount_cgroups
mount -t tmpfs -o mode=755 tmpfs "$R/run"; mount -t tmpfs tmpfs "$R/tmp"; mkdir -p "$R/run/netns"
private_sysctls
mkdir -p "$R/pairvm/log"; mount --bind "$LAB/log/$NAME" "$R/pairvm/log"
read_only "$LAB/boot" pairvm/boot
read_only "$BIN" pairvm/bin
read_only "$LAB/images" pairvm/images
read_only "$LAB/nodes/$NAME/pki" pairvm/pki
hostname "$NAME"
cd "$R"; pivot_root . .old; cd /
umount -l /.old; mount --make-rshared /
exec /pairvm/boot/node-daemons.sh
