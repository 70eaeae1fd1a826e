#!/bin/bash
# Init of the control plane's pid namespace.
cd "$(dirname "$0")"
. ./settings.sh; . ./say.sh; . ./processes.sh; . ./cgroups.sh; . ./node-config.sh
begin_init "$LAB/boot/control-init.sh"
mount -t proc proc /proc
LOG=$LAB/log RUN=$LAB/run K=$LAB/pki
mkdir -p "$LAB/etcd"; chmod 700 "$LAB/etcd"
rm -f "$LOG"/{etcd,apiserver,controller-manager,scheduler}.log

# etcd writes through to the disk, as in production: a lab that survives a crash of the machine is worth 3 ms a write.
keep etcd "$BIN/etcd" --data-dir "$LAB/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --auto-compaction-retention=1h --log-level warn &

keep apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --secure-port=6443 --advertise-address=$CP_IP \
  --service-cluster-ip-range=$SERVICES --client-ca-file="$K/ca.crt" --tls-cert-file="$K/apiserver.crt" --tls-private-key-file="$K/apiserver.key" \
  --kubelet-client-certificate="$K/kubelet-client.crt" --kubelet-client-key="$K/kubelet-client.key" --kubelet-preferred-address-types=InternalIP \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$K/sa.pub" --service-account-signing-key-file="$K/sa.key" \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true --enable-aggregator-routing=true \
  --default-not-ready-toleration-seconds=20 --default-unreachable-toleration-seconds=20 --profiling=false &

# Both end when they start before the API server has made its own RBAC rules.
until "$BIN/kubectl" --kubeconfig "$K/admin.kubeconfig" --request-timeout=2s get --raw /readyz > /dev/null 2>&1; do sleep 0.1; done

keep controller-manager "$BIN/kube-controller-manager" --kubeconfig="$K/controller-manager.kubeconfig" \
  --authentication-kubeconfig="$K/controller-manager.kubeconfig" --authorization-kubeconfig="$K/controller-manager.kubeconfig" \
  --use-service-account-credentials --service-account-private-key-file="$K/sa.key" --root-ca-file="$K/ca.crt" --leader-elect=false \
  --cluster-signing-cert-file="$K/ca.crt" --cluster-signing-key-file="$K/ca.key" --bind-address=127.0.0.1 \
  --node-monitor-period=2s --node-monitor-grace-period=16s --profiling=false &

keep scheduler "$BIN/kube-scheduler" --kubeconfig="$K/scheduler.kubeconfig" --authentication-kubeconfig="$K/scheduler.kubeconfig" \
  --authorization-kubeconfig="$K/scheduler.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 --profiling=false &
# Service addresses work for whoever runs in the client's namespace. The name is of a real node, for kube-proxy waits for its object.
write_proxy_config "${NODES%% *}" "$K/proxy.kubeconfig" > "$LAB/run/client-proxy.yaml"
keep client-proxy nsenter --net="/run/netns/$(netns_of client)" "$BIN/kube-proxy" --config="$LAB/run/client-proxy.yaml" &
wait
