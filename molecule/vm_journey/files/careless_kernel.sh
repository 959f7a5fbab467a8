#!/bin/sh
# A kernel whose administrator wanted to debug and to try things, and a name by which the host finds itself.
set -eu
sysctl -qw kernel.kptr_restrict=0 kernel.dmesg_restrict=0 kernel.unprivileged_bpf_disabled=0 net.core.bpf_jit_harden=0 \
    kernel.perf_event_paranoid=1 vm.unprivileged_userfaultfd=1 kernel.io_uring_disabled=0 kernel.yama.ptrace_scope=0 \
    kernel.randomize_va_space=0 fs.suid_dumpable=1 fs.protected_symlinks=0 fs.protected_hardlinks=0
# the test bed would write the file anew at each boot
sed -i 's|^f+ /etc/hosts .*|&\\n10.0.2.15 '"$(hostname)"'|' /etc/tmpfiles.d/test-bed.conf
systemd-tmpfiles --create test-bed.conf
