"""trainer.py ROOT: what a mirror meets in a pod, for the run that records its classes: an API server with one Lease, and a client of its disk."""

import http.server
import json
import os
import pathlib
import random
import shutil
import ssl
import sys
import threading
import time

ROOT = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "soak"))
import nbd  # noqa: E402  the path comes first

LEASE = json.loads((ROOT / "train/lease.json").read_text())
LOCK = threading.Lock()


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with LOCK:
            self.answer(200, LEASE)

    def do_PUT(self):
        global LEASE
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            if wanted["metadata"]["resourceVersion"] != LEASE["metadata"]["resourceVersion"]:
                self.answer(409, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409})
                return
            wanted["metadata"]["resourceVersion"] = str(int(LEASE["metadata"]["resourceVersion"]) + 1)
            LEASE = wanted
            self.answer(200, LEASE)

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def use_the_disk():
    """Writes, durable writes, flushes and reads, as soon as there is a disk."""
    os.chdir(ROOT)  # a socket's path is short
    guest = nbd.Guest("train/a/run/nbd.sock", nbd.Ledger(1024), random.Random(1), depth=8)
    guest.start()
    time.sleep(4)
    guest.stop(kill=True)
    nbd.read_all("train/a/run/nbd.sock", 1024)


def main():
    account = ROOT / "var/run/secrets/kubernetes.io/serviceaccount"
    account.mkdir(parents=True, exist_ok=True)
    (account / "token").write_text("token")
    shutil.copy(ROOT / "train/a/tls/ca.crt", account / "ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ROOT / "train/a/tls/tls.crt", ROOT / "train/a/tls/tls.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 6443), Api)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=use_the_disk, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
