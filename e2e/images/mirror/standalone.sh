#!/bin/sh
# standalone.sh ROOT DIR DISK-BYTES COPY...: lays out what mirrors without Kubernetes and without a guest need, below ROOT/DIR: lease.json
# (the arbiter record as the operator provisions it), and for each copy mirror.json, tls/, run/ and disk/. DIR is the path that the mirrors
# will see. Used by the training run of the image and by the benchmarks; start one with
#   pairvm-mirror run --disks-only --arbiter-file DIR/lease.json --config DIR/a/mirror.json --tls DIR/a/tls --run-dir DIR/a/run \
#     --control-port 19443 --health-port 19080
set -eu
root=$1 dir=$2 bytes=$3
shift 3
uid=00000000-0000-4000-8000-000000000001
at=$root$dir
mkdir -p "$at"

cat > "$at/lease.json" << LEASE
{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
 "metadata": {"name": "pairvm-standalone", "uid": "$uid", "resourceVersion": "1",
  "annotations": {"pairvm.dev/in-sync": "a", "pairvm.dev/mode": "HA", "pairvm.dev/nonce": "provisioned"}},
 "spec": {"holderIdentity": "a", "leaseTransitions": 1}}
LEASE

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2> /dev/null; }
key "$at/ca.key"
openssl req -x509 -new -key "$at/ca.key" -days 30 -subj "/CN=standalone" -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$at/ca.crt"

# of the links; one a copy
port=${LINK_PORT:-17400}
for copy; do
  mkdir -p "$at/$copy/tls" "$at/$copy/run" "$at/$copy/disk"
  key "$at/$copy/tls/tls.key"
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=URI:pairvm://%s/%s,IP:127.0.0.1\n' \
    "$uid" "$copy" > "$at/$copy/extensions"
  openssl req -new -key "$at/$copy/tls/tls.key" -subj "/CN=$copy" -out "$at/$copy/request"
  openssl x509 -req -in "$at/$copy/request" -CA "$at/ca.crt" -CAkey "$at/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 30 \
    -extfile "$at/$copy/extensions" -out "$at/$copy/tls/tls.crt" 2> /dev/null
  cp "$at/ca.crt" "$at/$copy/tls/ca.crt"
  rm "$at/$copy/extensions" "$at/$copy/request"
  cat > "$at/$copy/mirror.json" << CONFIG
{"machine": "standalone", "machineUid": "$uid", "namespace": "default", "copy": "$copy", "lease": "pairvm-standalone",
 "disks": [{"name": "disk", "path": "$dir/$copy/disk", "kind": "FILE", "sizeBytes": $bytes}],
 "timing": {"beaconMillis": 50, "leaseMillis": 400, "graceMillis": 500}, "slowPeer": "DEGRADE",
 "link": {"port": $port, "interfaces": ["lo"]},
 "guest": {"cpu": {"sockets": 1, "cores": 1, "threads": 1, "model": "max"}, "memoryMib": 256, "machineType": "q35",
  "firmware": {"efi": false, "uuid": "$uid"}, "interfaces": [], "cloudInit": false, "onCrash": "RESTART", "terminationGraceSeconds": 30},
 "running": true}
CONFIG
  port=$((port + 1))
done
rm "$at/ca.key"
