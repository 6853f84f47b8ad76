#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the presets need, on Debian 12. Run it again at any time: what is there stays.
set -eu

packages="
  cmake ninja-build g++ g++-multilib clang-14 clang-19 libclang-rt-19-dev llvm-19
  clang-format-19 clang-tidy-19 python3 codespell
  catch2 libcli11-dev libstb-dev libbenchmark-dev libboost-dev libreaderwriterqueue-dev
  libconcurrentqueue-dev libtbb-dev libatomic-queue-dev"

say() { echo "bootstrap: $*"; }

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $packages; do
  installed "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
  say "every package is installed, nothing to do"
  exit 0
fi

system=$(. /etc/os-release 2>/dev/null && echo "${ID-} ${VERSION_ID-}") || system=
if [ "$system" != "debian 12" ]; then
  say "this script installs packages on Debian 12 only, and this is '${system:-unknown}'"
  say "please install what matches these packages of Debian 12:$missing"
  exit 1
fi >&2

as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    say "not root, and there is no sudo; please have these packages installed:$missing"
    exit 1
  fi >&2
  as_root=sudo
fi

# $missing is a list: it is split into words on purpose.
apt_install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" $missing
}
refresh() {
  say "refreshing the package lists"
  $as_root apt-get update
}

say "installing:$missing"
apt_install --simulate >/dev/null 2>&1 || refresh
# Old package lists can name files that the mirror no longer has.
apt_install || { refresh && apt_install; }
say "done"
