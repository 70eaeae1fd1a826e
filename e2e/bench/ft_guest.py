"""The test guest (../guest) from outside: what its clients can measure."""

import socket
import statistics
import threading
import time

ADDRESS = "10.8.0.2"
ECHO, CONTROL, LOG = 7002, 7005, 7003
BOOT_SECONDS = 90
LATENCY_BYTES = 64
BULK_BYTES = 16384


def connect(port, seconds=10):
    sock = socket.create_connection((ADDRESS, port), timeout=seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(60)
    return sock


def ask(line, port=CONTROL):
    """The first line of the guest's answer."""
    with connect(port) as sock, sock.makefile("rw") as lines:
        lines.write(line + "\n")
        lines.flush()
        return lines.readline().strip()


def await_boot(alive):
    end = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            return ask("bootid")
        except OSError:
            alive()
            if time.monotonic() > end:
                raise SystemExit(f"the guest did not boot within {BOOT_SECONDS} s") from None
            time.sleep(0.1)


def exactly(sock, count):
    got = b""
    while len(got) < count:
        more = sock.recv(count - len(got))
        if not more:
            raise SystemExit("the guest closed a connection")
        got += more
    return got


def round_trips(seconds):
    """Seconds of each request and its answer, one at a time on one connection."""
    taken = []
    payload = bytes(range(LATENCY_BYTES))
    with connect(ECHO) as sock:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            sock.sendall(payload)
            if exactly(sock, LATENCY_BYTES) != payload:
                raise SystemExit("the echo is not what was sent")
            taken.append(time.monotonic() - began)
    return taken


def requests_per_second(seconds, clients=8):
    """The same by several connections at once."""
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(len(round_trips(seconds)))) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def bulk(seconds):
    """Bytes a second to the guest and back, on one connection."""
    with connect(ECHO) as sock:
        over = threading.Event()

        def send():
            block = bytes(BULK_BYTES)
            try:
                while not over.is_set():
                    sock.sendall(block)
            except OSError:
                pass

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        time.sleep(0.3)
        began, count = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            count += len(sock.recv(65536))
        taken = time.monotonic() - began
        over.set()
        sock.shutdown(socket.SHUT_RDWR)
        sender.join(5)
        return count / taken


def last_record():
    fields = dict(word.split("=", 1) for word in ask("status").split() if "=" in word)
    if fields["ioerrors"] != "0":
        raise SystemExit("the guest saw an I/O error")
    return int(fields["last"])


def writes_per_second(seconds, depth):
    """4 KiB records that were written and flushed, so many in flight before each flush."""
    ask(f"depth {depth}")
    ask("rate 1000000")
    time.sleep(0.3)
    before, began = last_record(), time.monotonic()
    time.sleep(seconds)
    after, ended = last_record(), time.monotonic()
    ask("rate 0")
    ask("depth 1")
    return (after - before) / (ended - began)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(seconds):
    """All of it, of a guest that does nothing else."""
    ask("rate 0")
    trips = round_trips(seconds)
    return {
        "round trip, p50": ("µs", statistics.median(trips) * 1e6),
        "round trip, p99": ("µs", percentile(trips, 0.99) * 1e6),
        "requests a second, 8 connections": ("1/s", requests_per_second(seconds)),
        "bulk TCP, there and back": ("MB/s", bulk(seconds) / 1e6),
        "4k write and flush": ("1/s", writes_per_second(seconds, 1)),
        "4k writes, 32 to a flush": ("1/s", writes_per_second(seconds, 32)),
    }
