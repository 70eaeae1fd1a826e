# The settings of a node's daemons; sourced by node-daemons.sh, inside the node.

write_containerd_config() {
  cat > /etc/containerd/config.toml <<Y
version = 3
oom_score = 0
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "pairvm.lab/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true          # without CAP_SYS_RESOURCE a lower oom_score_adj can not be set
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/pairvm/bin", "$(cni_plugins)"]
    conf_dir = "/etc/cni/net.d"
Y
}

cni_plugins() { local d; for d in /usr/lib/cni /usr/libexec/cni; do [ ! -x $d/bridge ] || { echo $d; return; }; done; }

# eth0: a routed pair per pod (ptp), so that a service's address works also towards a pod on the same node.
# net1, net2 ...: what pairvm-lab-networks finds in the pod's annotation. Their settings are files, for the addresses differ per node.
# All addresses given out are kept on /run: after a crash none is taken.
write_cni_config() {
  cat > /etc/cni/net.d/10-pairvm.conflist <<Y
{"cniVersion": "1.0.0", "name": "pairvm-pods", "plugins": [
  {"type": "ptp", "ipMasq": false, "mtu": 1500,
   "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "$(pod_cidr "$NAME")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "pairvm-lab-networks", "confDir": "/etc/cni/multus/net.d", "stateDir": "/run/pairvm-lab/networks", "server": "https://$CP_IP:6443",
   "caFile": "$K/ca.crt", "certFile": "$K/networks.crt", "keyFile": "$K/networks.key"}]}
Y
  echo '{"cniVersion": "1.0.0", "name": "lan", "type": "bridge", "bridge": "br-lan", "mtu": 1500, "ipam": {}}' > /etc/cni/multus/net.d/lan.conf
  cat > /etc/cni/multus/net.d/mirror-net.conf <<Y
{"cniVersion": "1.0.0", "name": "mirror-net", "type": "bridge", "bridge": "br-mirror", "mtu": 1500,
 "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.80.0.0/16", "rangeStart": "$(mirror_slice "$NAME").10", "rangeEnd": "$(mirror_slice "$NAME").250"}]]}}
Y
}

# Every node sees all memory of the machine; what it may give to pods is its share.
reserved_memory() { local n; n=$(echo $NODES | wc -w); awk -v n="$n" '/^MemTotal/ {printf "%dMi", $2 / 1024 * (n - 1) / n}' /proc/meminfo; }

write_kubelet_config() {
  cat > /etc/kubelet.yaml <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false                      # 1.35 and later refuse cgroup v1 otherwise
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $K/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $K/$NAME.crt
tlsPrivateKeyFile: $K/$NAME.key
oomScoreAdj: 0                           # the default of -999 needs CAP_SYS_RESOURCE
maxOpenFiles: 20000                      # not above the hard limit
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100         # an image that is collected can not be pulled again
imageGCLowThresholdPercent: 99
systemReserved: {memory: $(reserved_memory)}
nodeStatusUpdateFrequency: 4s
nodeLeaseDurationSeconds: 8
resolvConf: ""
clusterDomain: cluster.local
registerNode: true
shutdownGracePeriod: 0s
featureGates: {}
Y
}

write_proxy_config() { # write_proxy_config HOST KUBECONFIG : on standard output
  cat <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $2}
mode: nftables
clusterCIDR: $PODS
hostnameOverride: $1
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}     # read-only in a network namespace
metricsBindAddress: "127.0.0.1:10249"
healthzBindAddress: "0.0.0.0:10256"
Y
}
