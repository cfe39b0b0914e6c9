"""Drives every resource with openstacksdk; the arguments are the address of the API, the service of its
one backend and its cluster."""

import base64
import contextlib
import json
import sys
import uuid

import openstack
from openstack import exceptions

endpoint, host, cluster = sys.argv[1:]
cloud = openstack.connect(
    auth_type="none", endpoint=endpoint, block_storage_endpoint_override=endpoint
)
bs = cloud.block_storage

SERVER = "5d3cbd1a-0000-4000-8000-000000000002"
PROJECT = "0123456789abcdef0123456789abcdef"


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def refused(kind, call, *args, **options):
    try:
        call(*args, **options)
    except kind:
        return
    raise AssertionError(f"{call.__name__} was not refused")


@contextlib.contextmanager
def newest():
    """For what the SDK asks without a version of its own, though 3.0 does not know it."""
    bs.default_microversion = "3.71"
    yield
    bs.default_microversion = None


def ready(thing, status="available"):
    return bs.wait_for_status(thing, status, interval=0.1, wait=60)


def gone(thing):
    bs.wait_for_delete(thing, interval=0.1, wait=60)


def volume(name, **options):
    return ready(bs.create_volume(size=1, name=name, **options))


def volumes():
    made = [bs.create_volume(size=1, name=f"v{n}") for n in range(5)]
    for one in made:
        ready(one)
    names = [one.name for one in bs.volumes(details=True, limit=2)]
    equal(names, ["v4", "v3", "v2", "v1", "v0"])
    equal([one.name for one in bs.volumes(details=False, name="v1")], ["v1"])
    equal(bs.summary(all_projects=False).total_count, 5)
    one = bs.update_volume(made[0], name="renamed", description="words")
    equal((one.name, one.description), ("renamed", "words"))
    equal(bs.find_volume("renamed").id, one.id)
    bs.set_volume_metadata(one, a="b", c="d")
    bs.delete_volume_metadata(one, ["a"])
    equal(bs.fetch_volume_metadata(one).metadata, {"c": "d"})
    bs.set_volume_image_metadata(one, os_distro="cirros", min_ram="1")
    bs.delete_volume_image_metadata(one, ["min_ram"])
    bs.set_volume_readonly(one, True)
    bs.set_volume_bootable_status(one, True)
    shown = bs.get_volume(one)
    equal(shown.volume_image_metadata, {"os_distro": "cirros"})
    equal(shown.metadata, {"c": "d", "readonly": "True"})
    assert shown.is_bootable and shown.host == f"{cluster}#volumes", shown
    bs.extend_volume(one, 2)
    equal(ready(bs.get_volume(one)).size, 2)
    bs.create_type(name="other")
    bs.retype_volume(one, "other")
    equal(ready(bs.get_volume(one)).volume_type, "other")
    bs.reset_volume_status(one, status="error", attach_status="detached", migration_status=None)
    equal(bs.get_volume(one).status, "error")
    bs.delete_volume(one, force=True)
    for other in made[1:]:
        bs.delete_volume(other)
    for each in made:
        gone(each)
    refused(exceptions.NotFoundException, bs.get_volume, one.id)
    bs.delete_type(bs.find_type("other"))


def snapshots():
    origin = volume("origin")
    taken = ready(bs.create_snapshot(volume_id=origin.id, name="s", metadata={"a": "b"}))
    bs.update_snapshot(taken, name="moment", description="words")
    bs.set_snapshot_metadata(taken, c="d")
    bs.delete_snapshot_metadata(taken.id, ["a"])
    equal(bs.fetch_snapshot_metadata(taken).metadata, {"c": "d"})
    shown = bs.get_snapshot(taken)
    equal((shown.name, shown.progress, shown.volume_id), ("moment", "100%", origin.id))
    equal([one.id for one in bs.snapshots(volume_id=origin.id)], [taken.id])
    bs.reset_snapshot_status(taken, "error")
    equal(bs.get_snapshot(taken).status, "error")
    bs.reset_snapshot_status(taken, "creating")
    bs.set_snapshot_status(taken, "available", "90%")
    bs.revert_volume_to_snapshot(origin, taken)
    ready(bs.get_volume(origin))
    copy = volume("copy", snapshot_id=taken.id)
    equal(copy.snapshot_id, taken.id)
    refused(exceptions.BadRequestException, bs.delete_volume, origin)

    bs.unmanage_snapshot(taken)
    gone(taken)
    source = f"snapshot-{taken.id}"
    with newest():
        there = list(bs.manageable_snapshots(details=True, host=host))
    equal([(one["reference"], one["safe_to_manage"]) for one in there],
          [({"source-name": source}, True)])
    back = bs.manage_snapshot(
        volume_id=origin.id, ref={"source-name": source}, name="back"
    )
    ready(bs.get_snapshot(back.id))
    bs.delete_volume(copy)
    gone(copy)
    bs.delete_volume(origin, cascade=True)
    gone(origin)

    given = volume("given")
    bs.unmanage_volume(given)
    gone(given)
    reference = {"source-name": f"volume-{given.id}"}
    with newest():
        there = list(bs.manageable_volumes(details=True, host=host))
    equal([one["reference"] for one in there], [reference])
    taken = bs.manage_volume(host=host, ref=reference, name="taken", bootable=False)
    taken = ready(bs.get_volume(taken.id))
    equal(taken.name, "taken")
    bs.delete_volume(taken)
    gone(taken)


def attachments():
    disk = volume("disk")
    connector = {"host": "guest", "ip": "127.0.0.1", "mountpoint": "/dev/vdb"}
    made = bs.create_attachment(disk, instance=SERVER)
    equal((made.status, made.instance), ("reserved", SERVER))
    updated = bs.update_attachment(made, connector=connector)
    equal(updated.connection_info["driver_volume_type"], "nbd")
    bs.complete_attachment(made)
    equal(bs.get_attachment(made).status, "attached")
    equal([one.id for one in bs.attachments(volume_id=disk.id)], [made.id])
    ready(bs.get_volume(disk), "in-use")
    bs.delete_attachment(made)
    ready(bs.get_volume(disk))
    # What came before attachments had an address.
    bs.reserve_volume(disk)
    equal(bs.get_volume(disk).status, "attaching")
    bs.unreserve_volume(disk)
    bs.reserve_volume(disk)
    info = bs.init_volume_attachment(disk, connector)
    equal(info["driver_volume_type"], "nbd")
    bs.attach_volume(disk, "/dev/vdb", instance=SERVER)
    shown = ready(bs.get_volume(disk), "in-use")
    bs.begin_volume_detaching(disk)
    bs.abort_volume_detaching(disk)
    bs.begin_volume_detaching(disk)
    bs.terminate_volume_attachment(disk, connector)
    bs.detach_volume(disk, shown.attachments[0]["attachment_id"])
    ready(bs.get_volume(disk))
    bs.delete_volume(disk)
    gone(disk)


def backups():
    kept = volume("kept")
    made = ready(bs.create_backup(volume_id=kept.id, name="b", is_incremental=False))
    bs.update_backup(made, name="copy", description="words", metadata={"a": "b"})
    shown = bs.get_backup(made)
    equal((shown.name, shown.metadata), ("copy", {"a": "b"}))
    more = ready(bs.create_backup(volume_id=kept.id, name="more", is_incremental=True))
    equal([one.name for one in bs.backups(volume_id=kept.id)], ["more", "copy"])
    assert bs.get_backup(made).has_dependent_backups
    bs.delete_backup(more)
    gone(more)
    restored = bs.restore_backup(made, name="again")
    again = ready(bs.get_volume(restored.volume_id))
    equal(again.name, "again")
    record = bs.export_backup(made)["backup-record"]
    # The same data under another id. `import_backup` posts to an address that Cinder has not either.
    known = json.loads(base64.b64decode(record["backup_url"]))
    known["id"] = str(uuid.uuid4())
    record["backup_url"] = base64.b64encode(json.dumps(known).encode()).decode()
    imported = bs.post("/backups/import_record", json={"backup-record": record})
    equal((imported.status_code, imported.json()["backup"]["id"]), (201, known["id"]))
    imported = ready(bs.get_backup(known["id"]))
    equal((imported.name, imported.volume_id), ("copy", kept.id))
    bs.reset_backup_status(made, "error")
    equal(bs.get_backup(made).status, "error")
    bs.reset_backup_status(made, "available")
    for one in (imported, made):
        bs.delete_backup(one)
        gone(one)
    for one in (kept, again):
        bs.delete_volume(one)
        gone(one)


def transfers():
    present = volume("present")
    made = bs.create_transfer(volume_id=present.id, name="t")
    ready(bs.get_volume(present), "awaiting-transfer")
    equal([one.id for one in bs.transfers()], [made.id])
    equal(bs.get_transfer(made).name, "t")
    refused(exceptions.BadRequestException, bs.accept_transfer, made.id, "wrong")
    bs.accept_transfer(made.id, made.auth_key)
    ready(bs.get_volume(present))
    made = bs.create_transfer(volume_id=present.id)
    bs.delete_transfer(made)
    ready(bs.get_volume(present))
    bs.delete_volume(present)
    gone(present)


def types():
    made = bs.create_type(name="fast", description="quick", is_public=False,
                          extra_specs={"a": "b"})
    bs.update_type(made, description="quicker")
    bs.update_type_extra_specs(made, c="d")
    bs.delete_type_extra_specs(made, ["a"])
    shown = bs.get_type(made)
    equal((shown.description, shown.extra_specs), ("quicker", {"c": "d"}))
    equal(bs.find_type("fast").id, made.id)
    assert "fast" in [one.name for one in bs.types(is_public=False)]
    bs.add_type_access(made, PROJECT)
    equal(bs.get_type_access(made), [{"volume_type_id": made.id, "project_id": PROJECT}])
    refused(exceptions.ConflictException, bs.add_type_access, made, PROJECT)
    bs.remove_type_access(made, PROJECT)
    equal(bs.get_type_access(made), [])
    bs.create_type_encryption(made, provider="luks", cipher="aes-xts-plain64",
                              key_size=256, control_location="front-end")
    bs.update_type_encryption(volume_type=made, key_size=512)
    shown = bs.get_type_encryption(made)
    equal((shown.provider, shown.key_size), ("luks", 512))
    bs.delete_type_encryption(volume_type=made)
    bs.set_default_type(PROJECT, made)
    equal(bs.show_default_type(PROJECT).volume_type_id, made.id)
    equal([one.project_id for one in bs.default_types()], [PROJECT])
    bs.unset_default_type(PROJECT)
    equal(list(bs.default_types()), [])
    bs.delete_type(made)
    equal(bs.find_type("fast"), None)


def qos():
    made = bs.create_qos_spec(name="slow", consumer="front-end", read_iops_sec="9")
    bs.update_qos_spec(made.id, write_iops_sec="8")
    bs.delete_qos_spec_metadata(made, ["read_iops_sec"])
    equal(bs.get_qos_spec(made).specs, {"write_iops_sec": "8"})
    equal([one.name for one in bs.qos_specs()], ["slow"])
    kind = bs.create_type(name="limited")
    bs.associate_qos_spec(made, kind.id)
    equal([one["name"] for one in bs.qos_spec_associations(made)], ["limited"])
    bs.disassociate_qos_spec(made, kind.id)
    bs.associate_qos_spec(made, kind.id)
    bs.disassociate_all_qos_spec(made)
    equal(list(bs.qos_spec_associations(made)), [])
    bs.delete_qos_spec(made)
    bs.delete_type(kind)


def groups():
    kind = bs.create_group_type(name="sets", description="d")
    bs.update_group_type(kind, description="e")
    bs.create_group_type_group_specs(kind, {"a": "b", "c": "d"})
    bs.update_group_type_group_specs_property(kind, "a", "z")
    equal(bs.get_group_type_group_specs_property(kind, "a"), "z")
    for key in ("a", "c"):
        bs.delete_group_type_group_specs_property(kind, key)
    shown = bs.get_group_type(kind)
    equal((shown.description, shown.group_specs), ("e", {}))
    assert "sets" in [one.name for one in bs.group_types()]
    default = next(bs.types(is_public=True))
    made = bs.create_group(name="g", group_type=kind.id, volume_types=[default.id])
    ready(bs.get_group(made))
    inside = volume("inside", group_id=made.id)
    bs.update_group(made, name="gg", description="words")
    equal(bs.get_group(made, list_volume=True).volumes, [inside.id])
    equal([one.name for one in bs.groups()], ["gg"])
    bs.reset_group_status(made, "error")
    equal(bs.get_group(made).status, "error")
    bs.reset_group_status(made, "available")
    taken = bs.create_group_snapshot(group_id=made.id, name="s")
    ready(bs.get_group_snapshot(taken))
    equal([one.name for one in bs.group_snapshots()], ["s"])
    bs.reset_group_snapshot_status(taken, "error")
    equal(bs.get_group_snapshot(taken).status, "error")
    bs.reset_group_snapshot_status(taken, "available")
    # `create_group_from_source` names both sources, of which Cinder takes one.
    body = {"create-from-src": {"name": "copy", "group_snapshot_id": taken.id}}
    copy = bs.post("/groups/action", json=body, microversion="3.14")
    copy = ready(bs.get_group(copy.json()["group"]["id"]))
    bs.delete_group(copy, delete_volumes=True)
    gone(copy)
    bs.delete_group_snapshot(taken)
    gone(bs.find_group_snapshot(taken.id) or taken)
    bs.delete_group(bs.get_group(made), delete_volumes=True)
    gone(made)
    bs.delete_group_type(kind)
    equal(bs.find_group_type("sets"), None)

    old = bs.create_consistency_group(name="old", volume_types=default.id)
    old = ready(bs.get_consistency_group(old.id))
    bs.update_consistency_group(old, name="older")
    taken = bs.create_consistency_group_snapshot(name="m", consistencygroup_id=old.id)
    taken = ready(bs.get_consistency_group_snapshot(taken.id))
    equal([one.name for one in bs.consistency_groups()], ["older"])
    equal([one.name for one in bs.consistency_group_snapshots()], ["m"])
    bs.delete_consistency_group_snapshot(taken)
    gone(taken)
    bs.delete_consistency_group(old)
    gone(old)


def quotas():
    usual = bs.get_quota_set(PROJECT)
    bs.update_quota_set(PROJECT, volumes=3)
    equal(bs.get_quota_set(PROJECT).volumes, 3)
    equal(bs.get_quota_set_defaults(PROJECT).volumes, usual.volumes)
    used = bs.get_quota_set(PROJECT, usage=True)
    equal((used.volumes, used.usage["volumes"]), (3, 0))
    bs.revert_quota_set(PROJECT)
    equal(bs.get_quota_set(PROJECT).volumes, usual.volumes)
    bs.update_quota_class_set("default", volumes=12)
    equal(bs.get_quota_class_set("default").volumes, 12)
    equal(bs.get_limits().absolute.max_total_volumes, 12)
    bs.update_quota_class_set("default", volumes=usual.volumes)


def services():
    known = {one.binary: one for one in bs.services()}
    equal(sorted(known), ["cinder-backup", "cinder-scheduler", "cinder-volume"])
    ours = known["cinder-volume"]
    equal((ours.host, ours.cluster, ours.state), (host, cluster, "up"))
    bs.disable_service(ours, reason="maintenance")
    equal(next(bs.services(host=host)).disabled_reason, "maintenance")
    bs.enable_service(ours)
    equal(next(bs.services(host=host)).status, "enabled")
    bs.freeze_service(ours)
    assert next(bs.services(host=host)).is_frozen
    bs.thaw_service(ours)
    assert not next(bs.services(host=host)).is_frozen
    bs.set_service_log_levels(level="DEBUG",
                              prefix="firebrick_db")
    levels = list(bs.get_service_log_levels(prefix="firebrick_db"))
    equal({level for one in levels for level in one.levels.values()}, {"DEBUG"})
    bs.set_service_log_levels(level="INFO",
                              prefix="firebrick_db")
    equal([one.name for one in bs.clusters()], [cluster])
    found = bs.get_cluster(cluster)
    equal((found.state, found.num_hosts), ("up", 1))
    with newest():
        equal(bs.disable_cluster(found, reason="holidays").status, "disabled")
        equal(bs.enable_cluster(found).status, "enabled")


def told():
    equal([zone.name for zone in bs.availability_zones()], ["nova"])
    pool = next(bs.backend_pools())
    equal(pool.name, f"{cluster}#volumes")
    assert pool.capabilities["total_capacity_gb"] > 0, pool
    equal(bs.get_capabilities(host).vendor_name, "Firebrick")
    filters = {one.resource: one.filters for one in bs.resource_filters()}
    equal(filters["backup"], ["name", "status", "volume_id"])
    assert "os-volume-transfer" in [one.alias for one in bs.extensions()]
    # What has no proxy of its own, a client asks for as it is.
    lost = bs.create_type(name="lost", extra_specs={"volume_backend_name": "none"})
    made = bs.create_volume(size=1, name="lost", volume_type="lost")
    ready(made, "error")
    asked = bs.get(f"/activities?resource_id={made.id}", microversion="3.71").json()
    equal([one["action"] for one in asked["activities"]], ["create_volume"])
    one = bs.get(f"/activities/{asked['activities'][0]['id']}", microversion="3.71").json()
    equal(one["activity"]["status"], "failed")
    with newest():
        found = next(bs.messages())
        equal((found.resource_uuid, found.message_level), (made.id, "ERROR"))
        one = bs.get(f"/messages/{found.id}").json()["message"]
        equal(one["event_id"], found.event_id)
        bs.delete_message(found)
        equal(list(bs.messages()), [])
    bs.delete_volume(made)
    gone(made)
    bs.delete_type(lost)


for part in (volumes, snapshots, attachments, backups, transfers, types, qos, groups, quotas,
             services, told):
    part()
    print(part.__name__, flush=True)
