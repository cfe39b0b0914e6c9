"""Runs of fio, over NBD or on a file past the system's cache."""

import dataclasses
import json
import resource
import subprocess

# Lines of what fio says that are shown where it fails.
LAST = 8


@dataclasses.dataclass(frozen=True)
class Pattern:
    """What is done: fio's name of it, block size, depth, jobs, fio's other options; or once over everything,
    however long that takes."""

    label: str
    rw: str
    block: str = "4k"
    depth: int = 1
    jobs: int = 1
    more: tuple = ()
    whole: bool = False

    def figure(self):
        """Which figure counts, and its unit."""
        return ("mb", "MB/s") if self.block == "1m" else ("iops", "IOPS")


def nbd(uri):
    """fio's options for an export."""
    return ["--ioengine=nbd", f"--uri={uri}"]


def direct(path):
    """fio's options for a file, past the system's cache."""
    return ["--ioengine=io_uring", "--direct=1", f"--filename={path}"]


def _command(target, pattern, size_mib, seconds, io_mib):
    command = ["fio", "--name=b", *target, f"--rw={pattern.rw}", f"--bs={pattern.block}",
               f"--iodepth={pattern.depth}", f"--numjobs={pattern.jobs}", "--group_reporting",
               "--thread", f"--size={size_mib}m", "--output-format=json", "--randrepeat=0",
               "--norandommap", *pattern.more]
    if seconds:
        command += ["--time_based", f"--runtime={seconds}"]
    if io_mib:
        command.append(f"--io_size={io_mib}m")
    return command


def run(target, pattern, size_mib, seconds=0, io_mib=0):
    """One run, for so long, or for so much, or once over everything; what fio measured.

    Rates per second, latencies in microseconds, `client_cpu` in seconds of fio itself."""
    command = _command(target, pattern, size_mib, seconds, io_mib)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode != 0:
        said = "\n".join((ran.stdout + ran.stderr).splitlines()[-LAST:])
        raise SystemExit(f"{' '.join(command)}\n{said}")
    # fio may print a note before the report.
    job = json.loads(ran.stdout[ran.stdout.index("{"):])["jobs"][0]
    side = job["read" if "read" in pattern.rw else "write"]
    if job["error"] or not side["iops"]:
        raise SystemExit(f"fio failed: {' '.join(command)}")
    centile = side["clat_ns"]["percentile"]
    return {"iops": side["iops"], "mb": side["bw_bytes"] / 1e6, "bytes": side["io_bytes"],
            "operations": side["total_ios"],
            "p50": centile["50.000000"] / 1000, "p99": centile["99.000000"] / 1000,
            "p999": centile["99.900000"] / 1000, "longest": side["clat_ns"]["max"] / 1000,
            "client_cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


class Beside:
    """fio as a load beside what is measured, until the end of the `with`."""

    def __init__(self, target, pattern, size_mib):
        self.command = _command(target, pattern, size_mib, 86_400, 0)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, kind, *_):
        ended = self.process.poll()
        self.process.terminate()
        self.process.wait(60)
        if kind is None and ended is not None:
            raise SystemExit(f"the load ended early: {' '.join(self.command)}")
