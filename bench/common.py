"""What the benchmarks share: a private `firebrick dev`, its API, and tables of medians."""

import argparse
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments(description, **defaults):
    """The options that every benchmark has, and its own with their defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--firebrick", default=str(ROOT / "target/release/firebrick"),
                        help="the binary to measure (default: the release build)")
    parser.add_argument("--dir", default=None, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="print the raw figures as JSON too")
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args()


def free_port(count=1):
    """A port with `count - 1` free ones behind it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        try:
            for more in range(1, count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + more))
            return port
        except OSError:
            continue


class Dev:
    """A `firebrick dev` in a folder of its own."""

    def __init__(self, binary, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.log = open(self.folder / "dev-output.txt", "wb")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "dev", "--dir", str(self.folder / "data"),
             "--listen", f"127.0.0.1:{self.port}", "--nbd-port", str(free_port(2))],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait(lambda: self.call("GET", "/healthcheck", raw=True) is not None, "the API answers")
        self.start_seconds = time.monotonic() - self.started
        self.wait(lambda: self.service()["state"] == "up", "the backend is up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
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
            "volume_backend_name": "blocks", "replication_enabled": "<is> True"}})

    def make_volume(self, **volume):
        """Makes a volume and waits until it is available."""
        identity = self.call("POST", "/volumes", {"volume": volume})["volume"]["id"]
        self.wait(lambda: self.call("GET", f"/volumes/{identity}")["volume"]["status"]
                  == "available", "the volume is available")
        return identity

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


def resident_mib(pid):
    """Resident memory of a process in MiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid):
    """Processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def work_folder(args):
    """A folder that goes with the benchmark."""
    return tempfile.TemporaryDirectory(prefix="fb-bench-", dir=args.dir)


def median(values):
    """The median."""
    return statistics.median(values)


def table(header, rows):
    """Prints a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---" for _ in header) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
