#!/bin/bash
# PostgreSQL on /mnt: pgbench's own transactions for the load, and beside them a session that says each commit that returned.
# live SEED make|keep STOP        check SEED COMMITS FILES
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
as() { setpriv --reuid postgres --regid postgres --clear-groups env PATH="$bin:/usr/bin:/bin" LC_ALL=C PGHOST=/mnt/db PGUSER=postgres PGDATABASE=postgres "$@"; }
start() {
  cd /
  # One connection's socket on the file system itself; no port. A stale lock file names a process of a namespace that is gone.
  rm -f /mnt/db/data/postmaster.pid /mnt/db/.s.PGSQL.*
  as pg_ctl -D /mnt/db/data -w -t 60 -s -l /mnt/db/log -o "-c listen_addresses= -k /mnt/db -c shared_buffers=16MB $*" start < /dev/null > /dev/null 2>&1 ||
    { echo "no start: $(tail -5 /mnt/db/log)"; exit 1; }
}
stop() { as pg_ctl -D /mnt/db/data -w -s -m "$1" stop < /dev/null > /dev/null 2>&1; }
case $1 in
  live)
    if [ "$3" = make ]; then
      install -d -o postgres -g postgres -m 700 /mnt/db
      as initdb -D /mnt/db/data --data-checksums --wal-segsize=1 -A trust -N > /dev/null 2>&1
      as bash -c 'printf "max_wal_size=8MB\nmin_wal_size=2MB\nautovacuum_naptime=2s\ncheckpoint_timeout=30s\nfsync=on\nsynchronous_commit=on\n" >> /mnt/db/data/postgresql.conf'
      start
      as pgbench -i -q -s 1 > /dev/null 2>&1
      as psql -q -c 'create table acked(n int primary key)'
    else
      start
    fi
    sync -f /mnt
    last=$(as psql -qAt -c 'select coalesce(max(n), 0) from acked')
    echo "ready $last"
    as pgbench -n -c 2 -T 600 > /dev/null 2>&1 &
    load=$!
    coproc session { as stdbuf -oL psql -q -v ON_ERROR_STOP=1; }
    n=$last
    while [ ! -e "$4" ]; do
      n=$((n + 1))
      printf 'insert into acked values (%d);\n\\echo commit %d\n' $n $n >&"${session[1]}"
      read -r said <&"${session[0]}"
      echo "$said"
    done
    kill $load; wait $load 2> /dev/null || true
    stop fast
    ;;
  check)
    start -c fsync=off               # this image is looked at once
    found=$(as psql -qAt -v ON_ERROR_STOP=1 -c "select count(*), coalesce(max(n), 0) from acked" -c "
      select (select sum(abalance) from pgbench_accounts) = (select sum(tbalance) from pgbench_tellers)
         and (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches)
         and (select sum(abalance) from pgbench_accounts) = coalesce((select sum(delta) from pgbench_history), 0), count(*) from pgbench_history" 2>&1 | tr '\n' '|')
    stop immediate
    IFS='|' read -r count most sums history _ <<< "$found"
    [ "$sums" = t ] || { echo "sums differ: $found"; exit 1; }
    [ "$count" = "$most" ] && [ "$most" -ge "$3" ] || { echo "lost: commit $3 had returned, there are $count up to $most"; exit 1; }
    echo "$most of at least $3 commits, $history of pgbench"
    ;;
  *) exit 2 ;;
esac
