"""Two clusters of one node that mirror to each other, a `firebrick serve` whose volumes are there, and Cinder's own driver."""

import json
import pathlib
import subprocess
import sys
import time

from common import ROOT, say
from dev import Dev, free_port

SITES = ("site-a", "site-b")
SECTION = """[ceph]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = ceph
rbd_pool = volumes
rbd_user = cinder
rbd_cluster_name = site-a
rbd_ceph_conf = {a}
replication_device = backend_id:site-b, conf:{b}, user:cinder, pool:volumes
"""
CONF = """[DEFAULT]
host = node1
enabled_backends = ceph
auth_strategy = noauth
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
report_interval = 1
service_down_time = 10
backup_posix_path = {folder}/backups
image_conversion_dir = {folder}/conversion
[database]
connection = sqlite:///{folder}/firebrick.sqlite
"""


class Pair:
    """The clusters, as the program `ceph-pair` of the tests makes them."""

    def __init__(self, binary, firebrick):
        say("two clusters")
        self.firebrick = firebrick
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the clusters do not start")
        conf = json.loads(line)
        self.confs = [conf[name] for name in SITES]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(120)

    def section(self):
        """The section of a configuration whose volumes are there."""
        return SECTION.format(a=self.confs[0], b=self.confs[1])

    def following(self):
        """How many images are copies that follow at one of the clusters."""
        command = [self.firebrick, "rbd", "--conf", self.confs[0], "--format", "json"]
        ran = subprocess.run([*command, "mirror", "pool", "status", "volumes"], capture_output=True,
                             check=True, text=True)
        states = json.loads(ran.stdout)["summary"]["states"]
        return 0 if set(states) - {"replaying", "error"} else states.get("replaying", 0)

    def wait(self, count, quiet=120, most=900):
        """Waits until so many follow, or for a while nothing changes any more; how many do."""
        begun = changed = time.monotonic()
        found = self.following()
        while found < count and time.monotonic() < min(changed + quiet, begun + most):
            time.sleep(1)
            now = self.following()
            if now != found:
                found, changed = now, time.monotonic()
        return found


class Serve(Dev):
    """A `firebrick serve` whose volumes are on two clusters."""

    backend = "ceph"

    def __init__(self, binary, folder, pair):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.log = open(self.folder / "serve-output.txt", "wb")
        conf = self.folder / "cinder.conf"
        conf.write_text(CONF.format(port=self.port, folder=self.folder) + pair.section())
        self.command = [binary, "serve", "--conf", str(conf)]
        self.start()


class Driver:
    """The RBD driver of a real Cinder, in a process of its own: no API, no database, nobody who asks it for anything else."""

    def __init__(self, venv, folder, pair, volumes):
        self.folder = pathlib.Path(folder)
        conf = self.folder / "driver.conf"
        paths = f"state_path = {self.folder}\nlock_path = {self.folder}\n"
        conf.write_text(f"[DEFAULT]\nenabled_backends = ceph\n{paths}"
                        f"[coordination]\nbackend_url = file://{self.folder}\n{pair.section()}")
        (self.folder / "volumes.json").write_text(json.dumps(volumes))
        self.log = open(self.folder / "driver-output.txt", "wb")
        # Not from the folder of the program, where a `cinder` of another kind lies.
        command = [pathlib.Path(venv) / "bin/python", "-P", ROOT / "bench/cinder_driver.py", conf,
                   self.folder / "volumes.json"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"Cinder's driver does not start: {self._said()}")

    def _said(self):
        return (self.folder / "driver-output.txt").read_text()[-3000:]

    def move(self, target):
        """One failover: its seconds, and how many volumes did not come along."""
        print(target, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"Cinder's driver has ended: {self._said()}")
        seconds, failed = json.loads(line)
        return seconds, failed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)
        self.log.close()


if __name__ == "__main__":
    sys.exit("this is a part of bench/failover")
