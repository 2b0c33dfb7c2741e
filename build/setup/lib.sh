# shellcheck shell=bash
# What the set-up scripts share: how they speak, and how a step is done, skipped, broken off and repeated.
# Everything here works with macOS's bash 3.2 and BSD tools.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"

BIN=build/bin
CACHE=build/cache
COMMAND=${COMMAND:-make setup} # what the person typed, to be named when it has to be repeated
TICKER=

# A colour only where a person looks at it.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	GREEN=$'\033[32m' RED=$'\033[31m' DIM=$'\033[2m' PLAIN=$'\033[0m'
else
	GREEN='' RED='' DIM='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
done_line() { printf '%s✓%s %s\n' "$GREEN" "$PLAIN" "$*"; }
doing_line() { printf '%s…%s %s\n' "$DIM" "$PLAIN" "$*"; }
problem_line() { printf '%s✗%s %s\n' "$RED" "$PLAIN" "$*" >&2; }
fail() {
	problem_line "$*"
	exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }
on_mac() { [ "$(uname -s)" = Darwin ]; }
# A window can be shown: always on a Mac, elsewhere when a display server is named.
has_display() { on_mac || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

if has sha256sum; then SHA256=(sha256sum); else SHA256=(shasum -a 256); fi
digest() { "${SHA256[@]}" | cut -c1-64; }

# key TEXT-OR-FILE...: one digest over files' contents and over plain words.
key() {
	local item
	for item; do
		if [ -f "$item" ]; then digest <"$item"; else printf '%s\n' "$item"; fi
	done | digest
}

# tree_key DIRECTORY EXCLUDED-NAME...: one digest over the names and contents of all files below it.
tree_key() {
	local directory=$1 name prune=()
	shift
	for name; do prune+=(-name "$name" -prune -o); done
	find "$directory" ${prune[@]+"${prune[@]}"} -type f -print | LC_ALL=C sort | tr '\n' '\0' | xargs -0 "${SHA256[@]}" | digest
}

# --- A ticker shows that a long step is alive: in a terminal by one moving line, in a log by a line every 20 seconds.

ticker_start() { # TEXT LOG
	ticker_stop
	local text=$1 log=$2 parent=$$
	(
		trap - EXIT INT TERM
		started=$(date +%s)
		while sleep 1 >/dev/null 2>&1 && kill -0 "$parent" 2>/dev/null; do
			seconds=$(($(date +%s) - started))
			if [ -t 1 ]; then
				last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r\033' | cut -c1-50)
				printf '\r\033[K%s  %s (%d s) %s%s' "$DIM" "$text" "$seconds" "$last" "$PLAIN"
			elif [ $((seconds % 20)) -eq 0 ]; then
				say "  still $text ($seconds s)"
			fi
		done
	) &
	TICKER=$!
}

ticker_stop() {
	[ -n "$TICKER" ] || return 0
	kill "$TICKER" 2>/dev/null || true
	wait "$TICKER" 2>/dev/null || true
	TICKER=
	if [ -t 1 ]; then printf '\r\033[K'; fi
}

interrupted() {
	ticker_stop
	trap - EXIT INT TERM
	say
	say "Stopped. What is done is kept; \`$COMMAND\` goes on from here."
	exit 130
}
trap ticker_stop EXIT
trap interrupted INT TERM

# --- Steps

# What tools say when they cannot reach a server. Their exit codes do not tell.
NETWORK_WORDS='could not resolve|temporary failure (in name resolution|resolving)|name or service not known'
NETWORK_WORDS="$NETWORK_WORDS|nodename nor servname|name resolution|no such host|dns error|network is unreachable|no route to host"
NETWORK_WORDS="$NETWORK_WORDS|connection (refused|reset|timed out|failed)|could not connect|unable to connect|cannot initiate the connection"
NETWORK_WORDS="$NETWORK_WORDS|failed to establish a new connection|dial tcp|i/o timeout|handshake timeout|error sending request"
NETWORK_WORDS="$NETWORK_WORDS|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"

# explain_failure TITLE FROM LOG: one sentence about something that could not be fetched; the tool's own words stay in the log, but for
# CI, whose logs nobody can open. What fails here without fetching anything is about the code at hand, so it is shown.
explain_failure() {
	local title=$1 from=$2 log=$3
	if [ -z "$from" ] || [ -n "${CI:-}" ]; then tail -n 40 "$log" >&2; fi
	if [ -n "$from" ] && grep -Eiq "$NETWORK_WORDS" "$log"; then
		problem_line "Could not reach $from for $title: please check the network and run \`$COMMAND\` again – everything done so far is kept (details: $log)."
	else
		problem_line "Could not finish $title: what went wrong is in $log; \`$COMMAND\` tries again, and everything done so far is kept."
	fi
}

# run_logged NAME TEXT COMMAND...: with the output in the step's log and a ticker meanwhile. Never call it in a condition,
# which would switch `set -e` off inside COMMAND; its result is in $STATUS.
run_logged() {
	local log=$CACHE/logs/$1.log text=$2
	shift 2
	mkdir -p "$CACHE/logs"
	ticker_start "$text" "$log"
	set +e
	(
		set -e
		"$@"
	) >"$log" 2>&1 </dev/null
	STATUS=$?
	set -e
	ticker_stop
}

# step NAME title=... doing=... from=... key=... there=FUNCTION run=FUNCTION
# Runs the function `run` unless its result is there: `there` says so and, when a key is given, the stamp of the last success carries
# the same key (a digest of the step's inputs). `from` says in plain words what the step fetches from, if it does.
step() {
	local name=$1 title='' doing='' from='' key='' there=true run='' argument
	shift
	for argument; do local "${argument?}"; done
	local stamp=$CACHE/stamps/$name started=$SECONDS
	if { [ -z "$key" ] || [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; } && "$there"; then
		done_line "$title (already there)"
		return
	fi
	rm -f "$stamp"
	doing_line "$doing"
	run_logged "$name" "${doing%%:*}" "$run"
	if [ "$STATUS" -ne 0 ] || ! "$there"; then
		explain_failure "$title" "$from" "$CACHE/logs/$name.log"
		exit 1
	fi
	if [ -n "$key" ]; then
		mkdir -p "$CACHE/stamps"
		printf '%s\n' "$key" >"$stamp.new"
		mv "$stamp.new" "$stamp"
	fi
	done_line "$title ($((SECONDS - started)) s)"
}
