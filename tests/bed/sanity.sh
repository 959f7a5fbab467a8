#!/bin/sh
# sanity.sh WORK_DIRECTORY [TEST ARGUMENT...]: runs ansible-test sanity over a copy of the checkout, all tests, none ignored.
# ansible-test refuses a checkout that is not below ansible_collections/, and keeps its virtual environments in $HOME.
set -eu

HOME=$1
export HOME
shift
python=$(command -v python3)
copy=$HOME/ansible_collections/breakwater/docker
rm -rf "$copy"
mkdir -p "$copy" "$HOME/.ansible/test/cache"
git ls-files -co --exclude-standard -z | tar --null --ignore-failed-read -T - -c 2>/dev/null | tar -C "$copy" -x
git init -q "$copy" # else ansible-test sees a directory that the checkout ignores

# ansible-test downloads a pip bootstrap script, from where not every machine can: Python brings a pip as well.
pip_version=$("$python" -c 'from ansible_test._internal.python_requirements import get_venv_packages as packages
from ansible_test._internal.host_configs import PosixConfig, NativePythonConfig
import sys
print(packages(NativePythonConfig(version="%d.%d" % sys.version_info[:2], path=sys.executable))["pip"])')
echo 'import ensurepip; ensurepip.bootstrap()' >"$HOME/.ansible/test/cache/get_pip_$(echo "$pip_version" | tr . _).py"

cd "$copy"
exec ansible-test sanity --local --python "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" --color no "$@"
