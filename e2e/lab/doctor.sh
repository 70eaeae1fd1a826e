# Says what this machine lacks; sourced.

doctor_or_die() { local problems; problems=$(problems); [ -z "$problems" ] || { echo "$problems" >&2; offer_others >&2; exit 1; }; }

offer_others() {
  cat <<'O'

Other ways to a cluster:
  make e2e CLUSTER=kind                            with Docker or Podman and kind
  make e2e CLUSTER=existing KUBECONFIG=FILE        any cluster with three nodes or more
O
}

# One line per thing that is missing and that "lab tools" can not mend.
problems() {
  [ "$(uname -s)" = Linux ] || { echo "missing: Linux (this is $(uname -s)); the lab is made of kernel namespaces"; return; }
  [ "$(id -u)" = 0 ] || { echo "missing: root; the lab makes namespaces, mounts and network interfaces"; return; }
  local f ns=$P-doctor-$$
  for f in net pid mnt uts ipc cgroup; do [ -e "/proc/self/ns/$f" ] || echo "missing: kernel namespaces of kind $f"; done
  for f in overlay ext4:xfs:btrfs; do grep -qwE "${f//:/|}" /proc/filesystems || modprobe -q "${f%%:*}" 2> /dev/null || echo "missing: file system ${f//:/ or } in the kernel"; done
  [ -c /dev/net/tun ] || modprobe -q tun 2> /dev/null || echo "missing: /dev/net/tun (kernel option TUN)"
  [ -c /dev/loop-control ] || modprobe -q loop 2> /dev/null || echo "missing: /dev/loop-control (kernel option BLK_DEV_LOOP)"
  [ -L /bin ] || echo "missing: a merged /usr (/bin must be a link to usr/bin)"
  if [ "$(cgroup_version)" = 1 ]; then
    for f in cpu cpuacct cpuset memory devices freezer pids; do hierarchies | tr ',/' '\n\n' | grep -qx "$f" || echo "missing: cgroup v1 controller $f (not mounted below /sys/fs/cgroup)"; done
  else
    for f in cpu cpuset memory pids; do grep -qw "$f" /sys/fs/cgroup/cgroup.controllers || echo "missing: cgroup v2 controller $f"; done
  fi
  f=$(df -Pk "$(nearest "$CACHE")" | awk 'NR == 2 {print int($4 / 1048576)}'); [ "$f" -ge 15 ] || echo "missing: disk space; $f GiB are free below $CACHE, 15 GiB are needed"
  f=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo); [ "$f" -ge 3 ] || echo "missing: memory; $f GiB are available, 3 GiB are the least"
  if ! command -v apt-get > /dev/null; then
    for f in runc nft ip bridge tcpdump openssl conntrack busybox gcc jq curl nsenter unshare losetup pgrep; do command -v $f > /dev/null || echo "missing: command $f (no apt-get here to install it)"; done
    [ -x /usr/lib/cni/bridge ] || [ -x /usr/libexec/cni/bridge ] || echo "missing: the reference CNI plugins in /usr/lib/cni"
  fi
  if command -v ip > /dev/null && command -v nft > /dev/null; then
    if ip netns add "$ns" 2> /dev/null; then
      ip -n "$ns" link add br0 type bridge 2> /dev/null || echo "missing: kernel option BRIDGE"
      ip -n "$ns" link add ve0 type veth peer name ve1 2> /dev/null || echo "missing: kernel option VETH"
      in_netns "$ns" nft 'add table bridge t; add chain bridge t c { type filter hook forward priority 0; }' 2> /dev/null || echo "missing: nftables for bridges (kernel option NF_TABLES_BRIDGE)"
      in_netns "$ns" nft 'add table ip t; add chain ip t c { type nat hook prerouting priority 0; }' 2> /dev/null || echo "missing: nftables NAT (kernel option NFT_NAT)"
      ip netns del "$ns"
    else echo "missing: the right to make network namespaces (a container without privileges?)"; fi
  fi
}

nearest() { local d=$1; until [ -d "$d" ]; do d=$(dirname "$d"); done; echo "$d"; }

cmd_doctor() {
  local problems missing
  problems=$(problems)
  echo "machine: $(. /etc/os-release 2> /dev/null && echo "$PRETTY_NAME"), kernel $(uname -r), $(nproc) CPUs, $(awk '/^MemTotal/ {printf "%d GiB", $2 / 1048576}' /proc/meminfo), cgroup v$(cgroup_version)$([ -c /dev/kvm ] && echo ", /dev/kvm")"
  [ "$(cgroup_version)" = 1 ] || echo "note: the lab was made on cgroup v1; its code for v2 was never run"
  if [ -n "$problems" ]; then echo "$problems"; offer_others; return 1; fi
  missing=$(missing_packages 2> /dev/null | xargs)
  [ -z "$missing" ] || echo "to be installed by \"lab tools\": $missing"
  command -v go > /dev/null || echo "to be installed by \"make deps\": Go"
  tools_are_built || echo "to be built by \"lab tools\": $(for g in $TOOL_GROUPS; do [ -d "$(dir_of_group "$g")" ] || echo "$g"; done | xargs) (about 10 minutes on two cores)"
  echo "the lab can run here"
}
