# Progress, errors, time; sourced. All of it goes to standard error, so that commands can print results.
STARTED=$(date +%s%N)

elapsed() { local ms=$((($(date +%s%N) - ${1:-$STARTED}) / 1000000)); printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100)); }
say() { printf '%6ss  %s\n' "$(elapsed)" "$*" >&2; }
die() { echo "lab: $*" >&2; exit 1; }

# wait_until SECONDS WHAT COMMAND... : polls; the error says what did not happen
wait_until() {
  local limit=$1 what=$2 end
  shift 2
  end=$(($(date +%s) + limit))
  until "$@" > /dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || die "$what: not within $limit s (logs: $LAB/log)"
    sleep 0.1
  done
}
