# Root file systems from Debian packages; sourced by build.sh.

# The mirror that apt uses on this machine: no address of one is written down in this repository.
debian_mirror() {
  local found=${PAIRVM_DEBIAN_MIRROR:-}
  [ -n "$found" ] || found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2> /dev/null \
    | head -n 1)
  [ -n "$found" ] || die "found no Debian mirror in apt's configuration: run \"apt-get update\", or set PAIRVM_DEBIAN_MIRROR"
  echo "${found%/}"
}

# package_list NAME : the packages of NAME/packages with those that every image has, comma-separated
package_list() {
  cat "$HERE/base.packages" "$HERE/$1/packages" | sed 's/#.*//; s/[[:space:]]//g; /^$/d' | sort -u | paste -sd, -
}

# debian_tree NAME SUITE : prints the path of an unpacked tree with NAME/packages in it, taken from trixie, or from SUITE where that
# has them. PATH.key holds what it was made from. Packages are unpacked, not configured: nothing that their
# maintainer scripts would do is needed in a container, but what finish.sh does.
debian_tree() {
  local name=$1 suite=${2:-trixie} tree=$CACHE/trees/$1 key packages
  packages=$(package_list "$name")
  key=$(echo "$packages $suite" | cat - "$HERE/lib/debian.sh" "$HERE/finish.sh" "$HERE/$name/trim" 2> /dev/null | sha256sum | cut -c1-16)
  if [ -z "$REFRESH" ] && [ -d "$tree" ] && [ "$(cat "$tree.key" 2> /dev/null)" = "$key" ]; then
    say "$name: packages are unpacked already"
    echo "$tree"
    return
  fi
  local mirror sources log=$CACHE/trees/$name.log
  mirror=$(debian_mirror)
  sources=("deb $mirror trixie main")
  [ "$suite" = trixie ] || sources+=("deb $mirror $suite main")
  say "$name: fetching and unpacking Debian packages (trixie${suite:+, $suite})"
  rm -rf "$WORK/tree.$name"
  # The package list goes to dpkg's database, so that a scanner of images sees what is inside.
  mmdebstrap --quiet --mode=root --variant=extract --architectures=amd64 --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --aptopt="APT::Default-Release \"$suite\"" \
    --extract-hook='for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -f "$deb"; echo "Status: install ok installed"; echo; done > "$1/var/lib/dpkg/status"' \
    trixie "$WORK/tree.$name" "${sources[@]}" > "$log" 2>&1 9>&- \
    || { tail -n 20 "$log" >&2; die "could not unpack the packages of $name, see $log"; }
  sh "$HERE/finish.sh" "$WORK/tree.$name" "$HERE/$name/trim" 9>&-
  rm -rf "$tree" "$tree.key"
  mv "$WORK/tree.$name" "$tree"
  echo "$key" > "$tree.key"
  say "$name: $(du -sm "$tree" | cut -f1) MiB unpacked"
  echo "$tree"
}
