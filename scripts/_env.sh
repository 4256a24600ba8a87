# Sourced by the scripts, with $root set to the checkout. Leaves $python: the interpreter of the environment that has
# everything the checkout needs, which is made or brought up to date first. Exits with 3 when no Python fits.
#
# ARQLITE_PYTHON  the Python to build with (default: that of the environment, else the newest python3.11+ on PATH)
# ARQLITE_VENV    where the environment lives (default: .venv in the checkout)

# Debian leaves ensurepip out of its python3, and a self-built Python may lack sqlite3 or ssl.
_is_usable() {
    "$1" -c 'import sys; assert sys.version_info >= (3, 11); import ensurepip, sqlite3, ssl, venv' >/dev/null 2>&1
}

_is_new_enough() {
    "$1" -c 'import sys; assert sys.version_info >= (3, 11)' >/dev/null 2>&1
}

# Print the first Python that passes the check named by $1.
_first_python() {
    _passes=$1
    if [ -n "${ARQLITE_PYTHON:-}" ]; then
        set -- "$ARQLITE_PYTHON"
    else
        set -- "$ARQLITE_VENV/bin/python" python3.14 python3.13 python3.12 python3.11 python3 python
    fi
    for _candidate in "$@"; do
        if "$_passes" "$_candidate"; then
            command -v "$_candidate"
            return 0
        fi
    done
    return 1
}

_explain_missing_python() {
    if _incomplete=$(_first_python _is_new_enough); then
        _version=$("$_incomplete" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "arqlite: $_incomplete is Python $_version, but it lacks a part that is needed here:"
        "$_incomplete" -c 'import ensurepip, sqlite3, ssl, venv' 2>&1 | tail -n 1 | sed 's/^/  /'
        echo "  Debian, Ubuntu:  sudo apt-get install python$_version-venv"
        return
    fi
    if [ -n "${ARQLITE_PYTHON:-}" ]; then
        echo "arqlite: ARQLITE_PYTHON=$ARQLITE_PYTHON is no Python 3.11 or newer."
        return
    fi
    echo "arqlite: needs Python 3.11 or newer, and there is none on PATH."
    echo "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv"
    echo "  macOS:           brew install python"
    echo "  anywhere:        https://www.python.org/downloads/"
    echo "  Then run this again, or name one: ARQLITE_PYTHON=/path/to/python $0"
}

: "${ARQLITE_VENV:=$root/.venv}"
# These scripts are for development: a CI runner inside Kubernetes is no production.
: "${ARQLITE_EMBEDDED:=force}"
export ARQLITE_VENV ARQLITE_EMBEDDED

if ! _found=$(_first_python _is_usable); then
    _explain_missing_python >&2
    exit 3
fi
"$_found" "$root/scripts/_env.py" "$root" "$ARQLITE_VENV" || exit 1
python=$ARQLITE_VENV/bin/python
