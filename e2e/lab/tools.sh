# What the lab is made of: Debian packages, and binaries built from the Go modules pinned in e2e/tools; sourced.
# A group of binaries is built once per state of its pins, and kept in ~/.cache/pairvm/tools/GROUP-KEY.

DEBIAN_PACKAGES="runc containernetworking-plugins busybox-static conntrack iproute2 nftables openssl tcpdump util-linux procps kmod curl jq gcc libc6-dev"
# The mirror's tests let these judge its NBD server and store.
DEBIAN_PACKAGES="$DEBIAN_PACKAGES libnbd-bin python3-libnbd nbdkit qemu-utils fio"
TOOL_GROUPS="kube etcd containerd helm own"
TOOLS=$HERE/../tools

# Where a group's go.mod is, and its lines "BINARY PACKAGE".
module_of() { [ "$1" = own ] && echo "$TOOLS" || echo "$TOOLS/$1"; }
binaries_of() {
  case $1 in
    kube) for b in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do echo "$b k8s.io/kubernetes/cmd/$b"; done ;;
    etcd) echo "etcd go.etcd.io/etcd/server/v3" ;;
    containerd) for b in containerd containerd-shim-runc-v2 ctr; do echo "$b github.com/containerd/containerd/v2/cmd/$b"; done ;;
    helm) echo "helm helm.sh/helm/v4/cmd/helm" ;;
    own) for b in "$TOOLS"/cmd/*/; do b=$(basename "$b"); echo "$b ./cmd/$b"; done ;;
  esac
}

pinned_version() { awk -v m="$2" '$1 == m && $2 ~ /^v/ {print $2; exit} $1 == "require" && $2 == m {print $3; exit}' "$(module_of "$1")/go.mod"; }
link_flags_of() {
  local v
  case $1 in
    kube) v=$(pinned_version kube k8s.io/kubernetes); echo "-s -w -X k8s.io/component-base/version.gitVersion=$v -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(echo "$v" | cut -d. -f2)" ;;
    containerd) echo "-s -w -X github.com/containerd/containerd/v2/version.Version=$(pinned_version containerd github.com/containerd/containerd/v2)" ;;
    helm) echo "-s -w -X helm.sh/helm/v4/internal/version.version=$(pinned_version helm helm.sh/helm/v4)" ;;
    *) echo "-s -w" ;;
  esac
}

key_of_group() {
  local m; m=$(module_of "$1")
  { cat "$m/go.mod" "$m/go.sum"; [ "$1" != own ] || find "$m/cmd" -name '*.go' ! -name '*_test.go' | sort | xargs cat; link_flags_of "$1"; uname -m; } | sha256sum | cut -c1-12
}
dir_of_group() { echo "$CACHE/tools/$1-$(key_of_group "$1")"; }

missing_packages() {
  local p; for p in $DEBIAN_PACKAGES; do
    dpkg-query -W -f '${Status}\n' "$p" 2> /dev/null | grep -q 'ok installed' || echo "$p"
  done
}

install_packages() {
  command -v dpkg-query > /dev/null || return 0               # another distribution: the doctor names what is missing
  local missing; missing=$(missing_packages | xargs)
  [ -n "$missing" ] || return 0
  say "installing Debian packages: $missing"
  mkdir -p "$LAB/log"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
    < /dev/null > "$LAB/log/apt.log" 2>&1 || { tail -5 "$LAB/log/apt.log" >&2; die "apt-get failed (log: $LAB/log/apt.log)"; }
}

build_group() { # each binary under a temporary name first: an interrupted build leaves nothing that looks finished
  local group=$1 dir name package started flags
  dir=$(dir_of_group "$group")
  mkdir -p "$dir"
  flags=$(link_flags_of "$group")
  binaries_of "$group" | while read -r name package; do
    [ ! -x "$dir/$name" ] || continue
    started=$(date +%s%N)
    say "building $name ..."
    (cd "$(module_of "$group")" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false nice go build -trimpath -ldflags "$flags" -o "$dir/.$name.new" "$package") \
      > "$dir/$name.log" 2>&1 < /dev/null || { tail -20 "$dir/$name.log" >&2; die "$name does not build (log: $dir/$name.log)"; }
    mv "$dir/.$name.new" "$dir/$name"; rm -f "$dir/$name.log"
    say "built $name in $(elapsed "$started") s"
  done
}

tools_are_built() { local g name rest; for g in $TOOL_GROUPS; do while read -r name rest; do [ -x "$(dir_of_group "$g")/$name" ] || return 1; done < <(binaries_of "$g"); done; }

cmd_tools() {
  install_packages
  mkdir -p "$CACHE/tools"
  (
    flock 8
    if ! tools_are_built; then
      command -v go > /dev/null || die "Go is missing; \"make deps\" installs it"
      local g; for g in $TOOL_GROUPS; do build_group "$g"; done
      say "all binaries are built"
    fi
  ) 8> "$CACHE/tools/.lock"
}

# The binaries that this lab runs: links to the cached files, so that a new build does not pull the rug from under a running lab.
install_binaries() {
  local g name rest; mkdir -p "$BIN"
  for g in $TOOL_GROUPS; do
    while read -r name rest; do
      [ "$BIN/$name" -ef "$(dir_of_group "$g")/$name" ] || ln -f "$(dir_of_group "$g")/$name" "$BIN/$name" 2> /dev/null || cp "$(dir_of_group "$g")/$name" "$BIN/$name"
    done < <(binaries_of "$g")
  done
}
