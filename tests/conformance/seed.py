"""Makes the volume type and the images that the suite is told of, and prints the images' ids."""

import os

import openstack

cloud = openstack.connect()
cloud.block_storage.create_type(
    name="multi", extra_specs={"multiattach": "<is> True"}
)
for name in ("one", "other"):
    image = cloud.image.create_image(
        name=name,
        disk_format="raw",
        container_format="bare",
        visibility="public",
        data=os.urandom(1 << 20),
    )
    print(image.id)
