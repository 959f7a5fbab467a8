# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# With which settings a running dockerd was started: its arguments, its environment and its configuration file, in this
# order of precedence. Source: https://docs.docker.com/reference/cli/dockerd/ and moby/moby cmd/dockerd.

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, TypeVar

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import KEYS
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import DaemonProcess, ProcessTable

Value = TypeVar("Value", bool, str, List[str], Dict[str, Any])

_SHORT_FLAGS = {
    **{"H": "host", "D": "debug", "l": "log-level", "G": "group"},
    **{"s": "storage-driver", "b": "bridge", "p": "pidfile", "g": "data-root"},
}
#: Flags that are given once per value; the configuration file has one key for all of them.
_REPEATED_FLAGS = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "cdi-spec-dir": "cdi-spec-dirs",
    "default-address-pool": "default-address-pools",
    "default-network-opt": "default-network-opts",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "feature": "features",
    "host": "hosts",
    "host-gateway-ip": "host-gateway-ips",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
_LISTS = frozenset(_REPEATED_FLAGS.values()) - frozenset(_REPEATED_FLAGS)
_FLAGS_WITHOUT_KEY = frozenset(("help", "rootless", "validate", "version"))
_ENVIRONMENT_KEYS = {
    "DOCKER_DRIVER": "storage-driver",
    "DOCKER_MIN_API_VERSION": "min-api-version",
    "HTTP_PROXY": "http-proxy",
    "HTTPS_PROXY": "https-proxy",
}
_TLS_FILES = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
_CONFIG_DIRECTORY = "/etc/docker"
_DEFAULT_CONFIG = f"{_CONFIG_DIRECTORY}/daemon.json"


class DaemonSettings(NamedTuple):
    """What one dockerd was told; `process` is None where no dockerd that serves the socket can be seen."""

    process: DaemonProcess | None = None
    config_path: str = _DEFAULT_CONFIG
    config_error: str = ""
    """Why the configuration file can't be read or understood; empty when it can, or when there is none."""
    config_changed: float | None = None
    """When the configuration file was changed, in Unix time; None where there is no such file."""
    values: Mapping[str, Any] = {}
    """Values by the keys of daemon.json; proxies are flat (`http-proxy`)."""
    sources: Mapping[str, str] = {}
    """Where each value comes from: flag, environment or file."""
    clashes: tuple[str, ...] = ()
    """Keys that are given as flag and in the file: with them dockerd will not start again."""
    invisible: str = "no dockerd that serves this socket is visible in /proc"
    """Why `process` is None."""

    def get(self, key: str, default: Value) -> Value:
        """Return the value of `key`, or the engine's default; UnreadableError when it can't be known."""
        if self.process is None:
            raise UnreadableError(f"{self.invisible}, so its settings are unknown")
        if self.config_error and self.sources.get(key) != "flag":
            raise UnreadableError(self.config_error)
        value = self.values.get(key, default)
        if not isinstance(value, type(default)):
            raise UnreadableError(f"{key} is set to a value of the wrong type in {self.config_path}")
        return value

    def tls_files(self) -> dict[str, str]:
        """Return the paths of tlscacert, tlscert and tlskey; empty where the daemon does not use TLS."""
        # Naming `tlsverify` switches TLS on even when it is false; the files alone do not.
        if self.values.get("tls") is not True and "tlsverify" not in self.values:
            return {}
        environment = (self.process.environment if self.process else None) or {}
        directory = environment.get("DOCKER_CERT_PATH") or environment.get("HOME", "/root") + "/.docker"
        return {key: self.get(key, f"{directory}/{name}") for key, name in _TLS_FILES.items()}


def parse_flags(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the settings in dockerd's arguments (without the program) by the keys of daemon.json."""
    found: dict[str, Any] = {}
    remaining = list(arguments)
    while remaining:
        word = remaining.pop(0)
        if not word.startswith("-"):
            continue
        if word.startswith("--"):
            name, equals, text = word[2:].partition("=")
        else:
            name, equals, text = _SHORT_FLAGS.get(word[1:2], word[1:2]), word[2:3], word[2:].lstrip("=")
        if name in _LISTS:
            continue  # the name of a key, which dockerd has no flag for
        key = _REPEATED_FLAGS.get(name, name)
        boolean = name in _FLAGS_WITHOUT_KEY or (key in KEYS and KEYS[key].kind == "boolean")
        if boolean:
            found[key] = text.lower() in ("1", "t", "true") if equals else True
            continue
        if not equals and remaining and not remaining[0].startswith("-"):
            text = remaining.pop(0)
        _store(found, key, name in _REPEATED_FLAGS, text)
    return found


def _store(found: dict[str, Any], key: str, repeated: bool, text: str) -> None:
    if not repeated:
        found[key] = text
    elif KEYS[key].kind.endswith("_by_name"):
        name, _separator, value = text.partition("=")
        found.setdefault(key, {})[name] = value
    else:
        found.setdefault(key, []).append(text)


def read_settings(files: FileSystem, processes: ProcessTable, socket_path: str) -> DaemonSettings:
    """Return the settings of the dockerd that serves `socket_path`.

    Where only one dockerd runs it is taken to be the one: a socket that systemd opened is not in its arguments.
    """
    owner = _owner(files, socket_path)
    known = [_settings_of(files, process) for process in processes.daemons if process.uid in (0, owner)]
    serving = [settings for settings in known if _normal(socket_path) in _socket_paths(settings)]
    if serving or len(known) == 1:
        return (serving or known)[0]
    return DaemonSettings()


def _owner(files: FileSystem, socket_path: str) -> int:
    """Return whose socket it is: every user can start a program called dockerd, with arguments that look good."""
    try:
        return files.stat(socket_path).st_uid
    except OSError:
        return os.geteuid()


def _normal(path: str) -> str:
    return path[4:] if path.startswith("/var/run/") else path


def _socket_paths(settings: DaemonSettings) -> list[str]:
    process = settings.process
    hosts = settings.values.get("hosts")
    named = [host[len("unix://") :] for host in hosts or [] if isinstance(host, str) and host.startswith("unix://")]
    if process is None or named:
        return [_normal(path) for path in named]
    directory = (process.environment or {}).get("XDG_RUNTIME_DIR", f"/run/user/{process.uid}")
    return ["/run/docker.sock" if process.uid == 0 else f"{directory}/docker.sock"]


def _settings_of(files: FileSystem, process: DaemonProcess) -> DaemonSettings:
    flags = parse_flags(process.arguments[1:])
    config_path = str(flags.pop("config-file", "")) or f"{config_directory(process)}/daemon.json"
    config, changed, error = _read_config(files, config_path)
    environment = {
        key: (process.environment or {}).get(name) or (process.environment or {}).get(name.lower())
        for name, key in _ENVIRONMENT_KEYS.items()
    }
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    # Later ones take precedence; that dockerd refuses a key in both flags and file is told by `clashes`.
    for source, given in (("environment", environment), ("file", config), ("flag", flags)):
        for key, value in given.items():
            if value is not None:
                values[key] = value
                sources[key] = source
    clashes = tuple(sorted(flags.keys() & config.keys()))
    return DaemonSettings(process, config_path, error, changed, values, sources, clashes)


def config_directory(process: DaemonProcess | None) -> str:
    """Return where a dockerd has its configuration and the certificates of registries, without root its user's own."""
    if process is None or process.uid == 0:
        return _CONFIG_DIRECTORY
    environment = process.environment or {}
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "~"), ".config")
    return f"{home}/docker"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is JavaScript, not JSON")


def _read_config(files: FileSystem, path: str) -> tuple[dict[str, Any], float | None, str]:
    if not path.startswith("/"):
        return (
            {},
            None,
            f"{path} is relative to where dockerd was started, which is unknown; name it with its directory",
        )
    try:
        changed = files.stat(path).st_mtime
        text = files.read_text(path)
    except FileNotFoundError:
        return {}, None, ""
    except OSError as error:
        return {}, None, f"{path} can't be read: {error.strerror}"
    try:
        # dockerd takes an empty file and one with a byte order mark
        config = json.loads(text.lstrip("\ufeff"), parse_constant=_refuse_constant) if text.strip() else {}
    except (ValueError, RecursionError):
        return {}, changed, f"{path} is not valid JSON"
    if not isinstance(config, dict):
        return {}, changed, f"{path} does not hold a JSON object"
    proxies = config.pop("proxies", None)
    return {**config, **(proxies if isinstance(proxies, dict) else {})}, changed, ""
