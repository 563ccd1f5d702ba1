#!/usr/bin/env bash
# Builds what a version hands over and tries it as whoever installs it would: scripts/release.sh [TAG]
# A tag must be that of the version in the source; without one the wheel alone is built and tried. It tags and uploads nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/acclimate/__init__.py)
[ -n "$version" ] || { echo "src/acclimate/__init__.py: no line __version__ = \"...\"" >&2; exit 1; }
if [ $# -gt 0 ]; then
    if [ "${1#v}" != "$version" ]; then
        echo "the tag $1 is not v$version, the version of src/acclimate/__init__.py: change one of them" >&2
        exit 1
    fi
    if ! grep -Eq "^## $version — [0-9]{4}-[0-9]{2}-[0-9]{2}$" CHANGELOG.md; then
        echo "CHANGELOG.md: no line \"## $version — YYYY-MM-DD\": a version that is released has a date" >&2
        exit 1
    fi
    if ! grep -qx "version: $version" CITATION.cff; then
        echo "CITATION.cff: its version is not $version" >&2
        exit 1
    fi
    if [ -n "$(git status --porcelain)" ]; then
        echo "there are changes that are not committed: a release is what the tag holds" >&2
        exit 1
    fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf dist
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT="$PWD/constraints.txt" PIP_BUILD_CONSTRAINT="$PWD/constraints.txt"
"$python" -m pip wheel --quiet --no-deps --wheel-dir dist .
wheel=$(echo dist/acclimate-"$version"-*.whl)
[ -f "$wheel" ] || { echo "dist/: no wheel of version $version was built" >&2; exit 1; }

# In an environment and a folder that know nothing of this checkout.
"$python" -m venv "$work/venv" 2>/dev/null ||
    { "$python" -m venv --clear --without-pip "$work/venv" && "$python" -m pip --python "$work/venv/bin/python" install --quiet pip; }
"$work/venv/bin/python" -m pip install --quiet "$PWD/${wheel}[demo]"
cd "$work"
unset PYTHONPATH
"$work/venv/bin/python" -c "import acclimate; assert acclimate.__version__ == '$version', acclimate.__version__"
"$work/venv/bin/acclimate" demo --smoke
echo "$wheel: installs by itself, and its demo runs"
