# shellcheck shell=bash
# What is made here: the pages and the programs.

if on_mac; then
	DESKTOP_TAGS=desktop,production
	export CGO_LDFLAGS="${CGO_LDFLAGS:--O2 -g} -framework UniformTypeIdentifiers" # Wails v2 calls it and does not name it
else
	DESKTOP_TAGS=desktop,production,webkit2_41
fi
# Named one by one: npm packages may hold Go files of their own.
GO_PACKAGES=(. ./backend/... ./frontend/)

# What the nearest tag says, as in v1.2.0-3-gabcdef0; a clone without tags is a development version.
version() {
	local described
	described=$(git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null) || described=v0.1.0-dev
	printf '%s\n' "${described#v}"
}

# --- The pages, built anew only when a source of theirs has changed.

pages_there() { [ -f frontend/dist/index.html ]; }
pages_build() {
	cd frontend
	npm run build
}

prepare_pages() {
	step pages title='the pages' doing='building the pages' key="$(tree_key frontend node_modules dist)" there=pages_there run=pages_build
}

# --- The programs. Go knows what is up to date, so it is always asked.

# go_build OUTPUT PACKAGE...
go_build() {
	local output=$1 version
	shift
	version=$(version)
	go build -buildvcs=false -tags "$DESKTOP_TAGS" ${RELEASE_FLAGS[@]+"${RELEASE_FLAGS[@]}"} \
		-ldflags "${LINK_FLAGS:-}-X mlxbar/backend/server.Version=$version -X mlxbar/backend/desktop.Version=$version -X mlxbar/backend/bench/cli.Version=$version" -o "$output" "$@"
}

build_core() {
	go_build "$BIN/mlxbar" ./backend/cmd/mlxbar
	go_build "$BIN/mlx-benchmark" ./backend/cmd/mlx-benchmark
}
build_window() {
	go_build "$BIN/mlxbar-app" .
	go_build "$BIN/mlxbar-tray" ./backend/cmd/mlxbar-tray
}
build_test_tools() {
	go_build "$BIN/fakeupstream" ./backend/cmd/fakeupstream
	go_build "$BIN/fakehub" ./backend/cmd/fakehub
	go_build "$BIN/gateway-bench" ./backend/cmd/gateway-bench
}

# compile core|window|test_tools: a compiler's complaints are for whoever changed the code, so they are shown.
compile() {
	local what=$1 title=$2 started=$SECONDS STATUS=
	if [ ! -x "${title%% *}" ]; then doing_line "compiling $title (the first time takes a minute or more)"; fi
	run_logged "compile-$what" "compiling $title" "build_$what"
	if [ "$STATUS" -ne 0 ]; then
		tail -n 40 "$CACHE/logs/compile-$what.log" >&2
		fail "Could not compile $title."
	fi
	done_line "$title compiled ($((SECONDS - started)) s)"
}
compile_core() { compile core "$BIN/mlxbar and $BIN/mlx-benchmark"; }
compile_window() { compile window "$BIN/mlxbar-app and $BIN/mlxbar-tray"; }
compile_test_tools() { compile test_tools "$BIN/fakeupstream and $BIN/fakehub and $BIN/gateway-bench"; }
