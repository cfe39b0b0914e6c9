"""What the system counts: processor time, memory and bytes of processes, bytes of a disk; control groups."""

import dataclasses
import os
import pathlib
import time

CGROUPS = pathlib.Path("/sys/fs/cgroup")
SECTOR = 512


def _field(pid, file, key):
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise SystemExit(f"/proc/{pid}/{file} does not say {key}")


def resident_mib(pid):
    """Resident memory of a process in MiB."""
    return _field(pid, "status", "VmRSS") / 1024


@dataclasses.dataclass
class Usage:
    """What processes have used: processor time in seconds, bytes that they had written to disks."""

    cpu: float = 0.0
    written: int = 0

    @classmethod
    def of(cls, pids):
        """That of these until now."""
        used = cls()
        for pid in pids:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            used.cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            used.written += _field(pid, "io", "write_bytes")
        return used

    def since(self, before):
        """What came on top."""
        return Usage(self.cpu - before.cpu, self.written - before.written)


def device_written(folder):
    """Bytes written so far to the block device that has the folder, whoever wrote them."""
    device = os.stat(folder).st_dev
    number = [str(os.major(device)), str(os.minor(device))]
    for line in pathlib.Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if fields[:2] == number:
            return int(fields[9]) * SECTOR
    raise SystemExit(f"{folder} is on no block device; say --dir")


def stored(folder):
    """Bytes that the files of a folder take on the disk."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * SECTOR
            except FileNotFoundError:
                continue
    return total


def settle(pids, quiet=0.5, most=60):
    """Waits until the processes have written nothing for a while, then for the disk."""
    end = time.monotonic() + most
    before = Usage.of(pids).written
    while time.monotonic() < end:
        time.sleep(quiet)
        now = Usage.of(pids).written
        if now == before:
            break
        before = now
    os.sync()


def _memory_groups():
    """Where groups with a limit of memory are made, and the file of the limit."""
    controllers = CGROUPS / "cgroup.controllers"
    if controllers.exists() and "memory" in controllers.read_text().split():
        (CGROUPS / "cgroup.subtree_control").write_text("+memory")
        return CGROUPS, "memory.max"
    if (CGROUPS / "memory/cgroup.procs").exists():
        return CGROUPS / "memory", "memory.limit_in_bytes"
    raise SystemExit("this system has no control groups for memory; leave --memory away")


class Confined:
    """A running process in a group of its own with so much memory, the system's cache included."""

    def __init__(self, pid, mib):
        root, limit = _memory_groups()
        self.group = root / f"firebrick-bench-{pid}"
        self.group.mkdir()
        (self.group / limit).write_text(str(mib << 20))
        (self.group / "cgroup.procs").write_text(str(pid))

    def end(self):
        """Removes the group, when the process has ended."""
        self.group.rmdir()
