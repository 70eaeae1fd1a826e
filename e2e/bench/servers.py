"""NBD servers under test: ours, alone and as a pair, and the peers. Each serves an export on a unix socket in the sandbox."""

import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

EXPORT = "disk"
START_LIMIT = 60


class Sandbox:
    """A root file system in which everything runs, and the processes that were started there."""

    def __init__(self, root, inside, layout):
        self.root = pathlib.Path(root)
        self.inside = pathlib.PurePosixPath(inside)
        self.layout = layout
        self.processes = []
        self.path("").mkdir(parents=True)

    def path(self, name):
        """A file of the work directory as this process sees it."""
        return self.root / str(self.inside).lstrip("/") / name

    def name(self, name):
        """The same as the programs in the sandbox see it."""
        return str(self.inside / name)

    def start(self, label, *command, environment=None):
        log = open(self.path(f"{label}.log"), "ab")
        process = subprocess.Popen(
            ["chroot", str(self.root), "/usr/bin/env", *(f"{k}={v}" for k, v in (environment or {}).items()), *command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        process.label = label
        self.processes.append(process)
        return process

    def run(self, *command):
        """Output of a command that must succeed."""
        done = subprocess.run(["chroot", str(self.root), *command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stderr}{self.logs()}")
        return done.stdout

    def logs(self):
        tails = (f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) for log in sorted(self.path("").glob("*.log")))
        return "\n".join(tails)

    def until(self, what, condition):
        """Waits for a fact; gives up, with every server's last words, when one of them ended or time is up."""
        end = time.monotonic() + START_LIMIT
        while not condition():
            for process in self.processes:
                if process.poll() is not None:
                    raise SystemExit(f"{process.label} ended with status {process.returncode}\n{self.logs()}")
            if time.monotonic() > end:
                raise SystemExit(f"waited {START_LIMIT} s in vain for: {what}\n{self.logs()}")
            time.sleep(0.005)

    def accepts(self, name):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(1)
                s.connect(str(self.path(name)))
                return s.recv(8) == b"NBDMAGIC"
        except OSError:
            return False

    def stop(self, *processes):
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self.processes.remove(process)

    def stop_all(self):
        self.stop(*list(self.processes))

    def blank(self, name, mib):
        """An image file of zeros."""
        with open(self.path(name), "wb") as file:
            file.truncate(mib << 20)
        return self.name(name)


def healthy(port, path="/readyz"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Mirrors:
    """One mirror, or a pair, without guest and without Kubernetes; what is served is copy a's."""

    def __init__(self, sandbox, label, mib, copies, port=18000):
        self.sandbox, self.label, self.copies, self.port = sandbox, label, copies, port
        self.processes = {}
        subprocess.run([str(sandbox.layout), str(sandbox.root), sandbox.name(label), str(mib << 20), *copies], check=True,
                       env=os.environ | {"LINK_PORT": str(port + 200)})
        self.socket = f"{label}/a/run/nbd.sock"

    def start(self):
        for i, copy in enumerate(self.copies):
            self.start_copy(copy, i)
        self.sandbox.until(f"{self.label} serves", self.ready)
        if len(self.copies) > 1:
            lease = self.sandbox.path(f"{self.label}/lease.json")
            self.sandbox.until("the pair is in sync", lambda: '"a,b"' in lease.read_text())

    def start_copy(self, copy, i=0):
        at = self.sandbox.name(f"{self.label}/{copy}")
        self.processes[copy] = self.sandbox.start(
            f"{self.label}-{copy}", "/usr/bin/pairvm-mirror", "run", "--disks-only",
            "--arbiter-file", self.sandbox.name(f"{self.label}/lease.json"),
            "--config", f"{at}/mirror.json", "--tls", f"{at}/tls", "--run-dir", f"{at}/run",
            "--control-port", str(self.port + 100 + i), "--health-port", str(self.port + i))
        return self.processes[copy]

    def ready(self):
        return self.sandbox.accepts(self.socket) and healthy(self.port)


class Nbdkit:
    """nbdkit's file plugin, one copy."""

    def __init__(self, sandbox, label, mib):
        self.sandbox, self.label = sandbox, label
        self.file = sandbox.blank(f"{label}.img", mib)
        self.socket = f"{label}.sock"

    def start(self):
        self.sandbox.start(self.label, "nbdkit", "-f", "-U", self.sandbox.name(self.socket), "file", self.file)
        self.sandbox.until(f"{self.label} serves", lambda: self.sandbox.accepts(self.socket))


class QemuNbd(Nbdkit):
    """qemu-nbd on a raw file, cache=writeback, one copy."""

    def start(self):
        self.sandbox.start(
            self.label, "qemu-nbd", "-f", "raw", "--cache=writeback", "-t", "-e", "8", "-x", EXPORT,
            "-k", self.sandbox.name(self.socket), self.file)
        self.sandbox.until(f"{self.label} serves", lambda: self.sandbox.accepts(self.socket))


class Quorum:
    """QEMU's quorum in qemu-storage-daemon: one local file, one nbdkit over TCP on the loop-back, in the clear or by TLS."""

    def __init__(self, sandbox, label, mib, port, tls=False):
        self.sandbox, self.label, self.port, self.tls = sandbox, label, port, tls
        self.local = sandbox.blank(f"{label}-local.img", mib)
        self.remote = sandbox.blank(f"{label}-remote.img", mib)
        self.socket = f"{label}.sock"

    def certificates(self):
        """Both ends use copy a's certificate, under the names that gnutls wants."""
        at = f"{self.label}-tls"
        subprocess.run([str(self.sandbox.layout), str(self.sandbox.root), self.sandbox.name(at), "1048576", "a"], check=True)
        tls = self.sandbox.path(f"{at}/a/tls")
        for name in ("server", "client"):
            (tls / f"{name}-cert.pem").write_bytes((tls / "tls.crt").read_bytes())
            (tls / f"{name}-key.pem").write_bytes((tls / "tls.key").read_bytes())
        (tls / "ca-cert.pem").write_bytes((tls / "ca.crt").read_bytes())
        return self.sandbox.name(f"{at}/a/tls")

    def start(self):
        server, credentials, child = [], [], ""
        if self.tls:
            folder = self.certificates()
            server = ["--tls=require", f"--tls-certificates={folder}", "--tls-verify-peer"]
            credentials = ["--object", f"tls-creds-x509,id=tls,dir={folder},endpoint=client,verify-peer=on"]
            child = ",tls-creds=tls,tls-hostname=127.0.0.1"
        self.sandbox.start(f"{self.label}-remote", "nbdkit", "-f", "-i", "127.0.0.1", "-p", str(self.port), *server, "file", self.remote)
        self.sandbox.until("nbdkit listens", self.listens)
        self.sandbox.start(
            self.label, "qemu-storage-daemon", *credentials,
            "--blockdev", f"driver=file,node-name=local,filename={self.local}",
            "--blockdev", f"driver=nbd,node-name=remote,server.type=inet,server.host=127.0.0.1,server.port={self.port}{child}",
            "--blockdev", "driver=quorum,node-name=both,vote-threshold=2,read-pattern=fifo,children.0=local,children.1=remote",
            "--nbd-server", f"addr.type=unix,addr.path={self.sandbox.name(self.socket)}",
            "--export", f"type=nbd,id=export,node-name=both,name={EXPORT},writable=on")
        self.sandbox.until(f"{self.label} serves", lambda: self.sandbox.accepts(self.socket))

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False
