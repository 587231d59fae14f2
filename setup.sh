#!/bin/sh
# Everything the course needs, once: a virtual environment, the pinned packages, a browser for the tests.
# Called by make. Does nothing while requirements.txt, pyproject.toml and this file are unchanged.
set -eu
cd "$(dirname "$0")"
say() { printf '%s\n' "$*" >&2; }

python=${PYTHON:-python3}
stamp=.venv/.set-up
wanted=$(cat requirements.txt pyproject.toml setup.sh | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "rnncourse needs Python 3.11 or newer as '$python'; set PYTHON=/path/to/python3.11 to choose one."
    exit 1
}
"$python" -c 'import venv, ensurepip' 2>/dev/null || {
    say "This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"
    exit 1
}
say "Setting up .venv (once, a few minutes) ..."
rm -f "$stamp"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .

# Debian packages, where this is Debian and we may: Chromium for the tests, the sandbox for the grader, and PostgreSQL,
# which may hold a gradebook.
have() { for name in "$@"; do command -v "$name" >/dev/null && return; done; return 1; }
install() {
    if [ "$(id -u)" = 0 ]; then root=""; else root="sudo -n"; fi
    say "Installing $* ..."
    { $root apt-get update && $root apt-get install --yes --no-install-recommends "$@"; } >>.venv/debian.log 2>&1 || true
}
chromium="chromium chromium-browser google-chrome"
seccomp() { .venv/bin/python -c 'import pyseccomp' 2>/dev/null; }
# shellcheck disable=SC2086  # several words
have $chromium || install chromium fonts-noto-cjk
have bwrap && seccomp || install bubblewrap libseccomp2
postgresql() { have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
postgresql || install postgresql
# shellcheck disable=SC2086
have $chromium ||
    say "No Chromium: 'make course' works without, 'make test' needs it. On Debian: apt-get install chromium"
have bwrap && seccomp ||
    say "No sandbox: reading and solving work without, grading needs it. On Debian: apt-get install bubblewrap libseccomp2"
postgresql ||
    say "No PostgreSQL: the gradebook is in SQLite, 'make test' needs both. On Debian: apt-get install postgresql"
printf '%s' "$wanted" >"$stamp"
