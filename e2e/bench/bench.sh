#!/bin/bash
# bench.sh disk|footprint|resync|kills|ft|soak [OPTION...]: measures the mirror beside its peers, or kills a pair of mirrors for a while (../soak); see
# README.md. Leaves nothing running and nothing mounted.
set -euo pipefail
BENCH=$(cd "$(dirname "$0")" && pwd)
HERE=$(cd "$BENCH/../images" && pwd)
REPO=$(cd "$BENCH/../.." && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}/images
. "$HERE/lib/say.sh"
. "$HERE/lib/debian.sh"

need_root "a name space for mounts and network"
need python3 openssl unshare
[ $# -gt 0 ] || die "say what to do: disk, footprint, resync, kills, ft or soak"
program=$BENCH/bench.py
tree=bench packages=$BENCH/packages
if [ "$1" = soak ] || [ "$1" = kills ]; then
  need ip nsenter
  program=$BENCH/../soak/$1.py
  shift
elif [ "$1" = ft ]; then
  need ip nsenter
  program=$BENCH/ft.py
  tree=ft packages=$BENCH/ft.packages
  shift
  "$HERE/../guest/build.sh"
  set -- --image "$CACHE/guest.img" --launcher "$HERE/qemu/pairvm-launch" "$@"
fi
"$HERE/build.sh" mirror
mkdir -p "$CACHE/trees"
REFRESH=
tree=$(debian_tree "$tree" trixie-backports "sh $HERE/finish.sh /dev/null" "$packages")

# The mirror as it is in its image, same paths and all, beside the peers.
if [ "$(cat "$tree/opt/pairvm/.key" 2> /dev/null)" != "$(cat "$CACHE/mirror.tar.key")" ]; then
  say "bench: unpacking the mirror's image"
  rm -rf "$tree/opt/pairvm" "$tree/usr/lib/pairvm" "$tree/.image"
  mkdir "$tree/.image"
  tar -C "$tree/.image" -xf "$CACHE/mirror.tar"
  for layer in "$tree"/.image/*.tar; do
    tar -C "$tree" -xf "$layer" --wildcards './opt/pairvm*' './usr/lib/pairvm*' './usr/bin/pairvm*' 2> /dev/null || true
  done
  rm -rf "$tree/.image"
  cp "$CACHE/mirror.tar.key" "$tree/opt/pairvm/.key"
fi

mkdir -p "$tree"/{bench,proc,dev,tmp} "$REPO/target/bench"
exec unshare --mount --net --propagation private sh -euc '
  tree=$1 data=$2
  shift 2
  mount --rbind /proc "$tree/proc"
  mount --rbind /dev "$tree/dev"
  [ -z "$data" ] || mount --bind "$data" "$tree/bench"
  chroot "$tree" /usr/bin/busybox ip link set lo up
  exec python3 -B "$@"' bench "$tree" "${BENCH_DIR:-}" "$program" --root "$tree" --layout "$HERE/mirror/standalone.sh" \
  --out "$REPO/target/bench" "$@"
