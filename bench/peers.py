"""Those with whom a volume is compared: each makes an image of its own and serves it, confined to so
much memory where the bench says so."""

import os
import pathlib
import shutil
import subprocess
import time

import fio
from dev import Dev
from proc import Confined


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")


class Candidate:
    """An image in `folder`, and the processes that serve it."""

    target = None

    def __init__(self, folder, size_mib, memory):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.size_mib = size_mib
        self.memory = memory
        self.groups = []

    def pids(self):
        """The processes that serve it."""
        return []

    def prepare(self):
        """Done after the image was filled."""

    def confine(self):
        """Puts each of its processes into a group with that much memory."""
        if self.memory:
            self.groups += [Confined(pid, self.memory) for pid in self.pids()]

    def halt(self):
        """Ends the processes."""

    def stop(self):
        """Ends it and removes the image."""
        self.halt()
        for group in self.groups:
            group.end()
        shutil.rmtree(self.folder)


class Raw(Candidate):
    """A file of the same file system, without a server and past the cache."""

    def __init__(self, folder, size_mib, memory):
        super().__init__(folder, size_mib, memory)
        path = self.folder / "image"
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size_mib << 20)
        self.target = fio.direct(path)


class Server(Candidate):
    """A server in a process of its own, with a Unix socket."""

    def __init__(self, folder, size_mib, memory):
        super().__init__(folder, size_mib, memory)
        self.socket = self.folder / "nbd.sock"
        self.process = None

    def start(self, *command):
        """Starts the server and waits until it listens."""
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not self.socket.exists():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"it does not listen: {' '.join(map(str, command))}")
            time.sleep(0.01)
        self.confine()

    def pids(self):
        return [self.process.pid]

    def halt(self):
        self.process.terminate()
        self.process.wait(60)


class Nbdkit(Server):
    """Debian's `nbdkit file`: the system's cache and nothing else."""

    def __init__(self, folder, size_mib, memory):
        super().__init__(folder, size_mib, memory)
        with open(self.folder / "image", "wb") as file:
            file.truncate(size_mib << 20)
        self.start("nbdkit", "--foreground", "--unix", self.socket, "file", self.folder / "image")
        self.target = fio.nbd(f"nbd+unix:///?socket={self.socket}")


class Qemu(Server):
    """`qemu-storage-daemon`, past the system's cache, with io_uring."""

    FORMAT = "raw"
    SNAPSHOT = False

    def __init__(self, folder, size_mib, memory):
        super().__init__(folder, size_mib, memory)
        self.image = self.folder / "image"
        _run("qemu-img", "create", "-q", "-f", self.FORMAT, self.image, f"{size_mib}M")
        self.serve()
        self.target = fio.nbd(f"nbd+unix:///image?socket={self.socket}")

    def serve(self):
        """Starts the daemon."""
        self.start(
            "qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=file,filename={self.image},aio=io_uring,"
                          "cache.direct=on,discard=unmap",
            "--blockdev", f"driver={self.FORMAT},node-name=image,file=file,cache.direct=on",
            "--nbd-server", f"addr.type=unix,addr.path={self.socket}",
            "--export", "type=nbd,id=image,node-name=image,name=image,writable=on")

    def prepare(self):
        if self.SNAPSHOT:
            self.halt()
            self.socket.unlink(missing_ok=True)
            _run("qemu-img", "snapshot", "-c", "before", self.image)
            self.serve()


class QemuQcow2(Qemu):
    """The same on a qcow2 image."""

    FORMAT = "qcow2"


class QemuQcow2Snapshot(QemuQcow2):
    """The same with an internal snapshot taken before."""

    SNAPSHOT = True


class Firebrick(Candidate):
    """A volume of a `firebrick dev` of its own; snapshots, checksums and journal as always."""

    TYPE = None

    def __init__(self, folder, size_mib, memory, binary):
        super().__init__(folder, size_mib, memory)
        self.dev = Dev(binary, self.folder)
        more = {}
        if self.TYPE:
            self.dev.make_replicated_type()
            more["volume_type"] = self.TYPE
        self.volume = self.dev.make_volume(size_mib, name="bench", **more)
        self.confine()
        self.target = fio.nbd(self.dev.attach(self.volume))

    def pids(self):
        """The sites; the control plane has no part in this."""
        return self.dev.site_pids()

    def prepare(self):
        """Takes a snapshot, as a user of a store that has them for nothing would."""
        self.dev.take_snapshot(self.volume)

    def halt(self):
        self.dev.__exit__()


class FirebrickPlain(Firebrick):
    """The same without a snapshot: what is overwritten is of no use, as in a plain file."""

    def prepare(self):
        """Nothing."""


class FirebrickMirrored(Firebrick):
    """The same, mirrored to a second site on the same disk and the same processors."""

    TYPE = "replicated"
