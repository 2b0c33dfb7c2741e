"""Takes the arguments and the environment that llama-server takes, says what it says when it listens, and never looks
at its stdin."""

import argparse
import os
import sys
import threading

import xllamacpp

parser = argparse.ArgumentParser()
for name in ("--model", "--alias", "--host"):
    parser.add_argument(name, required=True)
for name in ("--port", "--ctx-size", "--parallel", "--batch-size", "--ubatch-size", "--threads-http", "--threads"):
    parser.add_argument(name, type=int, default=0)
parser.add_argument("--flash-attn")
options = parser.parse_args()
if os.environ["LLAMA_ARG_OFFLINE"] != "1" or sys.stdin.read():
    sys.exit("not as mlxbar starts it")
p = xllamacpp.CommonParams()
p.model.path, p.model_alias = options.model, {options.alias}
p.hostnames, p.port, p.api_keys = [options.host], options.port, [os.environ["LLAMA_API_KEY"]]
p.n_ctx, p.n_parallel = options.ctx_size, options.parallel
p.endpoint_metrics = os.environ["LLAMA_ARG_ENDPOINT_METRICS"] == "1"
p.cors_origins, p.cors_credentials = os.environ["LLAMA_ARG_CORS_ORIGINS"], os.environ["LLAMA_ARG_CORS_CREDENTIALS"] != "0"
p.embedding, p.cache_ram_mib = os.environ["LLAMA_ARG_EMBEDDINGS"] == "1", int(os.environ["LLAMA_ARG_CACHE_RAM"])
if os.environ.get("LLAMA_ARG_POOLING") == "mean":
    p.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
p.n_batch, p.n_ubatch, p.n_threads_http = options.batch_size, options.ubatch_size, options.threads_http
server = xllamacpp.Server(p)
print(f"main: server is listening on {server.listening_address} - starting the main loop", file=sys.stderr, flush=True)
threading.Event().wait()
