#!/usr/bin/env bash
# Writes the lock files here anew from their .in files, for every system and processor. Needs the network and build/bin/uv.

cd "$(dirname "$0")" || exit 1
. ./lib.sh
for name in uv client-tests; do
	"$BIN/uv" pip compile --quiet --universal --generate-hashes --no-header --upgrade --python-version 3.10 \
		"build/setup/$name.in" --output-file "build/setup/$name.lock"
	done_line "build/setup/$name.lock"
done
