"""Makes services with their endpoints, projects and users, as the first argument names them."""

import json
import os
import sys

import openstack

wanted = json.loads(sys.argv[1])
identity = openstack.connect().identity
roles = {role.name: role for role in identity.roles()}
projects = {project.name: project for project in identity.projects()}


def project(name):
    if name not in projects:
        projects[name] = identity.create_project(name=name, domain_id="default")
    return projects[name]


def user(name, where, role):
    found = identity.find_user(name) or identity.create_user(
        name=name, password=os.environ["OS_PASSWORD"]
    )
    identity.assign_project_role_to_user(project(where), found, roles[role])


for name, kind, url in wanted.get("endpoints", []):
    user(name, "service", "service")
    user(name, "service", "admin")
    service = identity.create_service(name=name, type=kind)
    identity.create_endpoint(
        service_id=service.id,
        interface="public",
        url=url,
        region_id=os.environ["OS_REGION_NAME"],
    )
for name, where, role in wanted.get("users", []):
    user(name, where, role)
