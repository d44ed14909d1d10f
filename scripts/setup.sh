# shellcheck shell=bash
# Sourced by scripts/demo and scripts/test: what the project needs of the system, and how it is configured and built.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian and Ubuntu packages. package:command where a command shows that it is there, whoever installed it.
required_packages=(
  g++:c++ cmake:cmake ninja-build:ninja
  xtl-dev libxsimd-dev libxtensor-dev libopenblas-dev nlohmann-json3-dev catch2 libcli11-dev libfmt-dev
)
optional_packages=(ccache:ccache gnuplot-nox:gnuplot libmpfr-dev)

# missing ENTRY...: the packages of these entries that are not there, one per line.
missing() {
  local entry
  for entry; do
    if [[ $entry == *:* ]]; then
      command -v "${entry#*:}" >/dev/null || echo "${entry%:*}"
    elif command -v dpkg-query >/dev/null; then
      [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$entry" 2>/dev/null) == installed ]] || echo "$entry"
    fi
  done
}

# as_root COMMAND...: through sudo if we are not root.
as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

# apt_install PACKAGE...
apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends "$@"
}

# Installs what is missing where there is apt and the right to use it. Elsewhere it says what is missing and goes on:
# the libraries may have been installed another way, and CMake finds out.
install_missing_packages() {
  local required optional
  mapfile -t required < <(missing "${required_packages[@]}")
  mapfile -t optional < <(missing "${optional_packages[@]}")
  if ((${#required[@]} + ${#optional[@]} == 0)); then return; fi

  if ! command -v apt-get >/dev/null || { [[ $(id -u) != 0 ]] && ! command -v sudo >/dev/null; }; then
    echo "missing, under the names of the Debian packages: ${required[*]} ${optional[*]}" >&2
  else
    echo "installing: ${required[*]} ${optional[*]}"
    as_root apt-get -o DPkg::Lock::Timeout=600 update || true
    if ((${#required[@]})); then
      apt_install "${required[@]}" || echo "apt-get could not install all of: ${required[*]}" >&2
    fi
    if ((${#optional[@]})); then
      apt_install "${optional[@]}" || echo "going on without: ${optional[*]}" >&2
    fi
  fi

  local command
  for command in c++ cmake ninja; do
    if ! command -v "$command" >/dev/null; then
      echo "'$command' is needed and was not found" >&2
      exit 1
    fi
  done
}

# configure PRESET: warnings are errors where CI is set.
configure() {
  (cd "$root" && cmake --preset "$1" -D WENGERT_WERROR="${CI:+ON}")
}

# build PRESET [OPTION...]
build() {
  (cd "$root" && cmake --build --preset "$@")
}
