#!/usr/bin/env bash
# Writes the lock files here anew from their .in files, for every system and processor. Needs the network and build/bin/uv.

cd "$(dirname "$0")" || exit 1
. ./lib.sh
for name in uv client-tests litellm bench-models; do
	options=()
	# A part of LiteLLM that its proxy does without, and that is not free software.
	if [ "$name" = litellm ]; then options=(--no-emit-package litellm-enterprise); fi
	"$BIN/uv" pip compile --quiet --universal --generate-hashes --no-header --upgrade --python-version 3.10 ${options[@]+"${options[@]}"} \
		"build/setup/$name.in" --output-file "build/setup/$name.lock"
	done_line "build/setup/$name.lock"
done
# What the program embeds. llamacpp's and the starter's are single packages, whose hashes are copied.
LOCKS=backend/engine/runtime/locks
"$BIN/uv" pip compile --quiet --universal --generate-hashes --no-header --no-annotate --upgrade --python-version 3.11 $LOCKS/mlx.in --output-file $LOCKS/mlx.lock
done_line $LOCKS/mlx.lock
