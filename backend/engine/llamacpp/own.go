package llamacpp

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strconv"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/script"
	"mlxbar/backend/models"
)

// guarded runs a llama-server that knows nothing of its parent's end: its first line of stdin is the key, which goes
// into the environment and no argument list, and when stdin closes a process beside it ends it. exec keeps the pid,
// so that what the pool measures and signals is the server itself.
const guarded = `IFS= read -r LLAMA_API_KEY && export LLAMA_API_KEY || exit 64
exec 3<&0 </dev/null
(
	trap '' TERM
	while IFS= read -r line <&3; do :; done
	kill -TERM $$ || exit 0
	for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		sleep 0.1
		kill -0 $$ || exit 0
	done
	kill -KILL $$
) >/dev/null 2>&1 &
exec 3<&-
exec "$@"`

// Unusable is why a program cannot be run, as the end of a sentence; "" when it can.
func Unusable(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case err != nil:
		return "it cannot be looked at"
	case info.IsDir():
		return "it is a folder"
	case info.Mode()&0o111 == 0:
		return "it is not executable"
	}
	return ""
}

// launchOwn says how to start a llama-server of the user's own.
func launchOwn(model models.Model, o Options) (engine.Spec, error) {
	if why := Unusable(o.Command); why != "" {
		return engine.Spec{}, &engine.LoadError{Model: model.Name, Reason: "The llama-server of engines.llamacpp.command cannot be run: " + why + "."}
	}
	key, identity := rand.Text(), rand.Text()
	return engine.Spec{
		Command: "/bin/sh",
		Args:    append([]string{"-c", guarded, "llama-server", o.Command}, ownArguments(model, o)...),
		Env:     append(tuned(script.Environ(os.Environ())), ownEnviron(model, o, identity)...),
		Stdin:   []byte(key + "\n"),
		APIKey:  key,
		Ready:   parseListening,
		Slots:   slots(o),
		Health:  "/props", // which asks for the key, and answers once the model is loaded
		// The word that stands for a picture in a prompt, which newer versions tell there.
		Identity: identity, MayBeNameless: true,
		Turning: "/metrics",
		Token:   question(model),
		LogLine: loggable,
		Explain: explain,
	}, nil
}

// ownEnviron is what the script says of the rest. As arguments they would stop a version that calls them otherwise;
// variables that one does not know do nothing.
func ownEnviron(model models.Model, o Options, identity string) []string {
	environ := []string{
		"LLAMA_ARG_OFFLINE=1", "LLAMA_ARG_UI=0", "LLAMA_ARG_WEBUI=0", "LLAMA_ARG_NO_WEBUI=1", "LLAMA_ARG_ENDPOINT_SLOTS=0", "LLAMA_ARG_NO_ENDPOINT_SLOTS=1",
		"LLAMA_ARG_ENDPOINT_METRICS=1", "LLAMA_ARG_CORS_ORIGINS=" + noOrigin, "LLAMA_ARG_CORS_CREDENTIALS=0", "LLAMA_ARG_SSE_PING_INTERVAL=604800", "LLAMA_ARG_CACHE_RAM=1024",
		"LLAMA_ARG_EMBEDDINGS=1", "LLAMA_MEDIA_MARKER=<__media_" + identity + "__>",
	}
	if o.Draft != "" { // which newer versions have to be told beside the model that drafts
		environ = append(environ, "LLAMA_ARG_SPEC_TYPE=draft-simple")
	}
	if how := pooling(model); how != "" {
		environ = append(environ, "LLAMA_ARG_POOLING="+how)
	}
	return environ
}

// noOrigin is what the script calls NO_ORIGIN.
const noOrigin = "https://engine.mlxbar.invalid"

// ownArguments are those of llama-server for what the script is told otherwise.
func ownArguments(model models.Model, o Options) []string {
	size := strconv.Itoa(batch(model, o))
	args := []string{
		"--model", model.Path, "--alias", model.Name, "--host", "127.0.0.1", "--port", "0",
		"--ctx-size", strconv.Itoa(o.ContextSize * slots(o)), "--parallel", strconv.Itoa(slots(o)), "--batch-size", size, "--ubatch-size", size,
		"--threads-http", strconv.Itoa(slots(o) + 124),
	}
	if o.Threads > 0 {
		args = append(args, "--threads", strconv.Itoa(o.Threads))
	}
	if o.Draft != "" {
		args = append(args, "--model-draft", o.Draft)
	}
	if model.Projector != "" {
		args = append(args, "--mmproj", model.Projector)
	}
	return append(args, o.Arguments...)
}

var listening = regexp.MustCompile(`listening on (http://127\.0\.0\.1:[1-9][0-9]*)\b`)

// parseListening reads the line in which llama-server says where it listens.
func parseListening(line []byte) (baseURL string, ok bool) {
	found := listening.FindSubmatch(line)
	if found == nil {
		return "", false
	}
	return string(found[1]), true
}
