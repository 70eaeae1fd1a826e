#!/bin/bash
# Runs on a node: imports the images that the lab was given and that this disk does not have yet. There is no registry.
LOCKFILE=/run/pairvm-lab/images.lock
exec 8> $LOCKFILE; flock 8
status=0
for tar in /pairvm/images/*.tar; do
  key=$(cat "$tar.sha256"); mark=/var/lib/containerd/imported-$(basename "$tar")
  [ "$(cat "$mark" 2> /dev/null)" != "$key" ] || continue
  if ctr -n k8s.io images import --local --discard-unpacked-layers "$tar" > /dev/null; then echo "$key" > "$mark"; echo "imported $tar $(date +%T.%N)"
  else echo "could not import $tar" >&2; status=1; fi
done
exit $status
