#!/bin/sh
# Makes images in the nested engine: one with a package list that names bash, one whose upper layer says otherwise, and one
# with a file that leads out of it.
set -e
docker load --quiet --input /usr/share/breakwater/busybox.tar
mkdir -p /root/images && cd /root/images
cp /etc/os-release os-release
cp /var/lib/dpkg/status status
sed '/^Package: bash$/,/^$/d' status >patched
cat >Dockerfile <<END
FROM busybox:local AS vulnerable
COPY os-release /etc/os-release
COPY status /var/lib/dpkg/status
CMD ["sleep", "100000"]
FROM vulnerable AS patched
COPY patched /var/lib/dpkg/status
FROM vulnerable AS hostile
RUN rm -rf /var/lib/dpkg && ln -s /var/lib/dpkg /var/lib/dpkg && ln -sf ../../../../../../etc/shadow /etc/shadow && mknod /etc/pipe p
FROM vulnerable AS unused
LABEL unused=yes
END
export DOCKER_BUILDKIT=0
for target in vulnerable patched hostile unused; do
    docker build --quiet --target $target --tag $target:1 .
done
docker run --detach --init --name web vulnerable:1
docker run --detach --init --name shop patched:1
docker run --detach --init --name odd hostile:1
# What runs differs from the image that it was made from.
docker run --detach --init --name drifted patched:1
docker cp status drifted:/var/lib/dpkg/status
# The secret is gone from the image, and not from its layers.
cat >Dockerfile.planted <<END
FROM busybox:local
COPY key.pem /srv/key.pem
RUN rm /srv/key.pem
END
openssl genpkey -quiet -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out key.pem
docker build --quiet --file Dockerfile.planted --tag planted:1 .
