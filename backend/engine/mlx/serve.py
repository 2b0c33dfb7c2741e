"""One model folder on mlx_lm's own HTTP server, until stdin closes.

The first line of stdin is the API key, so that it is in no argument list and no environment; the second is a word by
which this process is told from any other that may come to listen at its address. One JSON line on stdout tells the
address once the model is loaded. However the parent ends, the kernel closes stdin, and this
process ends at once.

mlx_lm's server has no key, loads any model that a request names, fetches pictures from any address, logs bodies
that it cannot read, and does not notice who leaves while it answers in one piece. What stands below is what it
takes to mend that; the rest is its own.

read_line, guard_the_load and end_with_stdin stand in engine/script/child.py, which goes before this text.
"""

import argparse
import hmac
import io
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from functools import partial

# Nothing is asked of the network, whatever a model's folder says.
for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ[name] = "1"

PATHS = ("/v1/chat/completions", "/v1/completions")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--context", type=int, default=0)  # tokens that the model takes; 0 where that is not known
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--kept", type=int, default=256 << 20)  # bytes of prompts that were read before, with those being answered
    return parser.parse_args()


def say(text):
    """Writes a line that holds nothing of a request: of an error its kind alone."""
    print("engine:", text, file=sys.stderr, flush=True)


options = arguments()
key, identity = read_line("key").encode(), read_line("identity")
guard = guard_the_load()

try:
    from mlx_lm import server
    from mlx_lm.models.cache import LRUPromptCache
except Exception as problem:
    sys.exit(f"cannot load the engine: {problem}")

loaded = threading.Event()
answering = threading.local()  # the connection that a thread answers


class Refusal(BaseException):
    """An answer with an error. No Exception, which mlx_lm would answer with 404 and the words of the cause."""

    def __init__(self, status, message, **more):
        super().__init__(message)
        self.status, self.body = status, {"error": {"message": message, **more}}


class TooLong(Exception):
    pass


class Provider(server.ModelProvider):
    """The one model, whatever a request names."""

    def load(self, *_):
        return super().load("default_model", None, "default_model")

    def load_default(self):
        self.load()
        loaded.set()


def gone(connection):
    """Says whether the other end has closed. What a client sends beside its request is not looked at."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


class Generator(server.ResponseGenerator):
    def _run_generate(self):
        try:
            self._generate()
        except BaseException as problem:
            if loaded.is_set():
                say(f"the generation ended: {type(problem).__name__}")
            else:
                traceback.print_exc()
                print(f"cannot load the model: {problem}", file=sys.stderr, flush=True)
        os._exit(1)  # nothing is answered without this thread, and whoever started this process starts another

    def _tokenize(self, tokenizer, request, args):
        made = super()._tokenize(tokenizer, request, args)
        tokens = len(made[0])
        if tokens == 0:
            raise ValueError("an empty prompt")
        if options.context and tokens >= options.context:
            raise TooLong(tokens)
        if options.context:
            args.max_tokens = min(args.max_tokens, options.context - tokens)
        return made

    def generate(self, request, args, progress_callback=None):
        connection = answering.connection

        def progress(done, total):
            if gone(connection):
                raise ConnectionAbortedError
            progress_callback(done, total)

        try:
            context, made = super().generate(request, args, progress)
        except TooLong as problem:
            raise Refusal(400, "too many tokens", type="exceed_context_size_error", n_prompt_tokens=problem.args[0], n_ctx=options.context)
        except Exception as problem:
            say(f"a prompt could not be made: {type(problem).__name__}")
            raise Refusal(400, "the model's template does not take this", param="messages" if request.request_type == "chat" else "prompt")

        def watched():
            for token in made:
                if gone(connection):
                    raise ConnectionAbortedError
                yield token

        return context, watched()


def refuse_addresses(*_, **__):
    raise Refusal(400, "pictures are not fetched", param="messages")


server.urlopen = refuse_addresses


def checked(body, provider):
    """The request as mlx_lm takes it: what it would fail on in the thread that serves everybody is refused here."""
    if not isinstance(body, dict):
        raise Refusal(400, "no object")
    for name in ("adapters", "draft_model", "role_mapping"):
        body.pop(name, None)
    body = {name: value for name, value in body.items() if value is not None}
    body["model"] = options.alias
    if "stream_options" in body:
        asked = body["stream_options"]
        body["stream_options"] = {"include_usage": isinstance(asked, dict) and asked.get("include_usage") is True}
    stops = body.get("stop", [])
    stops = [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or not all(isinstance(s, str) for s in stops):
        raise Refusal(400, "a string or an array of strings", param="stop")
    body["stop"] = [s for s in stops if s]
    if "prompt" in body and not isinstance(body["prompt"], str):
        raise Refusal(400, "a string", param="prompt")
    vocabulary = getattr(getattr(provider.model, "args", None), "vocab_size", 0) or provider.tokenizer.vocab_size
    top = body.get("top_k", 0)
    if isinstance(top, int) and top >= vocabulary:
        body["top_k"] = 0  # all of them
    elif isinstance(top, int) and top < 0:  # as others write it
        body["top_k"] = 0
    bias = body.get("logit_bias", {})
    try:
        right = all(0 <= int(token) < vocabulary and abs(float(by)) <= 1e4 for token, by in bias.items())
    except (AttributeError, TypeError, ValueError):
        right = False
    if not right:
        raise Refusal(400, "an object of tokens' numbers and numbers", param="logit_bias")
    if body.pop("ignore_eos", False) is True:  # as llama.cpp has it, and measurements ask
        body["logit_bias"] = bias | {str(token): -1e4 for token in provider.tokenizer.eos_token_ids}
    if body.get("tool_choice") == "none":
        body.pop("tools", None)
    return body


class Handler(server.APIHandler):
    def parse_request(self):
        if not super().parse_request():
            return False
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, b"Bearer " + key):
            self.close_connection = True
            self.answer(401, {"error": {"message": "the key is missing or wrong", "type": "authentication_error"}})
            return False
        return True

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self._headers_buffer = []  # of an answer that was begun and not sent
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    def _set_cors_headers(self):
        """No page in a browser may read what is answered."""

    def end_headers(self):
        self.begun = True
        super().end_headers()

    def do_OPTIONS(self):
        self.answer(404, {"error": {"message": "not found"}})

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"status": "ok"})
        elif self.path == "/v1/models":
            self.answer(200, {"object": "list", "data": [{"id": options.alias, "object": "model", "created": self.created, "owned_by": "mlxbar", "tags": [identity]}]})
        else:
            self.answer(404, {"error": {"message": "not found"}})

    def do_POST(self):
        self.begun = False
        try:
            self.take()
        except Refusal as refusal:
            if not self.begun:
                self.answer(refusal.status, refusal.body)
        except ConnectionError:
            self.close_connection = True
        except Exception as problem:
            say(f"a request failed: {type(problem).__name__}")
            self.close_connection = True
            if not self.begun:
                self.answer(500, {"error": {"message": "the answer could not be made"}})

    def take(self):
        if self.path not in PATHS:
            raise Refusal(404, "not found")
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            raise Refusal(411, "the length is missing")
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            raise Refusal(400, "no JSON")
        text = json.dumps(checked(body, self.response_generator.model_provider)).encode()
        self.rfile = io.BytesIO(text)
        self.headers.replace_header("Content-Length", str(len(text)))
        answering.connection = self.connection
        super().do_POST()

    def _set_completion_headers(self, status_code=200):
        if status_code == 400:
            # It goes on to say why, in words that may be the request's. Which member it is, is found again from there.
            raise Refusal(400, "a value is wrong", **self.wrong_member())
        super()._set_completion_headers(status_code)

    def wrong_member(self):
        problem = sys.exc_info()[1]
        name = str(problem).split(" ", 1)[0] if isinstance(problem, ValueError) else ""
        return {"param": name} if hasattr(self, name) and name.isidentifier() else {}

    def log_message(self, *_):
        """A path may hold anything."""


class Server(server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_):
        problem = sys.exc_info()[1]
        if not isinstance(problem, ConnectionError):
            say(f"a connection failed: {type(problem).__name__}")


def run(_host, _port, provider):
    generator = Generator(provider, LRUPromptCache(provider.cli_args.prompt_cache_size, options.kept))
    loaded.wait()  # or the end of the process
    fingerprint = server.get_system_fingerprint()
    httpd = Server(("127.0.0.1", 0), partial(Handler, generator, system_fingerprint=fingerprint))
    threading.Thread(target=end_with_stdin, daemon=True).start()
    os.kill(guard, signal.SIGKILL)
    os.waitpid(guard, 0)
    print(json.dumps({"event": "ready", "address": f"http://127.0.0.1:{httpd.server_address[1]}"}), flush=True)
    httpd.serve_forever()


server.ModelProvider, server.run = Provider, run
# mlx_lm stops at 512 tokens where a request says nothing; the model's context is the end here, as it is elsewhere.
sys.argv = ["mlx_lm.server", "--model", options.model, "--log-level", "ERROR", "--max-tokens", str(options.context or 1 << 17),
            "--decode-concurrency", str(options.parallel), "--prompt-concurrency", str(options.parallel),
            "--prompt-cache-bytes", str(options.kept)]
server.main()
