# shellcheck shell=bash
# The programs that must be there before set-up starts: each with its version, all problems told at once.

PYTHON=python3

# at_least VERSION WANTED: numbers compared part by part; what follows them (rc1, -beta) is not looked at.
at_least() {
	local have=$1 wanted=$2 h w
	while [ -n "$wanted" ]; do
		h=${have%%.*} w=${wanted%%.*}
		h=${h%%[!0-9]*} w=${w%%[!0-9]*}
		[ "${h:-0}" -gt "${w:-0}" ] && return 0
		[ "${h:-0}" -lt "${w:-0}" ] && return 1
		case $have in *.*) have=${have#*.} ;; *) have='' ;; esac
		case $wanted in *.*) wanted=${wanted#*.} ;; *) wanted='' ;; esac
	done
	return 0
}

# The Go that go.mod asks for is the only place where that version stands. GOTOOLCHAIN=local: what is installed, not what Go would fetch.
version_go() { GOTOOLCHAIN=local go version | sed -n 's/^go version go\([0-9.]*\).*/\1/p'; }
version_node() { node --version | sed -n 's/^v\([0-9.]*\).*/\1/p'; }
version_npm() { npm --version; }
version_python() { "$PYTHON" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'; }
version_git() { git --version | sed -n 's/^git version \([0-9.]*\).*/\1/p'; }
version_make() { make --version | sed -n 's/^GNU Make \([0-9.]*\).*/\1/p'; }

# given PROGRAM NAME WANTED HOW-ON-DEBIAN HOW-ON-A-MAC: adds to FOUND or to PROBLEMS.
given() {
	local program=$1 name=$2 wanted=$3 how=$4 version
	if on_mac; then how=$5; fi
	if ! has "$program"; then
		PROBLEMS+=("$name is missing (version $wanted or newer is needed): $how.")
		return
	fi
	version=$("version_${name%% *}" 2>/dev/null) || version=''
	if [ -z "$version" ]; then
		PROBLEMS+=("$name does not tell its version (\`$program\` at $(command -v "$program")): $how.")
	elif ! at_least "$version" "$wanted"; then
		PROBLEMS+=("$name $version is too old (version $wanted or newer is needed): $how.")
	else
		FOUND+=("$name $version")
	fi
}

# check_given PURPOSE...: the tests also run the engine mlx, which needs a later Python than all else.
check_given() {
	local wanted_go wanted_python=3.10 list problem
	case " $* " in *' tests '*) wanted_python=3.11 ;; esac
	PROBLEMS=() FOUND=()
	wanted_go=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)
	given git git 2.30 'apt-get install git' 'xcode-select --install'
	given make make 3.81 'apt-get install make' 'xcode-select --install'
	given go go "$wanted_go" \
		"Debian 12's own is older, so unpack the archive from go.dev/dl to /usr/local and put /usr/local/go/bin on PATH" \
		'brew install go'
	given node node 20.19 \
		"Debian 12's own is older, so take Node 20 or newer from nodejs.org (or its Debian packages from nodesource.com)" \
		'brew install node'
	given npm npm 10 'it comes with Node from nodejs.org; npm install --global npm renews an old one' 'brew install node'
	given "$PYTHON" python "$wanted_python" 'apt-get install python3' 'brew install python'
	if [ ${#PROBLEMS[@]} -gt 0 ]; then
		problem_line 'Before the set-up can start:'
		for problem in "${PROBLEMS[@]}"; do printf '  - %s\n' "$problem" >&2; done
		printf '  Then run `%s` again.\n' "$COMMAND" >&2
		exit 1
	fi
	list=$(printf ', %s' "${FOUND[@]}")
	done_line "${list#, }"
}
