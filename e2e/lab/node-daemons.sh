#!/bin/bash
# Second half of a node's init, inside the node's root: writes the daemons' settings, runs containerd, kubelet, kube-proxy and
# the volume provisioner, and reaps what is left to it.
cd /pairvm/boot
. ./settings.sh; . ./say.sh; . ./processes.sh; . ./cgroups.sh; . ./node-config.sh
LOG=/pairvm/log RUN=/run/pairvm-lab K=/pairvm/pki
export PATH=/pairvm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mkdir -p $RUN
exec >> $LOG/init.log 2>&1
echo "=== boot $(date +%T.%N) $(cat /proc/sys/kernel/random/boot_id)"

if [ "$(cgroup_version)" = 2 ]; then       # only leaves may hold processes: move to one, then hand the controllers down
  mkdir -p /sys/fs/cgroup/init
  for p in $(cat /sys/fs/cgroup/cgroup.procs); do echo "$p" > /sys/fs/cgroup/init/cgroup.procs; done
  for c in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$c" > /sys/fs/cgroup/cgroup.subtree_control; done
fi

write_containerd_config; write_cni_config; write_kubelet_config
write_proxy_config "$NAME" $K/proxy.kubeconfig > /etc/kube-proxy.yaml
keep containerd /pairvm/bin/containerd --config /etc/containerd/config.toml &
until ctr version > /dev/null 2>&1; do sleep 0.05; done
/pairvm/boot/node-images.sh
keep kubelet /pairvm/bin/kubelet --config=/etc/kubelet.yaml --kubeconfig=$K/$NAME.kubeconfig --hostname-override="$NAME" --node-ip="$(node_ip "$NAME")" --v=1 &
keep kube-proxy /pairvm/bin/kube-proxy --config=/etc/kube-proxy.yaml &
keep volumes /pairvm/bin/pairvm-lab-volumes --prefix="$P" --node="$NAME" --kubeconfig=$K/volumes.kubeconfig --dir=/var/lib/pairvm-volumes &
while :; do wait; sleep 1; done
