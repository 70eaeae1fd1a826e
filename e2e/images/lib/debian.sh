# Root file systems from Debian packages; sourced by build.sh.

# The mirror that apt uses on this machine: no address of one is written down in this repository.
debian_mirror() {
  local found=${PAIRVM_DEBIAN_MIRROR:-}
  [ -n "$found" ] || found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2> /dev/null \
    | head -n 1)
  [ -n "$found" ] || die "found no Debian mirror in apt's configuration: run \"apt-get update\", or set PAIRVM_DEBIAN_MIRROR"
  echo "${found%/}"
}

# package_list FILE... : the packages named in files, comma-separated
package_list() { cat "$@" | sed 's/#.*//; s/[[:space:]]//g; /^$/d' | sort -u | paste -sd, -; }

# debian_tree NAME SUITE FINISH FILE... : prints the path of an unpacked tree with the packages that the files name, taken from trixie,
# or from SUITE where that has them. FINISH is a command that gets the tree as its last argument, or ":". PATH.key holds what the
# tree was made from. Packages are unpacked, not configured: what their scripts would do is not needed in a container, or finish.sh does it.
debian_tree() {
  local name=$1 suite=$2 finish=$3 tree=$CACHE/trees/$1 key packages
  shift 3
  packages=$(package_list "$@")
  key=$({ echo "$packages $suite ${finish//$HERE\//}"; cat "$HERE/lib/debian.sh"; } | sha256sum | cut -c1-16)
  if [ -z "$REFRESH" ] && [ -d "$tree" ] && [ "$(cat "$tree.key" 2> /dev/null)" = "$key" ]; then
    say "$name: Debian packages are unpacked already"
    echo "$tree"
    return
  fi
  local mirror sources new=$CACHE/trees/.$name.new log=$CACHE/trees/$name.log
  mirror=$(debian_mirror)
  sources=("deb $mirror trixie main")
  [ "$suite" = trixie ] || sources+=("deb $mirror $suite main")
  say "$name: fetching and unpacking Debian packages ($suite)"
  rm -rf "$new"
  # The descriptions of the packages go to dpkg's database, so that a scanner of images sees what is inside.
  mmdebstrap --quiet --mode=root --variant=extract --architectures=amd64 --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --aptopt="APT::Default-Release \"$suite\"" \
    --extract-hook='for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -f "$deb"; echo "Status: install ok installed"; echo; done > "$1/var/lib/dpkg/status"' \
    trixie "$new" "${sources[@]}" > "$log" 2>&1 9>&- \
    || { tail -n 20 "$log" >&2; die "could not unpack the packages of $name, see $log"; }
  $finish "$new" 9>&-
  rm -rf "$tree" "$tree.key"
  mv "$new" "$tree"
  echo "$key" > "$tree.key"
  say "$name: $(du -sm "$tree" | cut -f1) MiB unpacked"
  echo "$tree"
}
