"""Runs the stock clients' programs one after the other, each in a process of its own.

Most of the time of a command goes into reading the client's modules; here that happens once. A program
then runs as it stands in the virtual environment, in a fork that has them. Reads a JSON object a line
with the program and its arguments, and answers each with its status and what it printed.
"""

import importlib
import json
import logging
import os
import pkgutil
import runpy
import sys
import tempfile
import traceback

MODULES = [
    "cinderclient.shell",
    "cinderclient.v3.client",
    "cinderclient.v3.shell",
    "keystoneauth1.loading",
    "openstack.block_storage.v3._proxy",
    "openstack.connection",
    "openstackclient.shell",
    "openstackclient.volume.client",
]
COMMANDS = ["openstackclient.volume.v3"]


def load():
    # Some modules read the name of the program once.
    sys.argv = ["openstack"]
    for name in MODULES:
        importlib.import_module(name)
    for name in COMMANDS:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__, name + "."):
            importlib.import_module(module.name)
    # What programs print is theirs to say.
    logging.getLogger().handlers.clear()
    logging.getLogger().setLevel(logging.WARNING)


def execute(argv):
    """Runs the program as `python3 PROGRAM ARGUMENTS` would, and returns its status."""
    sys.argv = argv
    try:
        runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as exit:
        if exit.code is None or isinstance(exit.code, int):
            return exit.code or 0
        print(exit.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run(argv):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                nothing = os.open(os.devnull, os.O_RDONLY)
                for fd, target in ((nothing, 0), (out.fileno(), 1), (err.fileno(), 2)):
                    os.dup2(fd, target)
                sys.stdin = open(0, closefd=False)
                status = execute(argv)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status & 0xFF)
        _, ended = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return {
            "status": os.waitstatus_to_exitcode(ended),
            "stdout": out.read().decode(errors="replace"),
            "stderr": err.read().decode(errors="replace"),
        }


load()
bin = os.path.dirname(sys.executable)
for line in sys.stdin:
    program, *arguments = json.loads(line)
    print(json.dumps(run([os.path.join(bin, program), *arguments])), flush=True)
