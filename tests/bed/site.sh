#!/bin/sh
# site.sh WORK_DIRECTORY SITE: builds the documentation's site and checks its links, in an environment of its own.
set -eu

environment=$1/environment
pins=tests/bed/requirements-site.txt
if ! cmp -s "$pins" "$environment/requirements.txt"; then
  python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$pins"
  cp "$pins" "$environment/requirements.txt"
fi
PATH=$environment/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$PWD/.venv/collections \
  exec "$environment/bin/python" tests/tools/docsite.py "$1/source" "$2"
