# Progress and errors; sourced. Everything goes to standard error, so that functions can print results.
START=$(date +%s%N)

say() { printf '%6.1fs  %s\n' "$((($(date +%s%N) - START) / 1000000))e-3" "$*" >&2; }

die() { echo "error: $*" >&2; exit 1; }

# need TOOL... : the packages' names are those of Debian
need() {
  local missing=() tool
  for tool in "$@"; do command -v "$tool" > /dev/null || missing+=("$tool"); done
  [ ${#missing[@]} -eq 0 ] || die "missing on this machine: ${missing[*]} (\"make deps\" installs what a fresh Debian machine lacks)"
}

need_root() { [ "$(id -u)" = 0 ] || die "must be root: $1"; }

# key_of FILE... : one hash of the contents of files, in this order
key_of() { cat "$@" | sha256sum | cut -c1-16; }
