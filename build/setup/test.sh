#!/usr/bin/env bash
# Tests of the set-up itself: what it says and does when something is old, missing, out of reach, broken off or done already.
# Each runs in its own copy of these scripts. Addresses that nobody listens on stand for a network that is not there.

set -u
HERE=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
PASSED=0 FAILED=0
NOWHERE=http://127.0.0.1:9

# A folder like a clone, with a PATH whose first entry (fakes/) the test fills.
new_clone() {
	CLONE=$WORK/$1
	mkdir -p "$CLONE/build" "$CLONE/fakes" "$CLONE/frontend"
	cp -R "$HERE/build/setup" "$CLONE/build/"
	cp "$HERE/go.mod" "$HERE/go.sum" "$CLONE/"
}

fake() { # NAME: the script comes from stdin
	{
		echo '#!/bin/sh'
		cat
	} >"$CLONE/fakes/$1"
	chmod +x "$CLONE/fakes/$1"
}

# run_in_clone BASH-TEXT: with the set-up's functions at hand.
run_in_clone() {
	cd "$CLONE" && exec env -u CI COMMAND='make test' PATH="$CLONE/fakes:$PATH" bash -c "
		for part in lib check system tools compile; do . build/setup/\$part.sh; done
		$1" 2>&1 </dev/null
}

# in_clone BASH-TEXT: what it says is in $SAID, its result in $RESULT.
in_clone() {
	SAID=$(run_in_clone "$1")
	RESULT=$?
}

# Only these programs are on PATH, so that what is left out is missing.
bare_path() {
	local name
	mkdir "$CLONE/bare"
	for name in bash sh env cat sed grep tail head cut tr date sleep mkdir mv rm uname dirname find sort xargs sha256sum shasum id "$@"; do
		if command -v "$name" >/dev/null; then ln -s "$(command -v "$name")" "$CLONE/bare/$name"; fi
	done
}

check() { # WHAT CONDITION...
	local what=$1
	shift
	if "$@"; then
		PASSED=$((PASSED + 1))
	else
		FAILED=$((FAILED + 1))
		printf 'FAILED: %s\n  result %s, said:\n%s\n' "$what" "${RESULT:-}" "${SAID:-}" | sed '2,$s/^/  /'
	fi
}
says() { case $SAID in *"$1"*) true ;; *) false ;; esac }
says_not() { ! says "$1"; }
result_is() { [ "$RESULT" -eq "$1" ]; }
failed() { [ "$RESULT" -ne 0 ]; }
holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
absent() { [ ! -e "$1" ]; }
one_problem() { [ "$(printf '%s\n' "$SAID" | grep -c '✗')" -eq 1 ]; }

test_versions() {
	local case have wanted expected
	new_clone versions
	for case in '1.26.8 1.26 yes' '1.26 1.26 yes' '1.27rc1 1.26 yes' '1.25.9 1.26 no' '2 1.26 yes' '1 1.26 no' \
		'20.19.0 20.19 yes' '20.9 20.19 no' '22 20.19 yes' '3.10.0 3.10 yes' '3.9.18 3.10 no' '3.81 3.81 yes'; do
		read -r have wanted expected <<<"$case"
		in_clone "if at_least $have $wanted; then echo yes; else echo no; fi"
		check "at_least $have $wanted: $expected" [ "$SAID" = "$expected" ]
	done
}

test_all_problems_at_once() {
	new_clone given
	bare_path git make npm python3
	fake go <<<'echo go version go1.19.8 linux/amd64'
	SAID=$(cd "$CLONE" && PATH="$CLONE/fakes:$CLONE/bare" bash build/setup/goal.sh test 2>&1 </dev/null)
	RESULT=$?
	check 'an old Go and a missing Node: fails' failed
	check 'an old Go: its version and the wanted one' says 'go 1.19.8 is too old (version 1.26 or newer is needed)'
	check 'a missing Node: said in the same run' says 'node is missing (version 20.19 or newer is needed)'
	check 'what to do next' says 'run `make test` again'
	check 'nothing was begun' absent "$CLONE/build/cache"
}

test_all_given() {
	new_clone all-given
	fake go <<<'echo go version go1.26.0 darwin/arm64'
	fake node <<<'echo v20.19.0'
	fake npm <<<'echo 10.8.2'
	fake python3 <<<'echo 3.10.0'
	in_clone check_given
	check 'oldest versions that do: accepted' result_is 0
	check 'oldest versions that do: named' says 'go 1.26.0, node 20.19.0, npm 10.8.2, python 3.10.0'
	in_clone 'check_given core tests'
	check 'the tests ask for a later Python: fails' failed
	check 'the tests ask for a later Python: which' says 'python 3.10.0 is too old (version 3.11 or newer is needed)'
}

# The real clients are sent to an address where nobody is.
test_out_of_reach() {
	new_clone offline
	in_clone "PIP_INDEX_URL=$NOWHERE PIP_NO_INDEX= PIP_FIND_LINKS= PIP_NO_CACHE_DIR=1 PIP_CONFIG_FILE=/dev/null prepare_uv"
	check 'no package index: fails' failed
	check 'no package index: one sentence' one_problem
	check 'no package index: what, and that work is kept' says 'Could not reach the Python package index for uv'
	check 'no package index: how to go on' says 'run `make test` again – everything done so far is kept (details: build/cache/logs/uv.log)'
	check 'no package index: the raw words stay in the log' says_not 'Traceback'

	in_clone "export GOMODCACHE=$CLONE/modules GOFLAGS=-modcacherw GOSUMDB=off; there() { false; }
		modules_fetch() { GOPROXY=$NOWHERE go mod download; }; prepare_modules"
	check 'no module proxy: fails' failed
	check 'no module proxy: one sentence' one_problem
	check 'no module proxy: what' says 'Could not reach the Go module proxy for Go modules'

	echo '{"name":"pages","version":"1.0.0","dependencies":{"is-number":"7.0.0"}}' >"$CLONE/frontend/package.json"
	echo '{"name":"pages","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"pages","version":"1.0.0","dependencies":{"is-number":"7.0.0"}},
		"node_modules/is-number":{"version":"7.0.0"}}}' >"$CLONE/frontend/package-lock.json"
	in_clone "export npm_config_registry=$NOWHERE npm_config_cache=$CLONE/npm npm_config_fetch_retry_mintimeout=10 npm_config_fetch_retry_maxtimeout=10
		prepare_npm"
	check 'no npm registry: fails' failed
	check 'no npm registry: one sentence' one_problem
	check 'no npm registry: what' says "Could not reach the npm registry for the frontend's packages"
}

# apt-get, dpkg and sudo are played, as a test must not install anything.
test_system_packages() {
	new_clone debian
	fake uname <<<'echo Linux'
	fake id <<<'echo 0'
	fake python3 <<<'exit 0'
	fake dpkg <<<'exit 0'
	fake dpkg-query <<<"case \"\$*\" in *binary:Package*) cat $CLONE/torn; exit;; esac; echo 'ii  gcc'; echo 'ii  libc6-dev'; if [ -e $CLONE/certificates ]; then echo 'ii  ca-certificates'; fi"
	echo 'iHR libthai-data:amd64' >"$CLONE/torn"
	fake apt-get <<<"echo \"\$@\" >>$CLONE/apt.txt; case \"\$*\" in *install*) touch $CLONE/certificates;; esac"
	in_clone 'prepare_system core'
	check 'a missing package: installed' result_is 0
	check 'a missing package: named' says 'installing 1 system packages and what they need (a minute or more): ca-certificates'
	check 'only the missing one' grep -q 'install ca-certificates$' "$CLONE/apt.txt"
	check 'a package torn by an earlier Ctrl-C: mended' grep -q -e '--reinstall install libthai-data:amd64$' "$CLONE/apt.txt"
	check 'lists are renewed first' grep -q 'update$' "$CLONE/apt.txt"

	rm "$CLONE/apt.txt"
	in_clone 'prepare_system core'
	check 'all there: said' says 'system packages (already there)'
	check 'all there: apt-get is not asked' absent "$CLONE/apt.txt"

	rm "$CLONE/certificates"
	fake apt-get <<<"echo \"Err:1 Temporary failure resolving 'mirror.example'\"; exit 100"
	in_clone 'prepare_system core'
	check 'no archive: fails' failed
	check 'no archive: one sentence' one_problem
	check 'no archive: what' says "Could not reach Debian's package archive for system packages"

	fake id <<<'echo 1000'
	fake sudo <<<'exit 1'
	in_clone 'prepare_system core'
	check 'no right to install: fails' failed
	check 'no right to install: what root has to run' says 'as root, run: apt-get install ca-certificates'
}

# nginx is unpacked: installed, it would be a server that starts with the machine.
test_nginx() {
	new_clone nginx
	fake uname <<<'echo Linux'
	fake nginx <<<'exit 0'
	fake apt-get <<<"echo \"\$@\" >>$CLONE/apt.txt; case \"\$*\" in 'download nginx') touch nginx_1_any.deb;; esac"
	fake dpkg-deb <<<"echo \"\$@\" >>$CLONE/dpkg.txt; mkdir -p usr/sbin; cp $CLONE/fakes/nginx usr/sbin/nginx"
	in_clone 'prepare_nginx'
	check 'an nginx that is there: taken' says 'nginx, to compare with (already there)'
	in_clone 'has() { [ "$1" != nginx ] && command -v "$1" >/dev/null; }; prepare_nginx'
	check 'no nginx: fetched' [ -x "$CLONE/build/cache/nginx/usr/sbin/nginx" ]
	check 'no nginx: unpacked' holds "$CLONE/dpkg.txt" '--extract nginx_1_any.deb .'
	check 'no nginx: nothing is installed' holds "$CLONE/apt.txt" 'download nginx'
	fake uname <<<'echo Darwin'
	fake brew <<<"echo \"\$@\" >>$CLONE/brew.txt"
	in_clone 'nginx_there() { [ -e brew.txt ]; }; prepare_nginx'
	check 'a Mac: Homebrew installs it' holds "$CLONE/brew.txt" 'install nginx'
}

test_mac() {
	new_clone mac
	fake uname <<<'echo Darwin'
	fake xcode-select <<<'exit 0'
	fake clang <<<'echo Apple clang version 17.0.0'
	fake brew <<<"echo \"\$@\" >>$CLONE/brew.txt"
	fake python3 <<<'exit 0'
	in_clone 'mac_wrk_there() { [ -e brew.txt ]; }; prepare_system core window bench'
	check 'a Mac: done' result_is 0
	check 'a Mac: says which compiler' says 'Apple clang version 17.0.0'
	check 'a Mac: Homebrew installs what the purpose needs and nothing else' holds "$CLONE/brew.txt" 'install wrk'
	fake xcode-select <<<'exit 2'
	in_clone 'prepare_system core window'
	check 'a Mac without the command line tools: fails' failed
	check 'a Mac without the command line tools: what to run' says 'run `xcode-select --install`, then `make test` again'
}

STEP='there() { [ -f result ]; }; work() { echo worked >>worked; touch result; }'

test_skipped_when_done() {
	new_clone finished
	in_clone "$STEP; step thing title=Thing doing='making it' key=one there=there run=work"
	check 'first time: done' result_is 0
	check 'first time: says what it does' says '… making it'
	in_clone "$STEP; step thing title=Thing doing='making it' key=one there=there run=work"
	check 'second time: skipped' says 'Thing (already there)'
	check 'second time: no work' holds "$CLONE/worked" worked
	in_clone "$STEP; step thing title=Thing doing='making it' key=two there=there run=work"
	check 'other inputs: done again' says '… making it'
	rm "$CLONE/result"
	in_clone "$STEP; step thing title=Thing doing='making it' key=two there=there run=work"
	check 'the result is gone: done again' [ -f "$CLONE/result" ]
}

test_failure_is_not_taken_for_success() {
	new_clone failing
	in_clone "first() { false; touch went-on; }; step thing title=Thing doing='making it' from='the moon' key=one run=first; echo went on"
	check 'a command in the middle fails: the step fails' failed
	check 'a failure that is not the network: does not blame it' says 'Could not finish Thing: what went wrong is in build/cache/logs/thing.log'
	check 'the rest of the step is not run' absent "$CLONE/went-on"
	check 'no stamp' absent "$CLONE/build/cache/stamps/thing"
	in_clone "there() { false; }; step thing title=Thing doing='making it' key=one there=there run=true"
	check 'success without a result: fails' failed
}

test_broken_off_and_repeated() {
	local group tries=0 step="there() { [ -f result ]; }; work() { touch begun; if [ ! -f ready ]; then sleep 60; fi; touch result; }
		step thing title=Thing doing='making it' key=one there=there run=work"
	new_clone broken-off
	# Ctrl-C goes to the whole process group, which job control makes here.
	set -m
	(run_in_clone "$step") >"$CLONE/said" &
	group=$!
	set +m
	while [ ! -f "$CLONE/begun" ] && [ $tries -lt 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill -INT -- "-$group"
	wait "$group"
	RESULT=$? SAID=$(cat "$CLONE/said")
	check 'Ctrl-C: the result tells' result_is 130
	check 'Ctrl-C: what is done is kept' says 'Stopped. What is done is kept; `make test` goes on from here.'
	check 'Ctrl-C: no stamp' absent "$CLONE/build/cache/stamps/thing"
	touch "$CLONE/ready"
	in_clone "$step"
	check 'again: finished' result_is 0
	check 'again: the result is there' [ -f "$CLONE/result" ]
}

test_counting() {
	new_clone counting
	in_clone ". build/setup/tests.sh
		part_setup() { echo '66 passed, 0 failed'; }
		part_pages() { echo ' Test Files  4 passed (4)'; echo '      Tests  55 passed (55)'; }
		lint() { :; }
		part_go() { echo '495 passed, 0 failed, 0 skipped'; }
		part_browser() { echo '      Tests  12 passed (12)'; }
		run_tests"
	check 'all well: succeeds' result_is 0
	check 'all well: adds up' says 'tests: 628 passed, 0 failed, 0 skipped'
	in_clone ". build/setup/tests.sh
		part_setup() { echo '66 passed, 0 failed'; }
		part_pages() { echo '      Tests  1 failed | 54 passed | 2 skipped (57)'; return 1; }
		lint() { :; }
		part_go() { echo '495 passed, 0 failed, 3 skipped'; }
		part_browser() { echo 'No test files found'; }
		run_tests"
	check 'some failed: fails' failed
	check 'some failed: adds up' says 'tests: 615 passed, 1 failed, 5 skipped'
	check 'a skipped test is a failure' says 'Go tests, with the race detector: a test was skipped'
	check 'a part without any test is a failure' says 'Browser tests: no test ran'
}

test_keys() {
	new_clone keys
	mkdir -p "$CLONE/tree/node_modules" "$CLONE/tree/a b"
	echo one >"$CLONE/tree/a b/file"
	in_clone 'tree_key tree node_modules'
	local before=$SAID
	check 'a digest' [ "${#before}" -eq 64 ]
	echo x >"$CLONE/tree/node_modules/left-out"
	in_clone 'tree_key tree node_modules'
	check 'what is left out does not count' [ "$SAID" = "$before" ]
	mv "$CLONE/tree/a b/file" "$CLONE/tree/a b/renamed"
	in_clone 'tree_key tree node_modules'
	check 'a name counts' [ "$SAID" != "$before" ]
}

for name in versions all_problems_at_once all_given out_of_reach system_packages nginx mac skipped_when_done \
	failure_is_not_taken_for_success broken_off_and_repeated counting keys; do
	"test_$name"
done
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
