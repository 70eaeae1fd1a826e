"""The NBD servers that ours is measured against. Each serves an export on a unix socket in the sandbox."""

import json
import socket
import subprocess

from servers import EXPORT, cpu_seconds


class Peer:
    """Processes that serve together."""

    def __init__(self, sandbox, label):
        self.sandbox, self.label = sandbox, label
        self.socket = f"{label}.sock"
        self.processes = []

    def run(self, label, *command):
        process = self.sandbox.start(label, *command)
        self.processes.append(process)
        return process

    def serves(self):
        self.sandbox.until(f"{self.label} serves", lambda: self.sandbox.accepts(self.socket))

    def cpu_seconds(self):
        return sum(cpu_seconds(process.pid) for process in self.processes)


class Nbdkit(Peer):
    """nbdkit's file plugin, one copy."""

    def __init__(self, sandbox, label, mib):
        super().__init__(sandbox, label)
        self.file = sandbox.blank(f"{label}.img", mib)

    def start(self):
        self.run(self.label, "nbdkit", "-f", "-U", self.sandbox.name(self.socket), "file", self.file)
        self.serves()


class QemuNbd(Peer):
    """qemu-nbd on a raw file, one copy; {@code words} say how it caches."""

    def __init__(self, sandbox, label, mib, *words):
        super().__init__(sandbox, label)
        self.file, self.words = sandbox.blank(f"{label}.img", mib), words

    def start(self):
        self.run(
            self.label, "qemu-nbd", "-f", "raw", *self.words, "-t", "-e", "8", "-x", EXPORT, "-k", self.sandbox.name(self.socket), self.file)
        self.serves()


class TcpNbdkit(Peer):
    """nbdkit's file plugin over TCP on the loop-back: what is beyond the link, measured without a mirror before it."""

    def __init__(self, sandbox, label, mib, port):
        super().__init__(sandbox, label)
        self.file, self.port = sandbox.blank(f"{label}.img", mib), port
        self.uri = f"nbd://127.0.0.1:{port}/{EXPORT}"

    def start(self):
        self.run(self.label, "nbdkit", "-f", "-i", "127.0.0.1", "-p", str(self.port), "file", self.file)
        self.sandbox.until("nbdkit listens", lambda: listens(self.port))


class QemuPair(Peer):
    """
    qemu-storage-daemon that writes to a local file and to a remote nbdkit: by quorum, or by a mirror job that holds each write until both
    have it (copy-mode=write-blocking; the guest's flushes do not reach its remote end). The remote end is nbdkit, never a QEMU: QEMU's NBD
    client of some releases stalls against QEMU's server over TCP, and that must not look like a gain of ours.
    """

    def __init__(self, sandbox, label, mib, kind, leg, port=0):
        super().__init__(sandbox, label)
        self.kind, self.leg, self.port = kind, leg, port  # kind: quorum or mirror; leg: tcp, tls or unix
        self.local = sandbox.blank(f"{label}-local.img", mib)
        self.remote = sandbox.blank(f"{label}-remote.img", mib)

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
        there, credentials = [], []
        if self.leg == "unix":
            path = self.sandbox.name(f"{self.label}-remote.sock")
            there, server = ["-U", path], f"server.type=unix,server.path={path}"
        else:
            there = ["-i", "127.0.0.1", "-p", str(self.port)]
            server = f"server.type=inet,server.host=127.0.0.1,server.port={self.port}"
        if self.leg == "tls":
            folder = self.certificates()
            there += ["--tls=require", f"--tls-certificates={folder}", "--tls-verify-peer"]
            credentials = ["--object", f"tls-creds-x509,id=tls,dir={folder},endpoint=client,verify-peer=on"]
            server += ",tls-creds=tls,tls-hostname=127.0.0.1"
        self.run(f"{self.label}-remote", "nbdkit", "-f", *there, "file", self.remote)
        if self.leg == "unix":
            self.sandbox.until("nbdkit listens", lambda: self.sandbox.accepts(f"{self.label}-remote.sock"))
        else:
            self.sandbox.until("nbdkit listens", lambda: listens(self.port))
        quorum = ["--blockdev", "driver=quorum,node-name=both,vote-threshold=2,read-pattern=fifo,children.0=local,children.1=remote"]
        monitor = self.sandbox.name(f"{self.label}.qmp")
        self.run(
            self.label, "qemu-storage-daemon", *credentials,
            "--chardev", f"socket,id=monitor,path={monitor},server=on,wait=off", "--monitor", "chardev=monitor",
            "--blockdev", f"driver=file,node-name=local,filename={self.local}",
            "--blockdev", f"driver=nbd,node-name=remote,{server}",
            *(quorum if self.kind == "quorum" else []),
            "--nbd-server", f"addr.type=unix,addr.path={self.sandbox.name(self.socket)}",
            "--export", f"type=nbd,id=export,node-name={'both' if self.kind == 'quorum' else 'local'},name={EXPORT},writable=on")
        self.serves()
        if self.kind == "mirror":
            self.mirror()

    def mirror(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.sandbox.path(f"{self.label}.qmp")))
            lines = s.makefile("rw")

            def ask(command, **arguments):
                lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
                lines.flush()
                while True:
                    answer = json.loads(lines.readline())
                    if "error" in answer:
                        raise SystemExit(f"{self.label}: {command}: {answer['error']['desc']}")
                    if "return" in answer:
                        return answer["return"]

            lines.readline()  # its greeting
            ask("qmp_capabilities")
            ask("blockdev-mirror", **{"job-id": "mirror", "device": "local", "target": "remote", "sync": "full", "copy-mode": "write-blocking"})
            self.sandbox.until(f"{self.label} mirrors", lambda: any(job["ready"] for job in ask("query-block-jobs")))


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
