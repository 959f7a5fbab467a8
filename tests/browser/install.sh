#!/bin/sh
# install.sh: installs the browser that the tests of this directory drive; needs root on Debian, once.
set -eu
exec "$(dirname "$0")/../bed/apt-install.sh" chromium fonts-dejavu-core
