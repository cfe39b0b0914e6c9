"""Two sites by themselves, each a `firebrick site` with its own folder, that mirror to each other; and their verbs."""

import json
import pathlib
import subprocess
import time
import urllib.request

from common import say
from dev import free_port


class Site:
    """A site in a folder of its own; `options` go into its `[site]`."""

    def __init__(self, binary, folder, name, options=None):
        self.binary = binary
        self.name = name
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True)
        self.metrics_port = free_port()
        asked = {"name": name, "dir": "data", "admin": "admin.sock", "nbd_socket": "nbd.sock",
                 "mirror_listen": f"127.0.0.1:{free_port()}",
                 "metrics_listen": str(self.metrics_port), **(options or {})}
        self.conf = self.folder / "site.conf"
        self.conf.write_text("[site]\n" + "".join(f"{key} = {value}\n" for key, value in asked.items()))
        self.log = open(self.folder / "output.txt", "wb")
        self.process = None
        self.start()

    def start(self):
        """Starts it, and waits until it answers."""
        self.process = subprocess.Popen([self.binary, "site", "--conf", str(self.conf)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait(lambda: self.run("ls").returncode == 0, "it answers")

    def kill(self):
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait(60)

    def close(self):
        """Ends it in order."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)
        self.log.close()

    def wait(self, condition, what, seconds=120, look=0.01):
        """Waits for a condition."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"{self.name}: waited {seconds} s in vain: {what}")
            time.sleep(look)

    def run(self, *arguments):
        """One verb of `firebrick rbd`."""
        command = [self.binary, "rbd", *arguments, "--conf", str(self.conf)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def rbd(self, *arguments):
        """What such a verb prints; it must succeed."""
        ran = self.run(*arguments)
        if ran.returncode != 0:
            raise SystemExit(f"{self.name}: rbd {' '.join(arguments)}: {ran.stderr}")
        return ran.stdout

    def ask(self, *arguments):
        """The same for programs."""
        return json.loads(self.rbd(*arguments, "--format", "json"))

    def map(self, image):
        """The address of an image for guests."""
        return self.rbd("map", image).strip()

    def introduce(self, other):
        """Makes both peers by a token."""
        token = other.folder / "token"
        token.write_text(self.rbd("mirror", "pool", "peer", "bootstrap", "create", "volumes"))
        other.rbd("mirror", "pool", "peer", "bootstrap", "import", "volumes", str(token))

    def metrics(self):
        """The figures for Prometheus, by name and labels as they are written."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def lag(self, what):
        """How far the worst peer is behind in all: `seconds`, `records` or `bytes`."""
        name = f"firebrick_mirror_peer_lag_{what}"
        found = [value for key, value in self.metrics().items() if key.startswith(name)]
        if not found:
            raise SystemExit(f"{self.name}: no peer has been met")
        return max(found)

    def synced(self, seconds=600):
        """Waits until the other site has all that is here now."""
        self.rbd("mirror", "wait", "--timeout", f"{seconds}s")

    def received(self):
        """Bytes that came from all peers since the start."""
        peers = self.ask("mirror", "pool", "status")["summary"]["peers"]
        return sum(peer["received_bytes"] for peer in peers)


class Pair:
    """Two such sites that know each other; pools whose images are mirrored at once where `whole` says so."""

    def __init__(self, binary, folder, options=None, whole=False):
        say("two sites")
        self.a = Site(binary, folder, "site-a", options)
        self.b = Site(binary, folder, "site-b", options)
        for site in (self.a, self.b):
            site.rbd("mirror", "pool", "enable", "volumes", "pool" if whole else "image")
        self.a.introduce(self.b)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for site in (self.a, self.b):
            site.close()

    def make(self, image, size_mib):
        """Makes an image at the first site that is mirrored, and waits until it is at the other."""
        self.a.rbd("create", image, "--size", str(size_mib))
        self.a.rbd("mirror", "image", "enable", image)
        self.b.wait(lambda: self.b.run("info", image).returncode == 0, "the image is there")
        self.a.synced()
