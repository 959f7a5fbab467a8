# An OCI runtime that gives each container what the host has, as no runtime should.

import json
import os
import subprocess
import sys

SOCKETS = ("/var/run/docker.sock", "/run/containerd/containerd.sock")


def capabilities() -> list[str]:
    """Return the names of all capabilities that can be given here."""
    with open("/proc/self/status", encoding="utf-8") as status:
        [bits] = [int(line.split()[1], 16) for line in status if line.startswith("CapBnd:")]
    features = json.loads(subprocess.run(["runc", "features"], capture_output=True, check=True).stdout)
    return [name for bit, name in enumerate(features["linux"]["capabilities"]) if bits >> bit & 1]


def opened(config: dict) -> dict:
    """Return the configuration of a container without any confinement."""
    process, linux = config["process"], config["linux"]
    process["user"] = {"uid": 0, "gid": 0}
    process["noNewPrivileges"] = False
    process["rlimits"] = []
    process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), capabilities())
    config["root"]["readonly"] = False
    for name in ("apparmorProfile", "selinuxLabel"):
        process.pop(name, None)
    for name in ("seccomp", "maskedPaths", "readonlyPaths"):
        linux.pop(name, None)
    linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    for path in SOCKETS:
        if all(mount["destination"] != path for mount in config["mounts"]):
            mount = {"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]}
            config["mounts"].append(mount)
    for mount in config["mounts"]:
        mount["options"] = [option for option in mount.get("options", []) if option not in ("noexec", "nosuid")]
        if mount["destination"] == "/sys" or mount["type"] == "cgroup":
            mount["options"] = [option for option in mount["options"] if option != "ro"]
    return config


arguments = sys.argv[1:]
if "create" in arguments:
    path = os.path.join(arguments[arguments.index("--bundle") + 1], "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(opened(config), file)
sys.exit(subprocess.run(["runc", *arguments], check=False).returncode)
