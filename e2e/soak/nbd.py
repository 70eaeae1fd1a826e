"""A small NBD client that behaves like QEMU's: what is outstanding when the connection breaks is sent again on the next one."""

import os
import select
import socket
import struct
import threading
import time

BLOCK = 4096
REQUEST = struct.Struct(">IHHQQI")
REPLY = struct.Struct(">IIQ")
TAG = struct.Struct(">QQ")
READ, WRITE, FLUSH = 0, 1, 3
FUA = 1
RETRY_SECONDS = 0.02


def content(block, generation):
    """4 KiB that say all over which write they are, so that a torn one shows."""
    return TAG.pack(block, generation) * (BLOCK // TAG.size)


def generation_of(block, data):
    """The write that these 4 KiB are, 0 if they were never written, None if they are no whole write of this block."""
    if data == bytes(BLOCK):
        return 0
    at, generation = TAG.unpack_from(data)
    return generation if at == block and data == content(block, generation) else None


def exactly(sock, length):
    parts = []
    while length:
        part = sock.recv(length)
        if not part:
            raise ConnectionError("the server closed the connection")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def connect(path, timeout=5):
    """A connection in the transmission phase."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
        if exactly(sock, 18)[:16] != b"NBDMAGICIHAVEOPT":
            raise ConnectionError("no fixed newstyle server")
        name = b"disk"
        sock.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">III", 7, len(name) + 6, len(name)) + name + b"\0\0")
        while True:
            _, option, kind, length = struct.unpack(">QIII", exactly(sock, 20))
            exactly(sock, length)
            if kind & 0x80000000:
                raise ConnectionError(f"option {option} was refused with {kind:#x}")
            if kind == 1:
                return sock
    except BaseException:
        sock.close()
        raise


def read_all(path, blocks):
    """Generations of all blocks, as the server at this socket has them; blocks are read in large pieces."""
    sock = connect(path)
    sock.settimeout(60)
    found = []
    try:
        step = 256
        for first in range(0, blocks, step):
            count = min(step, blocks - first)
            sock.sendall(REQUEST.pack(0x25609513, 0, READ, first, first * BLOCK, count * BLOCK))
            _, error, _ = REPLY.unpack(exactly(sock, REPLY.size))
            if error:
                raise OSError(error, os.strerror(error))
            data = exactly(sock, count * BLOCK)
            found += [generation_of(first + i, data[i * BLOCK:(i + 1) * BLOCK]) for i in range(count)]
    finally:
        sock.close()
    return found


class Guest(threading.Thread):
    """Writes to random blocks without end, some durably, with flushes in between, until it is told to stop. One life of a guest."""

    def __init__(self, path, ledger, rng, depth):
        super().__init__(daemon=True)
        self.path, self.ledger, self.rng, self.depth = path, ledger, rng, depth
        self.outstanding = {}
        self.ending = threading.Event()
        self.kill_now = False
        self.failure = None

    def run(self):
        while not self.over():
            try:
                sock = connect(self.path)
            except OSError:
                time.sleep(RETRY_SECONDS)
                continue
            try:
                self.serve(sock)
            except OSError:
                pass
            except Exception as e:  # the soak must see it
                self.failure = e
                return
            finally:
                sock.close()

    def over(self):
        return self.ending.is_set() and (self.kill_now or not self.outstanding)

    def serve(self, sock):
        sock.setblocking(False)
        out = bytearray()
        for handle, (kind, block, generation) in self.outstanding.items():
            out += self.frame(handle, kind, block, generation)
        buffer = bytearray()
        while not self.over():
            while len(self.outstanding) < self.depth and not self.ending.is_set():
                out += self.new_request()
            readable, writable, _ = select.select([sock], [sock] if out else [], [], 0.1)
            if writable:
                del out[:sock.send(out[:1 << 20])]
            if readable:
                data = sock.recv(1 << 16)
                if not data:
                    raise ConnectionError("closed")
                buffer += data
                while len(buffer) >= REPLY.size:
                    _, error, handle = REPLY.unpack_from(buffer)
                    del buffer[:REPLY.size]
                    self.answered(handle, error)

    def new_request(self):
        ledger = self.ledger
        ledger.handles += 1
        if ledger.handles % 101 == 0:
            self.outstanding[ledger.handles] = (FLUSH, 0, 0)
            return self.frame(ledger.handles, FLUSH, 0, 0)
        block = self.rng.randrange(ledger.blocks)
        while block in ledger.writing:
            block = self.rng.randrange(ledger.blocks)
        generation = ledger.begin(block)
        self.outstanding[ledger.handles] = (WRITE, block, generation)
        return self.frame(ledger.handles, WRITE, block, generation)

    @staticmethod
    def frame(handle, kind, block, generation):
        if kind == FLUSH:
            return REQUEST.pack(0x25609513, 0, FLUSH, handle, 0, 0)
        flags = FUA if generation % 67 == 0 else 0
        return REQUEST.pack(0x25609513, flags, WRITE, handle, block * BLOCK, BLOCK) + content(block, generation)

    def answered(self, handle, error):
        kind, block, generation = self.outstanding.pop(handle)
        if error:
            self.ledger.errors += 1
        elif kind == WRITE:
            self.ledger.acknowledge(block, generation)
        if error and kind == WRITE:
            self.ledger.lost_sight(block, generation)

    def stop(self, kill):
        """Ends this life: killed with everything outstanding, or after the last answer."""
        self.kill_now = kill
        self.ending.set()
        self.join(120)
        if self.is_alive():
            raise SystemExit("the guest's last requests were not answered within 120 s")
        for kind, block, generation in self.outstanding.values():
            if kind == WRITE:
                self.ledger.lost_sight(block, generation)
        self.outstanding.clear()


class Ledger:
    """What the guest was told, per block: the promise that is checked."""

    def __init__(self, blocks):
        self.blocks = blocks
        self.acknowledged = [0] * blocks
        self.writing = {}
        self.unknown = {}
        self.generation = 0
        self.handles = 0
        self.writes = 0
        self.errors = 0
        self.lost = 0
        self.reordered = 0
        self.last_answer = time.monotonic()

    def begin(self, block):
        self.generation += 1
        self.writing[block] = self.generation
        return self.generation

    def acknowledge(self, block, generation):
        del self.writing[block]
        self.acknowledged[block] = generation
        self.writes += 1
        self.last_answer = time.monotonic()

    def lost_sight(self, block, generation):
        """Never answered, or by an error: it may be there or not, and that must not change any more once it was looked at."""
        self.writing.pop(block, None)
        self.unknown.setdefault(block, set()).add(generation)

    def check(self, found, say):
        """Each block holds its last acknowledged write, or a later one that was never answered. What was seen is a promise from now on."""
        for block, generation in enumerate(found):
            promised = self.acknowledged[block]
            if generation == promised:
                pass
            elif generation is None:
                self.lost += 1
                say(f"block {block} is torn or foreign, {promised} was acknowledged")
            elif generation < promised:
                self.lost += 1
                say(f"block {block} holds write {generation}, {promised} was acknowledged")
            elif generation not in self.unknown.get(block, ()):
                self.reordered += 1
                say(f"block {block} holds write {generation}, which was settled to be absent; {promised} was acknowledged")
            if generation is not None:
                self.acknowledged[block] = generation
        self.unknown.clear()
