#!/bin/sh
# rpm_repository.sh DIRECTORY VERSION...: makes of a container host one like AlmaLinux 10, with dnf and without apt, and a signed
# repository like Docker's, with Debian's engine under the names and in the versions of docker-ce; prints the fingerprint of its key.
# dnf is dnf 5 where Debian has it. What the distribution itself would have is packed empty. Runs in a container host.
set -eu

docker=$1/centos/10/x86_64/stable
distribution=/srv/baseos
shift
apt-get update -qq
if apt-cache show dnf5 >/dev/null 2>&1; then
    dnf=dnf5
    ln -s dnf5 /usr/bin/dnf
else
    dnf="dnf dnf-plugins-core python3-systemd"
fi
# shellcheck disable=SC2086 # several packages
apt-get install -qq -y --no-install-recommends createrepo-c $dnf gnupg rpm >/dev/null 2>&1
mkdir -p "$docker" "$distribution" /tmp/build/empty
cd /tmp/build
apt-get download -qq docker.io docker-cli containerd runc tini 2>/dev/null
for package in docker.io docker-cli containerd; do dpkg-deb -x "$package"_*.deb "$package"; done
dpkg-deb -x runc_*.deb containerd
dpkg-deb -x tini_*.deb containerd
rm -rf docker.io/etc containerd/etc containerd/usr/bin/ctr containerd/usr/bin/containerd-shim containerd/usr/bin/*-v1 ./*/usr/share
mv docker.io/usr/sbin/* docker.io/usr/bin
sed -i -e 's|/usr/sbin/dockerd|/usr/bin/dockerd|' -e '/^EnvironmentFile/d' docker.io/usr/lib/systemd/system/docker.service

rpm_of() { # rpm_of REPOSITORY TREE NAME EPOCH:VERSION [FIELDS [SECTIONS]]: packs the files of a tree
    (cd "$2" && find . ! -type d -printf '/%P\n') >files
    cat >"$3.spec" <<SPEC
Name: $3
Epoch: ${4%:*}
Version: ${4#*:}
Release: 1.el10
Summary: $3
License: none
AutoReqProv: no
${5:-}
%define _build_id_links none
%define _binary_payload w.ufdio
%define __os_install_post %{nil}
%define debug_package %{nil}
%define _empty_manifest_terminate_build 0
%description
%install
mkdir -p %{buildroot}
cp -a /tmp/build/$2/. %{buildroot}
%files -f /tmp/build/files
${6:-}
SPEC
    rpmbuild --quiet -bb --target x86_64 --define "_rpmdir $1" "$3.spec" 2>/dev/null
}

rpm_of "$docker" containerd containerd.io 0:2.1.5
for version in "$@"; do
    rpm_of "$docker" docker-cli docker-ce-cli "1:$version"
    # shellcheck disable=SC2016 # rpm expands it
    # like Docker's, it neither enables nor starts the engine, and an upgrade restarts it
    rpm_of "$docker" docker.io docker-ce "3:$version" 'Requires: docker-ce-cli, containerd.io, container-selinux, iptables' '%post
getent group docker >/dev/null || groupadd --system docker
systemctl daemon-reload
%postun
if [ "$1" -ge 1 ]; then systemctl try-restart docker.service; fi'
done
for package in ca-certificates container-selinux tftp-server xinetd; do rpm_of "$distribution" empty "$package" 0:1; done
rpm_of "$distribution" empty iptables-nft 0:1 'Provides: iptables'
rpm_of "$distribution" empty bash 0:5 'Provides: /bin/sh'
rpm_of "$distribution" empty almalinux-release 0:10.0 'Provides: system-release(releasever) = 10'
rpm_of "$distribution" empty network-boot 0:1 'Requires: tftp-server'

gpg -q --batch --passphrase '' --quick-generate-key repository rsa3072 sign never 2>/dev/null
gpg -q --armor --export >"${docker%/10/*}/gpg"
rpmsign --define '_gpg_name repository' --addsign "$docker"/*/*.rpm >/dev/null 2>&1
createrepo_c -q "$docker"
createrepo_c -q "$distribution"

mkdir -p /etc/yum.repos.d
printf '[baseos]\nname=BaseOS\nbaseurl=file://%s\ngpgcheck=0\n' "$distribution" >/etc/yum.repos.d/baseos.repo
printf '[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\nskip_if_unavailable=False\n' >/etc/dnf/dnf.conf
find /etc/dnf -name local.conf -exec sed -i 's/^enabled.*/enabled = false/' {} +
printf 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\nPLATFORM_ID="platform:el10"\nNAME="AlmaLinux"\n' >/etc/os-release
cd "$distribution/x86_64"
rpm --install almalinux-release-* bash-* network-boot-* tftp-server-* xinetd-*
mkdir /opt/debian
mv /usr/bin/apt* /usr/bin/dpkg* /opt/debian
gpg -q --list-keys --with-colons | awk -F: '/^fpr/ {print $10; exit}'
