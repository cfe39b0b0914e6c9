"""Cinder's RBD driver as its volume service holds it, without that service: runs in Cinder's own virtual environment.

`cinder_driver.py CINDER_CONF VOLUMES`: says `ready`, then fails over for each target that it reads, and prints how many
seconds that took and how many volumes ended in error. What stands around the driver in Cinder (a database row for each
volume) is not measured.
"""

import json
import sys
import time
import types

from cinder import context, objects, utils
from cinder.common import config  # noqa: F401  registers the options
from cinder.objects import fields

# Modules below ask for them as they are read.
objects.register_all()

from cinder.volume import configuration  # noqa: E402
from cinder.volume import manager  # noqa: E402
from cinder.volume.drivers import rbd  # noqa: E402

CONF = manager.CONF


class Volume(types.SimpleNamespace):
    """What the driver asks of a row."""

    def __getitem__(self, key):
        return getattr(self, key)


def volume(identity):
    """That of a replicated volume that is available."""
    return Volume(id=identity, name=f"volume-{identity}", name_id=identity, status="available",
                  replication_status=fields.ReplicationStatus.ENABLED, volume_type_id=None,
                  previous_status=None)


def main():
    """Answers orders until there are no more."""
    conf, listed = sys.argv[1:]
    CONF([], project="cinder", default_config_files=[conf])
    with open(listed, encoding="utf-8") as file:
        volumes = [volume(identity) for identity in json.load(file)]
    options = configuration.Configuration(manager.volume_backend_opts, config_group="ceph")
    driver = rbd.RBDDriver(configuration=options, execute=utils.execute, host="node1@ceph",
                           active_backend_id=None)
    admin = context.get_admin_context()
    driver.do_setup(admin)
    driver.check_for_setup_error()
    print("ready", flush=True)
    for target in sys.stdin:
        begun = time.monotonic()
        _, updates, _ = driver.failover_host(admin, volumes, secondary_id=target.strip())
        seconds = time.monotonic() - begun
        said = {update["volume_id"]: update["updates"] for update in updates}
        failed = 0
        for one in volumes:
            status = said.get(one.id, {}).get("replication_status", one.replication_status)
            failed += status == fields.ReplicationStatus.FAILOVER_ERROR
            one.replication_status = status
        print(json.dumps([seconds, failed]), flush=True)


if __name__ == "__main__":
    main()
