#!/bin/sh
# vm_image.sh WORK_DIRECTORY: builds the disk of the test bed's virtual machines where it is missing or its inputs have
# changed, as WORK_DIRECTORY/vm/debian13.raw with its boot loader debian13.grub, and the key by which they let in.
# Needs breakwater-host:debian13-docker (images.sh).
set -eu

here=$(dirname "$0")
vm=$1/vm
disk=$vm/debian13
image=breakwater-vm:debian13

"$here/apt-install.sh" qemu-system-x86 qemu-utils e2fsprogs openssh-client
mkdir -p "$vm"
[ -e "$vm/key" ] || { ssh-keygen -q -t ed25519 -N '' -C breakwater-test-bed -f "$vm/key" && chmod 0400 "$vm/key"; }

if ! docker build --build-arg HOST=breakwater-host:debian13-docker -t "$image" -f "$here/Dockerfile.vm" "$here" \
    >"$1/build-vm.log" 2>&1; then
    echo "Building $image failed; the end of $1/build-vm.log says why:" >&2
    tail -n 20 "$1/build-vm.log" >&2
    exit 1
fi
inputs=$(docker image inspect -f '{{.Id}}' "$image")-$(sha256sum <"$0" | cut -c 1-64)
if [ -e "$disk.inputs" ] && [ "$(cat "$disk.inputs")" = "$inputs" ]; then exit 0; fi

echo "Making the virtual machines' disk."
rm -f "$disk.inputs"
tree=$(mktemp -d "$vm/tree.XXXXXX")
container=$(docker create "$image")
trap 'rm -rf "$tree"; docker rm "$container" >/dev/null' EXIT
# By .dockerenv systemd would take the machine for a container, and leave out half of the boot.
docker export "$container" | tar -C "$tree" -x --xattrs --xattrs-include='*' --exclude=.dockerenv
cp "$tree/boot/grub/test-bed.img" "$disk.grub"
rm -f "$disk.raw"
truncate -s 6G "$disk.raw"
mkfs.ext4 -q -F -d "$tree" "$disk.raw"
echo "$inputs" >"$disk.inputs"
