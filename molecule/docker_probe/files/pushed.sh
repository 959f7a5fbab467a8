#!/bin/sh
# Starts a container whose image the engine knows by the registry without TLS, and one whose image was built here.
set -eu

image=localhost:5000/tools/busybox:1
docker tag busybox:local "$image"
echo correct-horse | docker login --username ada --password-stdin localhost:5000 2>/dev/null
docker push -q "$image"
docker logout localhost:5000
docker run -d --name pushed "$image" sleep 100000 >/dev/null
printf 'FROM busybox:local\nLABEL made=here\n' | DOCKER_BUILDKIT=0 docker build -q -t built:local - >/dev/null
docker run -d --name built built:local sleep 100000 >/dev/null
