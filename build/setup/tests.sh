# shellcheck shell=bash
# Every test, the cheap ones first. One part's failure does not keep the others from running; the last line adds them up.

PASSED=0 FAILED=0 SKIPPED=0 BROKEN=()

# part NAME TITLE COMMAND...: runs it in sight, and reads its counts from the line that its runner closes with.
part() {
	local name=$1 title=$2 started=$SECONDS status counts
	local log=$CACHE/logs/test-$name.log
	shift 2
	say
	doing_line "$title"
	mkdir -p "$CACHE/logs"
	set +e
	NO_COLOR=1 "$@" </dev/null 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	set -e
	counts=$(closing_line "$log")
	PASSED=$((PASSED + $(number passed "$counts")))
	FAILED=$((FAILED + $(number failed "$counts")))
	SKIPPED=$((SKIPPED + $(number skipped "$counts")))
	if [ "$status" -ne 0 ]; then
		problem_line "$title: failed after $((SECONDS - started)) s"
	elif [ "$(number passed "$counts")" -eq 0 ]; then
		problem_line "$title: no test ran"
	elif [ "$(number skipped "$counts")" -ne 0 ]; then
		problem_line "$title: a test was skipped, which nobody would notice; a prerequisite that is missing has to fail"
	else
		done_line "$title ($((SECONDS - started)) s)"
		return
	fi
	BROKEN+=("$title")
}

# As `12 passed, 0 failed` (ours) or `Tests  1 failed | 11 passed (12)` (vitest).
closing_line() { sed -n -E '/^ *(Tests +|[a-z]+: )?[0-9]+ (passed|failed|skipped)/p' "$1" | tail -n 1; }
number() { # WORD LINE
	local found
	found=$(printf '%s\n' "$2" | sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p;s/^\([0-9][0-9]*\) $1.*/\1/p" | head -n 1)
	printf '%s\n' "${found:-0}"
}

part_setup() { bash build/setup/test.sh; }
part_pages() { (cd frontend && npm test --silent); }
part_browser() { (cd frontend && npm run --silent test:e2e); }
part_go() {
	# Never from the cache: what these tests start and read lies outside of what Go watches.
	# The tests' programs tell nobody of themselves, not even where the keychain has the developer's own token.
	# The calls of the system that sockets make are others where there is a race detector, so their packages have a turn without.
	{
		LOGFIRE_TOKEN='' go test -json -race -count=1 -timeout 20m -tags "$DESKTOP_TAGS" "${GO_PACKAGES[@]}" &&
			go test -json -count=1 ./backend/gateway/socket ./backend/gateway/httpconn ./backend/gateway/httpserver
	} | "$PYTHON" build/setup/gotest.py
}

run_tests() {
	local started=$SECONDS title
	part setup 'Tests of this set-up' part_setup
	part pages 'Unit tests of the pages' part_pages
	lint
	part go 'Go tests, with the race detector' part_go
	part browser 'Browser tests' part_browser
	say
	for title in ${BROKEN[@]+"${BROKEN[@]}"}; do problem_line "$title: failed (see above, or $CACHE/logs)"; done
	say "All parts took $((SECONDS - started)) s."
	say "tests: $PASSED passed, $FAILED failed, $SKIPPED skipped"
	[ ${#BROKEN[@]} -eq 0 ]
}
