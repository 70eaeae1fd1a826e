"""The sandbox in which servers run, and ours: one mirror or a pair. The peers are in peers.py."""

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

    def forget_ended(self):
        """Those that ended are nobody's fault any more."""
        self.processes = [process for process in self.processes if process.poll() is None]

    def run(self, *command, errors=False):
        """Output of a command that must succeed; or what it says on its way for errors."""
        done = subprocess.run(["chroot", str(self.root), *command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stderr}{self.logs()}")
        return done.stderr if errors else done.stdout

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


def cpu_seconds(pid):
    """Processor time of a process, those that it waited for, and its children."""
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        children = open(f"/proc/{pid}/task/{pid}/children").read().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(child) for child in children)


def healthy(port, path="/readyz"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Mirrors:
    """One mirror, or a pair, without guest and without Kubernetes; what is served is copy a's."""

    def __init__(self, sandbox, label, mib, copies, port=18000, flags=()):
        self.sandbox, self.label, self.copies, self.port, self.flags = sandbox, label, copies, port, flags
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
            f"{self.label}-{copy}", "/usr/bin/pairvm-mirror", "run", "--disks-only", *self.flags,
            "--arbiter-file", self.sandbox.name(f"{self.label}/lease.json"),
            "--config", f"{at}/mirror.json", "--tls", f"{at}/tls", "--run-dir", f"{at}/run",
            "--control-port", str(self.port + 100 + i), "--health-port", str(self.port + i))
        return self.processes[copy]

    def ready(self):
        return self.sandbox.accepts(self.socket) and healthy(self.port)

    def cpu_seconds(self):
        return sum(cpu_seconds(process.pid) for process in self.processes.values())
