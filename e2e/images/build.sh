#!/bin/bash
# Makes PairVM's container images as docker-archive tars, without a container engine and without an image registry.
# What is already there for the same inputs is not made again. See README.md.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}/images
. "$HERE/lib/say.sh"
. "$HERE/lib/debian.sh"
. "$HERE/lib/archive.sh"
. "$HERE/lib/java.sh"

usage() {
  cat <<'U'
usage: build.sh [--refresh] [qemu|mirror|operator|all]...
  Makes the images named (default: all) as ~/.cache/pairvm/images/NAME.tar.
  --refresh   fetch the Debian packages again even if the package lists did not change
  PAIRVM_CACHE          another place than ~/.cache/pairvm
  PAIRVM_DEBIAN_MIRROR  address of a Debian mirror; default: the one apt uses on this machine
U
}

# os_tree NAME [SUITE]: what is below an image's own files
os_tree() {
  local stamp
  stamp=$(key_of "$HERE/finish.sh" "$HERE/$1/trim")
  # the hash in the command makes a change of the scripts count
  debian_tree "$1" "${2:-trixie}" "env FINISH=$stamp sh $HERE/finish.sh $HERE/$1/trim" "$HERE/base.packages" "$HERE/$1/packages"
}

build_qemu() {
  local tree key
  tree=$(os_tree qemu trixie-backports)
  key=$(key_of "$tree.key" "$HERE/qemu/pairvm-launch" "$HERE/lib/archive.sh")
  have_image qemu "$key" && return
  local layers=$WORK/qemu
  mkdir -p "$layers"
  layer_of_tree "$tree" "$layers/os.tar"
  stage "$layers/app" 0755 "$HERE/qemu/pairvm-launch" usr/bin/pairvm-launch
  layer_of_tree "$layers/app" "$layers/app.tar"
  write_image qemu "$key" '["/usr/bin/pairvm-launch"]' "" "$layers/os.tar" "$layers/app.tar"
}

build_mirror() { build_java mirror mirror-sidecar "" '["run"]'; }

build_operator() { build_java operator operator 65532:65532 '[]'; }

main() {
  local names=()
  REFRESH=
  for word in "$@"; do
    case $word in
      --refresh) REFRESH=1 ;;
      qemu | mirror | operator) names+=("$word") ;;
      all) names+=(qemu mirror operator) ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; die "unknown word \"$word\"" ;;
    esac
  done
  [ ${#names[@]} -gt 0 ] || names=(qemu mirror operator)
  need_root "unpacking root file systems with their owners"
  need mmdebstrap tar sha256sum flock openssl
  mkdir -p "$CACHE/trees"
  exec 9> "$CACHE/.lock"
  flock -n 9 || { say "another build of images is running, waiting for it"; flock 9; }
  WORK=$CACHE/.work
  rm -rf "$WORK"
  mkdir -p "$WORK"
  trap 'rm -rf "$WORK"' EXIT
  local name modules=()
  for name in "${names[@]}"; do
    case $name in mirror) modules+=(mirror-sidecar) ;; operator) modules+=(operator) ;; esac
  done
  if [ ${#modules[@]} -gt 0 ]; then
    JDK=$(java_home)
    package "${modules[@]}"
  fi
  for name in "${names[@]}"; do "build_$name"; done
}

main "$@"
