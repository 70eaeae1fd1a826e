# One authority, all certificates and kubeconfigs, with openssl; sourced. Kept across "up", made anew by "down --wipe".

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2> /dev/null; }

certificate() { # certificate NAME SUBJECT [EXTENSION]
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2> /dev/null
  printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n%s\n' "${3:-}" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt" 2> /dev/null
  rm -f "$1.csr" "$1.ext"
}

kubeconfig_for() { # kubeconfig_for NAME : the certificate stands inside
  cat > "$1.kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: $P, cluster: {server: "https://$CP_IP:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: $P, context: {cluster: $P, user: $1}}]
current-context: $P
Y
}

identity() { certificate "$@"; kubeconfig_for "$1"; }

make_pki() {
  [ ! -f "$LAB/pki/done" ] || return 0
  rm -rf "$LAB/pki.new"; mkdir -p "$LAB/pki.new"
  (
    cd "$LAB/pki.new"
    new_key ca.key
    openssl req -x509 -new -key ca.key -subj "/CN=$P-lab" -days 3650 -out ca.crt 2> /dev/null
    local names=DNS:kubernetes d n; for d in default svc cluster local; do names=$names,${names##*,}.$d; done
    certificate apiserver /CN=kube-apiserver "subjectAltName=$names,DNS:localhost,IP:127.0.0.1,IP:$CP_IP,IP:$API_SERVICE_IP"
    certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
    identity admin /O=system:masters/CN=admin
    identity controller-manager /CN=system:kube-controller-manager
    identity scheduler /CN=system:kube-scheduler
    identity proxy /CN=system:kube-proxy
    identity networks /CN=pairvm-lab-networks
    identity volumes /CN=pairvm-lab-volumes
    for n in $NODES; do identity "$n" "/O=system:nodes/CN=system:node:$n" "subjectAltName=DNS:$n,IP:$(node_ip "$n")"; done
    openssl genrsa -out sa.key 2048 2> /dev/null; openssl rsa -in sa.key -pubout -out sa.pub 2> /dev/null
    touch done
  )
  rm -rf "$LAB/pki"; mv "$LAB/pki.new" "$LAB/pki"
}
