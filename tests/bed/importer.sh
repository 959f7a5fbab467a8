#!/bin/sh
# importer.sh WORK_DIRECTORY: imports the collection as Galaxy would, and fails when the importer warns.
# Galaxy runs ansible-test in a container; `make sanity` does that part here.
set -eu

work=$1
environment=$work/environment
pins=tests/bed/requirements-importer.txt
if ! cmp -s "$pins" "$environment/requirements.txt"; then
  python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$pins"
  cp "$pins" "$environment/requirements.txt"
fi
rm -rf "$work/built"
ansible-galaxy collection build --output-path "$work/built" >/dev/null
cd "$work/built"
PATH=$environment/bin:$PATH GALAXY_IMPORTER_RUN_ANSIBLE_TEST=false \
  "$environment/bin/python" -m galaxy_importer.main breakwater-docker-*.tar.gz >importer.log 2>&1 ||
  { cat importer.log && exit 1; }
if grep -E '^(WARNING|ERROR|CRITICAL)' importer.log; then
  exit 1
fi
tail -n 1 importer.log
