#!/bin/bash
# Boots the test guest without KVM and checks what it promises. Takes a minute or two; prints each step; leaves nothing running.
set -euo pipefail
GUEST=$(cd "$(dirname "$0")" && pwd)
WORK=$(mktemp -d)
export PORT_OFFSET=$((20000 + RANDOM % 5000)) SERIAL=file:/mnt/disk/console DISK_SIZE=256M
QEMU=
passed=0

end() {
  [ -z "$QEMU" ] || kill -KILL "$QEMU" 2> /dev/null || true
  rm -rf "$WORK"
}
trap end EXIT

fail() { echo "FAILED: $*" >&2; tail -n 20 "$WORK/console" >&2 2> /dev/null || true; exit 1; }
passes() { passed=$((passed + 1)); echo "ok $passed - $*"; }

boot() {
  rm -f "$WORK/console"
  "$GUEST/run.sh" "$WORK/disk.img" "$@" > "$WORK/qemu.log" 2>&1 < /dev/null &
  QEMU=$!
  local i
  for i in $(seq 600); do
    grep -q 'stage running' "$WORK/console" 2> /dev/null && return
    kill -0 "$QEMU" 2> /dev/null || { cat "$WORK/qemu.log" >&2; fail "QEMU ended while booting"; }
    sleep 0.1
  done
  fail "not booted within a minute"
}

kill_guest() { kill -KILL "$QEMU"; wait "$QEMU" 2> /dev/null || true; QEMU=; }

# ask PORT LINE: the last line of the answer (which begins with OK, FAIL or ERROR)
ask() {
  local line
  exec 4<> "/dev/tcp/127.0.0.1/$(($1 + PORT_OFFSET))"
  echo "$2" >&4
  while IFS= read -r -t 30 line <&4; do
    case $line in OK* | FAIL* | ERROR*) break ;; *) echo "  $line" >&2 ;; esac
  done
  exec 4>&-
  echo "${line:-nothing}"
}

# listen N: the number of the Nth announcement from now
listen() {
  local line n=0
  exec 5<> "/dev/tcp/127.0.0.1/$((7003 + PORT_OFFSET))"
  while [ "$n" -lt "$1" ] && IFS= read -r -t 10 line <&5; do
    case $line in [0-9]*) n=$((n + 1)) ;; IOERROR* | LOST*) fail "$line" ;; esac
  done
  exec 5>&-
  echo "${line:-0}"
}

# http REQUEST...: what the HTTP service says to these requests, sent at once on one connection that the last of them ends
http() {
  exec 6<> "/dev/tcp/127.0.0.1/$((7006 + PORT_OFFSET))"
  printf '%b' "$@" >&6
  timeout 30 tr -d '\r' <&6 || echo "not closed"
  exec 6>&-
}

expect() { # expect PATTERN TEXT WHAT
  case $2 in $1) passes "$3" ;; *) fail "$3: expected \"$1\", got \"$2\"" ;; esac
}

boot
expect '[1-9]*' "$(listen 50)" "records are announced"
expect 'OK log first=1 *' "$(ask 7004 verify)" "the log reads back whole"
expect 'FAIL log *' "$(ask 7004 'verify 99999999')" "a record that was never written fails verification"
expect 'ERROR *' "$(ask 7005 'nonsense')" "an unknown command is refused"
expect 'OK depth 32' "$(ask 7005 'depth 32')" "depth can be set"
expect 'OK rate 3000' "$(ask 7005 'rate 3000')" "rate can be set"
expect 'OK fill 32' "$(ask 7005 'fill 32')" "memory can be filled"
expect 'OK dirty 20' "$(ask 7005 'dirty 20')" "memory can be dirtied"
answers=$(http 'GET /17 HTTP/1.1\r\nHost: guest\r\n\r\n' 'GET /18 HTTP/1.1\r\n\r\n' 'GET /x HTTP/1.1\r\n\r\n' 'GET /19 HTTP/1.1\r\nConnection: close\r\n\r\n')
expect '*n=17 uptime=*boot=*n=18 uptime=*404 Not Found*n=19 uptime=*' "$answers" "many HTTP requests are answered on one connection"
expect 'HTTP/1.1 405 *Connection: close*' "$(http 'POST /1 HTTP/1.1\r\n\r\n')" "HTTP takes no other method than GET"
expect 'HTTP/1.1 400 *Connection: close*' "$(http 'GET /1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET ')" "HTTP takes no bodies"
expect '*ERROR *' "$(http "GET /$(printf '%0300d' 1) HTTP/1.1\r\n\r\n")" "HTTP takes no endless line"
last=$(listen 500)
expect 'OK memory pages=8192 bad=0' "$(ask 7005 memcheck)" "memory holds what was written"
kill_guest

boot
expect "OK log first=1 *" "$(ask 7004 "verify 1")" "after SIGKILL of QEMU no record is missing"
expect 'OK record *' "$(ask 7004 "get $last")" "the last announced record ($last) is there"
expect 'OK status * boots=1 *' "$(ask 7005 status)" "the second boot is counted"
expect 'OK reboot' "$(ask 7005 reboot)" "reboot is accepted"
before=$(grep -c 'stage running' "$WORK/console")
for i in $(seq 600); do [ "$(grep -c 'stage running' "$WORK/console")" -gt "$before" ] && break; sleep 0.1; done
expect 'OK log *' "$(ask 7004 verify)" "after a reboot no record is missing"
ask 7005 'rate 0' > /dev/null
expect 'OK sync' "$(ask 7005 sync)" "sync is answered"
kill_guest

# the log's slots begin 16 blocks behind 32 MiB; what lies in one of them must not go unnoticed
dd if=/dev/zero of="$WORK/disk.img" bs=4096 seek=$((8192 + 16 + 40)) count=1 conv=notrunc status=none
dd if="$WORK/disk.img" of="$WORK/disk.img" bs=4096 skip=$((8192 + 16 + 41)) seek=$((8192 + 16 + 42)) count=1 conv=notrunc status=none
printf 'X' | dd of="$WORK/disk.img" bs=1 seek=$(((8192 + 16 + 44) * 4096 + 2000)) conv=notrunc status=none
boot
expect 'FAIL log * holes=2 badcrc=1 *' "$(ask 7004 verify)" "a lost, a misplaced and a torn record are found"
kill_guest

# all records behind number 60 are gone: numbering goes on behind the hint, and the loss shows
rm -f "$WORK/disk.img"
boot
listen 400 > /dev/null
kill_guest
dd if=/dev/zero of="$WORK/disk.img" bs=4096 seek=$((8192 + 16 + 60)) count=2000 conv=notrunc status=none
boot
grep -q 'LOST record' "$WORK/console" || fail "a lost tail is not told"
expect 'FAIL log *' "$(ask 7004 verify)" "a lost tail is found"
kill_guest

# a seed with a static address; the user network of QEMU answers to it
rm -f "$WORK/disk.img"
truncate -s 1M "$WORK/seed.img"
mkdir "$WORK/seed"
printf '#cloud-config\n# pairvm-guest: rate=50 depth=2\nhostname: orders\n' > "$WORK/seed/user-data"
printf 'instance-id: i-1\n' > "$WORK/seed/meta-data"
printf 'version: 2\nethernets:\n  nic0:\n    match:\n      macaddress: "52:54:00:12:34:56"\n    addresses: [10.0.2.15/24]\n    gateway4: 10.0.2.2\n    nameservers:\n      addresses: [10.0.2.3]\n' > "$WORK/seed/network-config"
tree=${PAIRVM_CACHE:-$HOME/.cache/pairvm}/images/trees/guest
unshare --mount --propagation private sh -euc '
  mkdir -p "$1/mnt/work"
  mount --bind "$2" "$1/mnt/work"
  exec chroot "$1" sh -euc "mkfs.fat -n CIDATA /mnt/work/seed.img > /dev/null; mcopy -i /mnt/work/seed.img /mnt/work/seed/* ::"' seed "$tree" "$WORK"
boot -drive if=none,id=seed,format=raw,readonly=on,file=/mnt/disk/seed.img -device virtio-blk-pci,drive=seed
grep -q 'eth0: address 10.0.2.15/24 gateway 10.0.2.2' "$WORK/console" || fail "the seed's address was not taken"
expect 'OK status * rate=50 depth=2 * host=orders' "$(ask 7005 status)" "a NoCloud seed sets address, name and settings"
expect 'OK panic' "$(ask 7005 panic)" "panic is accepted"
for i in $(seq 100); do kill -0 "$QEMU" 2> /dev/null || break; grep -q 'Kernel panic' "$WORK/console" && break; sleep 0.1; done
grep -q 'Kernel panic' "$WORK/console" || fail "no panic"
passes "the kernel panics on request"
kill_guest
echo "$passed passed, 0 failed"
