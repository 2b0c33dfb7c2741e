#!/usr/bin/env bash
# The goals of the Makefile: goal.sh run|setup|build|test|lint|bench|bench-window|performance|screenshots|package
# Each prepares what it needs, and nothing else, and then does its work.

cd "$(dirname "$0")" || exit 1
COMMAND="make ${1:-setup}"
. ./lib.sh
. build/setup/check.sh
. build/setup/system.sh
. build/setup/tools.sh
. build/setup/compile.sh

# What every goal needs: programs that were given, packages of the system, modules, pages.
prepare_sources() { # PURPOSE...
	check_given "$@"
	prepare_system "$@"
	prepare_modules
	prepare_npm
	prepare_pages
}

# What the tests need: all of that, with the engine and the starter model in build/cache/data.
prepare_tests() { # FURTHER-PURPOSE...
	prepare_sources core window tests "$@"
	prepare_uv
	prepare_client
	compile_core
	compile_window
	compile_test_tools
	prepare_mlx
}

goal_setup() {
	prepare_tests bench
	done_line 'Everything is set up.'
}

goal_build() {
	prepare_sources core window
	prepare_uv
	compile_core
	compile_window
}

goal_run() {
	if has_display; then
		prepare_sources core window
		prepare_uv
		compile_core
		compile_window
		prepare_data
		say 'Opening the window. The server stays when it closes; the icon in the menu bar opens it again and ends everything.'
		exec "$BIN/mlxbar-app"
	fi
	prepare_sources core
	prepare_uv
	compile_core
	prepare_data
	say 'There is no display here, so this is the server alone (`mlxbar serve`); Ctrl-C ends it.'
	exec "$BIN/mlxbar" serve
}

goal_test() {
	prepare_tests
	. build/setup/lint.sh
	. build/setup/tests.sh
	run_tests
}

goal_lint() {
	prepare_sources core window
	. build/setup/lint.sh
	lint
}

# What measurements need; what is compared with, and what makes models, only where it is asked for.
prepare_bench() { # WORD...
	case " $* " in *' compare '*) prepare_sources core bench compare ;; *) prepare_sources core bench ;; esac
	prepare_uv
	case " $* " in *' compare '*) prepare_rivals ;; esac
	case " $* " in *' advise '* | *' engines '*) prepare_bench_models ;; esac
	compile_core
	compile_test_tools
	prepare_data "$CACHE/data"
}

goal_bench() {
	prepare_bench "${BENCH_ARGS:-}"
	# shellcheck disable=SC2086 # words, as in: make bench BENCH_ARGS=-quick
	exec "$BIN/gateway-bench" ${BENCH_ARGS:-}
}

# The real window on a screen that nobody sees, started over and over.
goal_bench_window() {
	prepare_tests
	# shellcheck disable=SC2086 # words, as in: make bench-window BENCH_ARGS=-benchtime=50x
	exec go test -run '^$' -bench FirstPaint -benchtime 20x ${BENCH_ARGS:-} -tags "$DESKTOP_TAGS" .
}

# The figures of docs/PERFORMANCE.md, all of them or the parts that are named: PERFORMANCE_ARGS='-quick sweep'.
goal_performance() {
	local argument named=
	for argument in ${PERFORMANCE_ARGS:-}; do
		case $argument in -*) ;; *) named="$named $argument" ;; esac
	done
	prepare_bench "${named:-compare advise engines}"
	# shellcheck disable=SC2086 # words
	exec "$BIN/gateway-bench" document --docs docs ${PERFORMANCE_ARGS:-}
}

# The pictures of README and docs, of a running server that really answers.
goal_screenshots() {
	prepare_tests
	cd frontend
	exec npm run --silent screenshots
}

goal_package() {
	prepare_sources core window
	prepare_uv
	. build/setup/package.sh
	package
}

case ${1:-} in
run | setup | build | test | lint | bench | bench-window | performance | screenshots | package) "goal_${1//-/_}" ;;
*) fail 'Usage: goal.sh run|setup|build|test|lint|bench|bench-window|performance|screenshots|package' ;;
esac
