#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_registry
short_description: Configures a registry with TLS and access control, and its upkeep
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Writes the configuration of distribution's registry of version 2 or 3 to C(/etc/docker/registry), with a private
    copy of each file that it reads, and the systemd units of the registry and its upkeep. A running registry of
    Debian's package is restarted when it has to be.
  - Everything that contradicts itself, or that this version does not have, is refused before anything changes.
  - Nothing is changed while garbage is collected, since nothing may be pushed meanwhile.
options:
  state:
    description: With V(absent) configuration and units are removed, after the service was stopped. Images are kept.
    type: str
    choices: [present, absent]
    default: present
  kind:
    description: Debian's own service, or a container.
    type: str
    choices: [native, container]
    default: native
  version:
    description: The registry's version. Parameters are judged by it.
    type: str
    default: "2.8"
  image:
    description: The container's image.
    type: str
    default: ""
  uid:
    description: The container's user, who owns the files.
    type: int
    default: 65532
  address:
    description: The address on which a native registry listens; an empty one is every address.
    type: str
    default: ""
  port:
    description: The port.
    type: int
    default: 5000
  certificate:
    description: The registry's certificate with those that it was issued by, a file on the host.
    type: path
    required: true
  key:
    description: The certificate's key, a file on the host.
    type: path
    required: true
  tls_minimum:
    description: The oldest version of TLS that is spoken.
    type: str
    choices: ["1.2", "1.3"]
    default: "1.2"
  client_certificates:
    description: Whether clients need a certificate; V(accepted) checks one that is given, since version 3.
    type: str
    choices: [none, accepted, required]
    default: none
  client_ca:
    description: The CAs of clients' certificates, files on the host.
    type: list
    elements: path
    default: []
  users:
    description: Who may use the registry, by a password or its bcrypt hash.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name.
        type: str
        required: true
      password:
        description: The password.
        type: str
      hash:
        description: A bcrypt hash of the password.
        type: str
  token:
    description: Parameters of token authentication, by distribution's names; C(rootcertbundle) and C(jwks) are files.
    type: dict
    default: {}
  http_secret:
    description:
      - What the state of uploads is signed with; registries behind one address share it. Made and kept by default.
    type: str
    default: ""
  storage:
    description: The storage driver.
    type: str
    choices: [filesystem, s3, azure, gcs, swift, oss]
    default: filesystem
  storage_options:
    description: Parameters of the driver by distribution's names; C(keyfile) of gcs is a file on the host.
    type: dict
    default: {rootdirectory: /var/lib/docker-registry}
  redirect:
    description: Lets clients load images from the storage itself, where the driver can.
    type: bool
    default: false
  delete:
    description: Lets clients delete.
    type: bool
    default: true
  purge_age:
    description: Uploads that nobody went on with for so long are removed.
    type: str
    default: 168h
  proxy:
    description: Makes the registry a pull-through cache, by C(url), C(username), C(password) and, since 3, C(ttl).
    type: dict
    default: {}
  metrics_address:
    description: A private address and port for Prometheus metrics and health; none by default.
    type: str
    default: ""
  log_level:
    description: What is logged.
    type: str
    choices: [error, warn, info]
    default: info
  memory:
    description: How much memory the native service may take.
    type: str
    default: 1G
  tasks:
    description: How many tasks the native service may have.
    type: int
    default: 512
  gc_schedule:
    description: When garbage is collected, as systemd's calendar event; never when empty, or for a pull-through cache.
    type: str
    default: Sun 03:00
  quota:
    description: How much the images may take, such as V(50G), before a unit fails and logs it. None by default.
    type: str
    default: ""
  quota_schedule:
    description: When that is measured.
    type: str
    default: hourly
  backup_directory:
    description: Where images are copied to, none by default.
    type: str
    default: ""
  backup_schedule:
    description: When they are copied.
    type: str
    default: daily
  backup_keep:
    description: How many copies are kept.
    type: int
    default: 7
attributes:
  check_mode:
    support: full
    description: Predicts everything, also where account, certificate and package are yet to come.
  diff_mode:
    support: full
    description: Shows configuration and units, secrets hidden.
  idempotent:
    support: full
    description: Changes nothing when all is as it is to be.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host.
"""

EXAMPLES = r"""
- name: Configure Debian's registry
  breakwater.docker.docker_registry:
    certificate: /etc/docker/registry-tls/cert.pem
    key: /etc/docker/registry-tls/key.pem
    users:
      - name: alice
        password: "{{ vault_alice }}"
"""

RETURN = r"""
restart:
  description: Why the running registry is not yet as configured, as clauses. A native one was restarted.
  type: list
  elements: str
  returned: success
  sample: [config.yml changed]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.registry import config
from ansible_collections.breakwater.docker.plugins.module_utils.registry.host import Plan, RegistryHost
from ansible_collections.breakwater.docker.plugins.module_utils.registry.passwords import LibcryptHasher
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import CONTAINER, Settings, check
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import refuse_to_start

ROOT_DIRECTORY = "/var/lib/docker-registry"
#: Files that hold no secret.
PUBLIC = (config.CERTIFICATE, config.CLIENT_CA, config.TOKEN_CA)


def difference(plan: Plan) -> list[dict[str, str]]:
    """Return what changes, without secrets."""

    def visible(name: str, text: str) -> str:
        if name in (config.CONFIG, config.READ_ONLY):
            return config.shown(text)
        return text if name in PUBLIC or not text else "(hidden)\n"

    shown = []
    for name in plan.changed_files:
        before, after = (visible(name, texts.get(name, "")) for texts in (plan.before, plan.after))
        if before == after and after:
            after += "(changed)\n"
        shown.append({"before_header": name, "after_header": name, "before": before, "after": after})
    for name in plan.changed_units:
        before, after = (texts.get(name, "") for texts in (plan.units_before, plan.units_after))
        shown.append({"before_header": name, "after_header": name, "before": before, "after": after})
    lines = [f"{name} started\n" for name in plan.idle_timers]
    lines += [f"{plan.make_root} given to the registry\n"] if plan.make_root else []
    lines += [f"The registry is restarted: {reason}\n" for reason in plan.restart]
    return [*shown, {"before": "", "after": "".join(lines)}]


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan and, outside check mode, carry out; BreakwaterError when it can't or must not be done."""
    params = {name: value for name, value in module.params.items() if name not in ("state", "http_secret")}
    if params["kind"] == CONTAINER:
        refuse_to_start()  # as the role's next tasks would, which see to the container
    host = RegistryHost(SubprocessRunner(), lambda: EngineApi(DEFAULT_SOCKET, timeout=5))
    if module.params["state"] == "absent":
        plan = host.removal()
        if plan.changed and not module.check_mode:
            host.remove(plan)
    else:
        settings = Settings(**params)
        secret = module.params["http_secret"]
        # both options are secret as a whole for the log; here only what is a secret has to be hidden
        module.no_log_values = settings.secrets() | ({secret} - {""})
        check(settings)
        for warning in settings.warnings():
            module.warn(warning)
        plan = host.plan(settings, secret, LibcryptHasher(), module.check_mode)
        if plan.changed and not module.check_mode:
            host.apply(settings, plan)
    return {"changed": plan.changed, "restart": list(plan.restart), "diff": difference(plan)}


def main() -> None:
    """Run the module."""
    user = {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "no_log": True},
        "hash": {"type": "str", "no_log": True},
    }
    text = {"type": "str", "default": ""}
    drivers = ["filesystem", "s3", "azure", "gcs", "swift", "oss"]
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kind": {"type": "str", "choices": ["native", "container"], "default": "native"},
            "version": {"type": "str", "default": "2.8"},
            "image": text,
            "uid": {"type": "int", "default": 65532},
            "address": text,
            "port": {"type": "int", "default": 5000},
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
            "tls_minimum": {"type": "str", "choices": ["1.2", "1.3"], "default": "1.2"},
            "client_certificates": {"type": "str", "choices": ["none", "accepted", "required"], "default": "none"},
            "client_ca": {"type": "list", "elements": "path", "default": []},
            "users": {"type": "list", "elements": "dict", "default": [], "options": user},
            "token": {"type": "dict", "default": {}, "no_log": False},
            "http_secret": {**text, "no_log": True},
            "storage": {"type": "str", "choices": drivers, "default": "filesystem"},
            "storage_options": {"type": "dict", "default": {"rootdirectory": ROOT_DIRECTORY}, "no_log": True},
            "redirect": {"type": "bool", "default": False},
            "delete": {"type": "bool", "default": True},
            "purge_age": {"type": "str", "default": "168h"},
            "proxy": {"type": "dict", "default": {}, "no_log": True},
            "metrics_address": text,
            "log_level": {"type": "str", "choices": ["error", "warn", "info"], "default": "info"},
            "memory": {"type": "str", "default": "1G"},
            "tasks": {"type": "int", "default": 512},
            "gc_schedule": {"type": "str", "default": "Sun 03:00"},
            "quota": text,
            "quota_schedule": {"type": "str", "default": "hourly"},
            "backup_directory": text,
            "backup_schedule": {"type": "str", "default": "daily"},
            "backup_keep": {"type": "int", "default": 7},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
