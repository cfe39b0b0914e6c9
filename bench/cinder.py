"""A real Cinder's API, for comparison: two workers of gunicorn, SQLite, and nobody behind it.

Its virtual environment is made beforehand: `python3 -m venv DIR; DIR/bin/pip install cinder==29.0.0 gunicorn`.
"""

import os
import pathlib
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
import uuid

from dev import free_port
from proc import resident_mib

# It takes nothing but hexadecimal digits for a project.
PROJECT = "0" * 31 + "1"
CONF = """[DEFAULT]
auth_strategy = noauth
host = node
state_path = {folder}
api_paste_config = {venv}/etc/cinder/api-paste.ini
resource_query_filters_file = {venv}/etc/cinder/resource_filters.json
transport_url = fake://
enabled_backends = one
[one]
volume_backend_name = one
[database]
connection = sqlite:///{folder}/cinder.sqlite
[oslo_concurrency]
lock_path = {folder}
[coordination]
backend_url = file://{folder}
"""
# Its options come from the command line, and those of the server are none of them.
GUNICORN = """import sys


def post_fork(server, worker):
    sys.argv = ["cinder-api", "--config-file", "{folder}/cinder.conf"]
"""


class Cinder:
    """Its API with so many volumes, spread over projects of which one is the reader's."""

    def __init__(self, venv, folder, volumes, projects):
        self.venv, self.folder = pathlib.Path(venv).absolute(), pathlib.Path(folder)
        self.headers = {"X-Auth-Token": f"admin:{PROJECT}"}
        places = {"folder": self.folder, "venv": self.venv}
        (self.folder / "cinder.conf").write_text(CONF.format(**places))
        (self.folder / "gunicorn.conf.py").write_text(GUNICORN.format(**places))
        self.log = open(self.folder / "cinder.log", "wb")
        self._run("cinder-manage", "--config-file", self.folder / "cinder.conf", "db", "sync").wait()
        self.volume = self._fill(volumes, projects)
        self.port = free_port()
        begun = time.monotonic()
        self.process = self._run("gunicorn", "-c", self.folder / "gunicorn.conf.py", "--no-control-socket",
                                 "-w", "2", "-b", f"127.0.0.1:{self.port}", "cinder.wsgi.api:application")
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > begun + 120:
                raise SystemExit(f"Cinder does not start: {(self.folder / 'cinder.log').read_text()[-2000:]}")
            time.sleep(0.05)
        self.start_seconds = time.monotonic() - begun

    def _run(self, program, *args):
        return subprocess.Popen([self.venv / "bin" / program, *args], stdin=subprocess.DEVNULL,
                                stdout=self.log, stderr=self.log, start_new_session=True)

    def _answers(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{self.path('/volumes?limit=1')}",
                                         headers=self.headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _fill(self, volumes, projects):
        """Writes the volumes; the id of one."""
        with sqlite3.connect(self.folder / "cinder.sqlite") as connection:
            kind = connection.execute("SELECT id FROM volume_types").fetchone()[0]
            rows = [(f"2026-01-01 00:00:{i % 60:02}.{i:06}", 0, str(uuid.uuid4()), "admin",
                     PROJECT if i % projects == 0 else f"{i % projects:032x}", "node@one#pool", 1, "nova",
                     "available", "detached", f"volume {i}", kind, 0, 0, 1) for i in range(volumes)]
            connection.executemany(
                "INSERT INTO volumes (created_at, deleted, id, user_id, project_id, host, size, "
                "availability_zone, status, attach_status, display_name, volume_type_id, bootable, "
                f"multiattach, use_quota) VALUES ({','.join('?' * 15)})", rows)
        return rows[0][2]

    @staticmethod
    def path(path):
        """A path of the API below its version and project."""
        return f"/v3/{PROJECT}{path}"

    def resident_mib(self):
        """Resident memory of the API and its workers."""
        listed = subprocess.run(["ps", "-o", "pid=", "-g", str(self.process.pid)], check=True,
                                capture_output=True, text=True).stdout
        return sum(resident_mib(int(pid)) for pid in listed.split())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)
        self.log.close()
