"""RBD's journal mirroring, measured as two sites are: two Ceph clusters of one node each, with an rbd-mirror beside each."""

import json
import os
import subprocess
import threading
import time

import fio
from common import say

POOL = "volumes"
FEATURES = "layering,exclusive-lock,journaling"
# How often it is looked where a command of the `rbd` tool has to be asked, in seconds.
LOOK = 0.5
# An OSD tells its counters to the manager every five seconds.
COUNTED = 12


class Cluster:
    """One of the two."""

    def __init__(self, pair, name, conf):
        self.pair, self.name, self.conf = pair, name, conf

    def run(self, *arguments, tool="rbd"):
        """One command of Ceph's tools."""
        command = [tool, "--cluster", self.name, "-c", self.conf, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def rbd(self, *arguments, tool="rbd"):
        """What such a command prints; it must succeed."""
        ran = self.run(*arguments, tool=tool)
        if ran.returncode != 0:
            raise SystemExit(f"{self.name}: {tool} {' '.join(arguments)}: {ran.stderr}")
        return ran.stdout

    def ask(self, *arguments, tool="rbd"):
        """The same for programs."""
        return json.loads(self.rbd(*arguments, "--format", "json", tool=tool))

    def tell(self, verb):
        """Has `kill`, `start`, `kill-mirror` or `start-mirror` done to it."""
        self.pair.tell(f"{verb} {self.name}")

    def wait(self, condition, what, seconds=600):
        """Waits for a condition."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"{self.name}: waited {seconds} s in vain: {what}")
            time.sleep(LOOK)

    def write(self, image, pattern, size_mib, seconds=0, io_mib=0):
        """A run of fio in librbd."""
        target = ["--ioengine=rbd", f"--pool={POOL}", "--clientname=admin", f"--clustername={self.name}",
                  f"--rbdname={image}"]
        os.environ["CEPH_CONF"] = self.conf
        try:
            return fio.run(target, pattern, size_mib, seconds, io_mib)
        finally:
            del os.environ["CEPH_CONF"]

    def status(self, image):
        """State and description of an image here, as it was told last."""
        ran = self.run("mirror", "image", "status", f"{POOL}/{image}", "--format", "json")
        if ran.returncode != 0:
            return "", ran.stderr
        said = json.loads(ran.stdout)
        return said["state"], said["description"]

    def positions(self, image):
        """Up to which entry of its journal the image has been written, and rbd-mirror has read it: tag and entry."""
        said = self.ask("journal", "status", "--pool", POOL, "--image", image)
        found = {}
        for client in said["registered_clients"]:
            at = [(it["tag_tid"], it["entry_tid"]) for it in client["commit_position"]["object_positions"]]
            found["writer" if client["id"] == "" else "reader"] = max(at, default=(-1, -1))
        return found.get("writer", (-1, -1)), found.get("reader", (-2, -2))

    def drained(self, image):
        """Whether the other cluster has all that is written here."""
        writer, reader = self.positions(image)
        return reader >= writer

    def content(self, image):
        """All bytes of an image."""
        path = self.pair.folder / "content"
        self.rbd("export", "--no-progress", f"{POOL}/{image}", str(path))
        data = path.read_bytes()
        path.unlink()
        return data

    def read_bytes(self):
        """How much of the pool has been read so far, once the counters stand still."""
        found, since = -1, time.monotonic()
        while time.monotonic() - since < COUNTED:
            pools = self.ask("df", tool="rados")["pools"]
            now = next(pool["read_bytes"] for pool in pools if pool["name"] == POOL)
            if now != found:
                found, since = now, time.monotonic()
            time.sleep(LOOK)
        return found


class RbdPair:
    """Both, from the tests' own program, for as long as that runs."""

    def __init__(self, program, folder):
        say("two Ceph clusters")
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {"TMPDIR": str(folder)})
        conf = json.loads(self._answer())
        self.a, self.b = (Cluster(self, name, conf[name]) for name in ("site-a", "site-b"))

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended with {self.process.wait()}")
        return line.strip()

    def tell(self, line):
        """Has something done."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if self._answer() != "done":
            raise SystemExit(f"{line}: not done")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(120)

    def make(self, image, size_mib, fill=None):
        """Makes an image at the first cluster that is mirrored, and waits until the other one follows."""
        self.a.rbd("create", f"{POOL}/{image}", "--size", str(size_mib), "--image-feature", FEATURES)
        if fill:
            self.a.write(image, fill, size_mib)
        self.a.rbd("mirror", "image", "enable", f"{POOL}/{image}", "journal")

    def follow(self, images):
        """Waits until the second cluster follows these and has all of them."""
        for image in images:
            self.b.wait(lambda image=image: self.b.status(image)[0] == "up+replaying", "it follows")
            self.a.wait(lambda image=image: self.a.drained(image), "it has all")


class Reader(threading.Thread):
    """Notes again and again how far rbd-mirror has read."""

    def __init__(self, cluster, image):
        super().__init__()
        self.cluster, self.image = cluster, image
        self.found, self.ended = [], threading.Event()

    def run(self):
        while not self.ended.wait(LOOK):
            self.found.append((time.monotonic(), self.cluster.positions(self.image)[1]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def _behind(reader, tag, rate, began, ended):
    """The ages of the oldest write that was missing, at each look while entries were written at an even rate."""
    ages = []
    for at, (its_tag, entry) in reader.found:
        if began <= at <= ended:
            read = entry + 1 if its_tag == tag else 0
            ages.append(max(0.0, at - began - read / rate))
    return sorted(ages)


def lags(args, folder, write, fill, rated):
    """The lag at full speed and at half of it, as the sites' is given."""
    found = {"full": [], "half": []}
    with RbdPair(args.ceph_pair, folder) as pair:
        pair.make("disk", args.rbd_size_mib, fill)
        pair.follow(["disk"])
        rate = None
        for share, runs in found.items():
            say(f"RBD: lag at {share} speed")
            pattern = rated(rate) if rate else write
            with Reader(pair.a, "disk") as reader:
                result = pair.a.write("disk", pattern, args.rbd_size_mib, args.rbd_seconds)
                ended = time.monotonic()
                tag = pair.a.positions("disk")[0][0]
                pair.a.wait(lambda: pair.a.drained("disk"), "it has all")
                drained = time.monotonic() - ended
            began = ended - result["operations"] / result["iops"]
            ages = _behind(reader, tag, result["iops"], began, ended)
            if not ages:
                raise SystemExit("RBD: too short to look at the lag; say more --rbd-seconds")
            runs.append({"iops": result["iops"], "p50": ages[len(ages) // 2],
                         "p99": ages[min(len(ages) - 1, int(len(ages) * 0.99))], "max": ages[-1],
                         "samples": len(ages), "drained": drained})
            rate = max(1, int(result["iops"] / 2))
    return found


def outage(args, folder, write, fill):
    """How fast the other cluster catches up once its rbd-mirror has been started again."""
    with RbdPair(args.ceph_pair, folder) as pair:
        pair.make("disk", args.rbd_size_mib, fill)
        pair.follow(["disk"])
        say(f"RBD: an outage of {args.rbd_outage_mib} MiB")
        pair.b.tell("kill-mirror")
        written = pair.a.write("disk", write, args.rbd_size_mib, io_mib=args.rbd_outage_mib)
        began = time.monotonic()
        pair.b.tell("start-mirror")
        pair.a.wait(lambda: pair.a.drained("disk"), "it has all")
        seconds = time.monotonic() - began
    return [{"records": written["operations"], "bytes": written["bytes"], "seconds": seconds,
             "writer": written["iops"]}]


def _promote(cluster, count, *more):
    """Promotes all images; seconds."""
    began, left = time.monotonic(), count
    while left > 0:
        ran = cluster.run("mirror", "pool", "promote", *more, POOL)
        said = ran.stdout.split()
        left -= int(said[1]) if said[:1] == ["Promoted"] else 0
        if time.monotonic() - began > 300:
            raise SystemExit(f"{cluster.name}: {left} of {count} images are not promoted: {ran.stderr}")
    return time.monotonic() - began


def switches(args, folder, count):
    """Planned, and forced back, with so many images; and how many are split-brain behind the planned one."""
    with RbdPair(args.ceph_pair, folder) as pair:
        say(f"RBD: {count} images")
        images = [f"disk-{number}" for number in range(count)]
        for image in images:
            pair.make(image, 1)
        pair.follow(images)
        began = time.monotonic()
        pair.a.rbd("mirror", "pool", "demote", POOL)
        _promote(pair.b, count)
        planned = time.monotonic() - began
        split = 0
        for image in images:
            def settled(image=image):
                state, why = pair.a.status(image)
                return state == "up+replaying" or "split-brain" in why
            pair.a.wait(settled, "it follows, or says why not")
            split += "split-brain" in pair.a.status(image)[1]
        pair.b.tell("kill")
        forced = _promote(pair.a, count, "--force")
    return {"planned": [planned], "forced": [forced], "split": split}


def returns(args, folder, tail, fill, differing):
    """What comes to a former primary that returns with a tail of its own, against what differed."""
    with RbdPair(args.ceph_pair, folder) as pair:
        a, b = pair.a, pair.b
        pair.make("disk", args.rbd_size_mib, fill)
        pair.follow(["disk"])
        say(f"RBD: a forced switch with a tail of {args.tail_mib} MiB")
        b.tell("kill-mirror")
        a.write("disk", tail, args.rbd_size_mib, io_mib=args.tail_mib)
        before = a.content("disk")
        a.tell("kill")
        b.rbd("mirror", "image", "promote", "--force", f"{POOL}/disk")
        b.write("disk", tail, args.rbd_size_mib, io_mib=args.tail_mib)
        differed = differing(before, b.content("disk"))
        read = b.read_bytes()
        began = time.monotonic()
        a.tell("start")
        a.rbd("mirror", "image", "demote", f"{POOL}/disk")
        a.rbd("mirror", "image", "resync", f"{POOL}/disk")

        def followed():
            state, why = a.status("disk")
            return state == "up+replaying" and "split-brain" not in why and b.drained("disk")
        # What it says may be of before it was asked.
        a.wait(lambda: a.status("disk")[0] != "up+replaying", "it begins anew", 30)
        a.wait(followed, "it follows")
        seconds = time.monotonic() - began
        came = b.read_bytes() - read
        if differing(a.content("disk"), b.content("disk")):
            raise SystemExit("RBD: the clusters differ")
    return [{"differed": differed, "came": came, "seconds": seconds}]
