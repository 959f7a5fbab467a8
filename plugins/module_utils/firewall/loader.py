# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What loads the rules on a host: at boot, when a run applies them, and when they are taken back.
# Sources: iptables-restore(8), nft(8), systemd.unit(5).

from __future__ import annotations

CONFIRMED = "/etc/breakwater/firewall"
RUNTIME = "/run/breakwater-firewall"
SCRIPT = "/usr/local/lib/breakwater/firewall.sh"
UNIT = "breakwater-firewall.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
#: Services that throw away what is not theirs when they are restarted.
_FLUSHING = (
    "nftables.service",
    "firewalld.service",
    "netfilter-persistent.service",
    "iptables.service",
    "ip6tables.service",
)
#: All that fill the packet filter too.
OTHERS = (*_FLUSHING, "ufw.service")

SCRIPT_TEXT = f"""\
#!/bin/sh
# Managed by breakwater.docker: the packet filter's rules for Docker.
#   firewall.sh load DIRECTORY    loads its rules.v4 and rules.v6, or its rules.nft, and what has none is unloaded
#   firewall.sh revert CANDIDATE SECONDS    after so many seconds loads the confirmed rules, unless CANDIDATE is gone
set -eu
runtime={RUNTIME}
mkdir -p "$runtime/loaded"
work=$(mktemp -d -p "$runtime") # not in /tmp, which is emptied at boot
trap 'rm -rf "$work"' EXIT

# Prints the commands by which PARENT jumps to CHAIN: before all others, but among FORWARD's wherever Docker leaves it.
hook() {{ # hook SAVED PARENT CHAIN
    jump="$2 -j $3"
    if [ "$2" = FORWARD ]; then
        ! grep -qx -e "-A $jump" "$1" || return 0
    elif [ "$(grep -m 1 -e "^-A $2 " "$1")" = "-A $jump" ]; then
        return 0
    fi
    grep -q "^:$2 " "$1" || echo ":$2 - [0:0]"
    sed -n "s/^-A $jump\\$/-D $jump/p" "$1"
    echo "-I $2 1 -j $3"
}}

prepare() {{ # prepare TOOL RULES: makes $work/TOOL, one transaction that loads RULES, or unloads where there are none
    command -v "$1-save" >/dev/null && "$1-save" -t filter >"$work/saved" || return 0
    {{
        if [ -e "$2" ]; then
            sed '$d' "$2"
            hook "$work/saved" INPUT BREAKWATER-INPUT
            hook "$work/saved" DOCKER-USER BREAKWATER-FORWARD
            hook "$work/saved" FORWARD BREAKWATER-FORWARD
        else
            echo '*filter'
            sed -n '/^-A BREAKWATER-/d; s/^-A \\([^ ]* -j BREAKWATER-[A-Z]*\\)$/-D \\1/p' "$work/saved"
            sed -n 's/^:\\(BREAKWATER-[A-Z]*\\) .*/-F \\1/p' "$work/saved"
            sed -n 's/^:\\(BREAKWATER-[A-Z]*\\) .*/-X \\1/p' "$work/saved"
        fi
        echo COMMIT
    }} >"$work/$1"
    "$1-restore" -w --test --noflush <"$work/$1"
}}

commit() {{ # commit TOOL SNAPSHOT
    [ -e "$work/$1" ] || return 0
    "$1-restore" -w --noflush <"$work/$1"
    "$1-save" -t filter | grep -e '^-A BREAKWATER-' >"$2" && return 0
    rm -f "$2"
    "$1" -w -X DOCKER-USER 2>/dev/null || : # our own one, where Docker has none
}}

load() {{ # load DIRECTORY
    [ ! -e "$1/rules.nft" ] || nft -c -f "$1/rules.nft"
    prepare iptables "$1/rules.v4"
    prepare ip6tables "$1/rules.v6"
    commit iptables "$runtime/loaded/rules.v4"
    commit ip6tables "$runtime/loaded/rules.v6"
    if [ -e "$1/rules.nft" ]; then
        nft -f "$1/rules.nft"
        nft list table inet breakwater >"$runtime/loaded/rules.nft"
    else
        rm -f "$runtime/loaded/rules.nft"
        ! command -v nft >/dev/null || nft delete table inet breakwater 2>/dev/null || :
    fi
}}

case $1 in
    load) load "$2" ;;
    revert)
        sleep "$3"
        # Who moves the candidate away decides what becomes of it: this, or the run that confirms it.
        mv "$2" "$2.reverted" 2>/dev/null || exit 0
        load {CONFIRMED}
        rm -rf "$2.reverted"
        ;;
esac
"""

#: Ordered as nftables.service is: before the network and without the default dependencies, which would make a circle
#: with cloud-init. It follows those that flush what is not theirs. Nothing is done at its stop, so that a restart
#: leaves no gap.
UNIT_TEXT = f"""\
# Managed by breakwater.docker
[Unit]
Description=Packet filter's rules for Docker
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target docker.service shutdown.target
After=local-fs.target systemd-modules-load.service {" ".join(OTHERS)}
Conflicts=shutdown.target
PartOf={" ".join(_FLUSHING)}
ReloadPropagatedFrom={" ".join(_FLUSHING)}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {SCRIPT} load {CONFIRMED}
ExecReload=/bin/sh {SCRIPT} load {CONFIRMED}

[Install]
WantedBy=multi-user.target
"""
