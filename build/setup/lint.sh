# shellcheck shell=bash
# The checks that run nothing: format, vet, types, shell scripts.

lint_format() {
	local unformatted
	unformatted=$(gofmt -l ./*.go backend frontend/*.go)
	[ -z "$unformatted" ] || {
		printf 'not formatted by gofmt:\n%s\n' "$unformatted"
		return 1
	}
}

lint_vet() { go vet -tags "$DESKTOP_TAGS" "${GO_PACKAGES[@]}"; }

lint_shell() { shellcheck -x -a build/setup/goal.sh build/setup/lock.sh build/setup/test.sh .ci/run; }

lint_pages() { (cd frontend && npm run --silent check); }

# lint_one TITLE FUNCTION
lint_one() {
	local started=$SECONDS
	run_logged "$2" "checking $1" "$2"
	if [ "$STATUS" -ne 0 ]; then
		cat "$CACHE/logs/$2.log" >&2
		fail "$1: see above."
	fi
	done_line "$1 ($((SECONDS - started)) s)"
}

lint() {
	lint_one 'Go format' lint_format
	if has shellcheck; then lint_one 'shell scripts' lint_shell; else say '- shell scripts were not checked: shellcheck is not installed'; fi
	lint_one 'types of the pages' lint_pages
	lint_one 'go vet' lint_vet
}
