"""A private `firebrick dev`: its API, its sites and what they wrote into their logs."""

import datetime
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

LOUD = "info,firebrick_engine::clean=debug,firebrick_engine::checkpoint=debug"


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def site_ports():
    """The first of two ports for exports, free as the two of the mirrors 100 behind them. Linux takes
    none of them for an outgoing connection by itself, so they are still free after a kill."""
    while True:
        port = random.randrange(12000, 32000)
        try:
            for more in (0, 1, 100, 101):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + more))
            return port
        except OSError:
            continue


class Dev:
    """A `firebrick dev` in a folder of its own; `options` go into the `[site]` of both sites."""

    backend = "blocks"

    def __init__(self, binary, folder, options=None):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.log = open(self.folder / "dev-output.txt", "wb")
        self.command = [binary, "dev", "--dir", str(self.folder / "data"),
                        "--listen", f"127.0.0.1:{self.port}", "--nbd-port", str(site_ports())]
        self.start()
        if options:
            # The first start writes the configurations.
            self.stop()
            for site in ("site-a", "site-b"):
                self._configure(site, options)
            self.start()

    def start(self):
        """Starts it and waits until it answers and its backend is up."""
        started = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env=os.environ | {"FIREBRICK_LOG": LOUD})
        self.wait(lambda: self.call("GET", "/healthcheck", raw=True) is not None, "the API answers")
        self.start_seconds = time.monotonic() - started
        self.wait(lambda: self.service()["state"] == "up", "the backend is up")

    def stop(self):
        """Ends it in order; what it wrote stays."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)

    def _configure(self, site, options):
        path = self.folder / "data" / site / "site.conf"
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        path.write_text(path.read_text().replace("[site]\n", f"[site]\n{lines}", 1))
        # The size of segments follows from the capacity, and is that with which a store was made.
        shutil.rmtree(path.parent / "store")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def wait(self, condition, what, seconds=60):
        """Waits for a condition."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except (OSError, KeyError, IndexError, TypeError):
                pass
            time.sleep(0.01)
        raise SystemExit(f"waited {seconds} s in vain: {what}")

    def call(self, method, path, body=None, raw=False):
        """One request; the answer's body."""
        url = f"http://127.0.0.1:{self.port}{path if raw else '/v3' + path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method, headers={
            "Content-Type": "application/json", "X-Auth-Token": "admin:admin",
            "OpenStack-API-Version": "volume 3.71"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from error
        return text if raw else json.loads(text or b"null")

    def service(self):
        """The volume service."""
        return self.call("GET", "/os-services?binary=cinder-volume")["services"][0]

    def make_replicated_type(self):
        """Makes the type `replicated`."""
        made = self.call("POST", "/types", {"volume_type": {"name": "replicated"}})
        path = f"/types/{made['volume_type']['id']}/extra_specs"
        self.call("POST", path, {"extra_specs": {
            "volume_backend_name": self.backend, "replication_enabled": "<is> True"}})

    def make_volume(self, size_mib, **volume):
        """Makes a volume and waits until it is available; the API counts in GiB."""
        asked = {"size": -(-size_mib // 1024), **volume}
        identity = self.call("POST", "/volumes", {"volume": asked})["volume"]["id"]
        self.wait(lambda: self.call("GET", f"/volumes/{identity}")["volume"]["status"]
                  == "available", "the volume is available")
        return identity

    def take_snapshot(self, volume):
        """Takes a snapshot of a volume that is in use and waits until it is available."""
        identity = self.call("POST", "/snapshots", {"snapshot": {
            "volume_id": volume, "name": "before", "force": True}})["snapshot"]["id"]
        self.wait(lambda: self.call("GET", f"/snapshots/{identity}")["snapshot"]["status"]
                  == "available", "the snapshot is available")

    def attach(self, volume):
        """Attaches a volume and returns its NBD URI."""
        answer = self.call("POST", "/attachments", {"attachment": {
            "volume_uuid": volume, "instance_uuid": "5d3cbd1a-0000-4000-8000-000000000001",
            "connector": {"host": "bench", "ip": "127.0.0.1"}}})["attachment"]
        self.call("POST", f"/attachments/{answer['id']}/action", {"os-complete": {}})
        return answer["connection_info"]["uri"]

    def processes(self):
        """Names and process ids of all parts."""
        described = json.loads((self.folder / "data/dev.json").read_text())
        found = {"dev": self.process.pid, "serve": described["pid"]}
        found.update({site["name"]: site["pid"] for site in described["sites"]})
        return found

    def site_pids(self):
        """The process ids of site-a, where the guests are, and of site-b."""
        found = self.processes()
        return [found["site-a"], found["site-b"]]

    def events(self, what, begin, end, site="site-a"):
        """The times, in seconds since 1970 and between two, at which a site's log says `what`."""
        found = []
        for line in (self.folder / f"data/logs/{site}.log").read_text().splitlines():
            if what in line:
                at = datetime.datetime.fromisoformat(line.split()[0]).timestamp()
                if begin <= at <= end:
                    found.append(at)
        return found
