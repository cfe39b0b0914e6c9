"""Those with whom a volume is compared: each makes an image of its own and serves it by NBD."""

import pathlib
import subprocess
import time


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")


class Peer:
    """A server in a process of its own, with an image in `folder` and a Unix socket."""

    def __init__(self, folder, size_mib):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.size_mib = size_mib
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

    def pids(self):
        """Its processes."""
        return [self.process.pid]

    def prepare(self):
        """Done after the image was filled."""

    def stop(self):
        """Ends the server and removes the image."""
        self.process.terminate()
        self.process.wait(60)
        for path in sorted(self.folder.iterdir()):
            path.unlink()
        self.folder.rmdir()


class Nbdkit(Peer):
    """Debian's `nbdkit file`: the system's cache and nothing else."""

    def __init__(self, folder, size_mib):
        super().__init__(folder, size_mib)
        with open(self.folder / "image", "wb") as file:
            file.truncate(size_mib << 20)
        self.start("nbdkit", "--foreground", "--unix", self.socket, "file",
                   self.folder / "image")
        self.uri = f"nbd+unix:///?socket={self.socket}"


class Qemu(Peer):
    """`qemu-storage-daemon`, past the system's cache, with io_uring."""

    FORMAT = "raw"
    SNAPSHOT = False

    def __init__(self, folder, size_mib):
        super().__init__(folder, size_mib)
        self.image = self.folder / "image"
        _run("qemu-img", "create", "-q", "-f", self.FORMAT, self.image, f"{size_mib}M")
        self.serve()
        self.uri = f"nbd+unix:///image?socket={self.socket}"

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
        """Takes the snapshot, where there is to be one."""
        if self.SNAPSHOT:
            self.process.terminate()
            self.process.wait(60)
            self.socket.unlink(missing_ok=True)
            _run("qemu-img", "snapshot", "-c", "before", self.image)
            self.serve()


class QemuQcow2(Qemu):
    """The same on a qcow2 image."""

    FORMAT = "qcow2"


class QemuQcow2Snapshot(QemuQcow2):
    """The same with an internal snapshot taken before."""

    SNAPSHOT = True


class Firebrick:
    """A volume of a `firebrick dev` of its own; snapshots, checksums and journal as always."""

    TYPE = None

    def __init__(self, folder, size_mib, binary, dev_class):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.dev = dev_class(binary, self.folder)
        if self.TYPE:
            self.dev.make_replicated_type()
        volume = {"size": -(-size_mib // 1024), "name": "bench"}
        if self.TYPE:
            volume["volume_type"] = self.TYPE
        self.volume = self.dev.make_volume(**volume)
        self.uri = self.dev.attach(self.volume)

    def pids(self):
        """The sites; the control plane has no part in this."""
        return [pid for name, pid in self.dev.processes().items() if name.startswith("site")]

    def prepare(self):
        """Takes a snapshot, as a user of a store that has them for nothing would."""
        self.dev.call("POST", "/snapshots", {"snapshot": {
            "volume_id": self.volume, "name": "before", "force": True}})

    def stop(self):
        """Ends it; the folder goes with the benchmark's."""
        self.dev.__exit__()
        _run("rm", "-rf", self.folder)


class FirebrickMirrored(Firebrick):
    """The same, mirrored to a second site on the same disk and the same processors."""

    TYPE = "replicated"
