"""Rows in SQLite and files beside it on /mnt. What a commit or an fsync that returned has promised is said on standard output.

live SEED make|keep STOP: commits row after row until there is a file STOP.   check SEED COMMITS FILES: at least so many must be there, whole.
"""
import os, random, sqlite3, sys

MODES = ["delete", "truncate", "persist", "wal"]


def body(seed, n):
    r = random.Random(f"{seed}/{n}")
    return r.randbytes(r.choice([50, 700, 5000, 30000]))


def say(what, n):
    print(what, n, flush=True)


def open_database(seed):
    db = sqlite3.connect("/mnt/rows.db", isolation_level=None)
    db.execute(f"pragma journal_mode={MODES[seed % len(MODES)]}")
    db.execute("pragma synchronous=full")
    return db


def write_file(seed, n):
    name = f"/mnt/files/{n}"
    with open(name + ".new", "wb") as f:
        f.write(body(seed, -n))
        f.flush()
        os.fsync(f.fileno())
    os.rename(name + ".new", name)
    folder = os.open("/mnt/files", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def live(seed, stop):
    db = open_database(seed)
    db.execute("create table if not exists rows(n integer primary key, body blob)")
    db.execute("create table if not exists counter(v integer)")
    if not db.execute("select count(*) from counter").fetchone()[0]:
        db.execute("insert into counter values (0)")
    os.makedirs("/mnt/files", exist_ok=True)
    os.sync()
    # What was under way at a crash may be there: go on behind it.
    start = db.execute("select v from counter").fetchone()[0]
    files = max([int(f) for f in os.listdir("/mnt/files") if f.isdigit()], default=0)
    say("file", files)
    say("ready", start)
    n = start
    while not os.path.exists(stop):
        n += 1
        db.execute("begin immediate")
        db.execute("insert into rows values (?, ?)", (n, body(seed, n)))
        db.execute("update counter set v = ?", (n,))
        db.execute("commit")
        say("commit", n)
        # Beside it, what nobody flushes: the cache is never empty.
        with open(f"/mnt/noise-{n % 7}", "wb") as f:
            f.write(body(seed, n + 1) * 3)
        if n % 3 == 0:
            files += 1
            write_file(seed, files)
            say("file", files)
        if n % 11 == 0:
            os.unlink(f"/mnt/noise-{n % 7}")
    db.close()


def check(seed, commits, files):
    db = sqlite3.connect("/mnt/rows.db", isolation_level=None)
    found = db.execute("pragma integrity_check").fetchall()
    assert found == [("ok",)], f"integrity_check: {found}"
    rows = db.execute("select n, body from rows order by n").fetchall()
    counter = db.execute("select v from counter").fetchone()[0]
    assert [n for n, _ in rows] == list(range(1, len(rows) + 1)), "a row in between is missing"
    assert counter == len(rows), f"half a transaction: {len(rows)} rows, counter {counter}"
    for n, b in rows:
        assert b == body(seed, n), f"row {n} has other content"
    assert len(rows) >= commits, f"lost: commit {commits} had returned, {len(rows)} are there"
    for n in range(1, files + 1):
        with open(f"/mnt/files/{n}", "rb") as f:
            assert f.read() == body(seed, -n), f"file {n} has other content"
    db.close()
    print(f"{len(rows)} of at least {commits} commits, {files} files")


if __name__ == "__main__":
    if sys.argv[1] == "live":
        live(int(sys.argv[2]), sys.argv[4])
    else:
        check(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
