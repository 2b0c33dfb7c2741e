"""One model on llama.cpp's own HTTP server, until stdin closes.

The first line of stdin is the API key, so that it is in no argument list and no
environment; the second is a word by which this process is told from any other that may
come to listen at its address. One JSON line on stdout tells the address once the model is loaded.
However the parent ends, the kernel closes stdin, and this process ends at once.

read_line, guard_the_load and end_with_stdin stand in engine/script/child.py, which goes before this text.
"""

import argparse
import json
import os
import signal
import sys
import threading

# No page in a browser has this origin (RFC 2606), and llama.cpp answers every
# request with it instead of with the origin that asked.
NO_ORIGIN = "https://engine.mlxbar.invalid"
NEVER = 7 * 24 * 3600


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--context-size", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--pooling", choices=["mean", "rank", "model"], default="mean")
    parser.add_argument("--draft", default="")
    parser.add_argument("--mmproj", default="")
    # What a person may add, called as llama-server calls it; the settings let nothing else through.
    parser.add_argument("--cache-reuse", type=int, default=0)
    parser.add_argument("--cache-type-k", default="f16")
    parser.add_argument("--cache-type-v", default="f16")
    parser.add_argument("--flash-attn", choices=["on", "off", "auto"], default="auto")
    parser.add_argument("--gpu-layers", type=int)
    parser.add_argument("--load-mode", choices=["auto", "none", "mmap", "mlock"], default="auto")
    parser.add_argument("--spec-draft-n-max", type=int)
    parser.add_argument("--spec-draft-n-min", type=int)
    parser.add_argument("--swa-full", action="store_true")
    return parser.parse_args()


def parameters(options, key, identity):
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path = options.model
    p.mmproj.path = options.mmproj  # and no media_path: it reads no file that a request names
    p.model_alias = {options.alias}
    p.model_tags = {identity}
    p.offline = True
    p.hostnames, p.port = ["127.0.0.1"], 0
    p.api_keys = [key]
    p.cors_origins, p.cors_credentials = NO_ORIGIN, False
    p.ui, p.endpoint_slots, p.endpoint_metrics = False, False, True
    p.sse_ping_interval = NEVER
    p.n_threads_http = options.parallel + 124  # those beyond the slots wait inside, and health is still answered
    p.n_parallel = options.parallel
    # A cache for each slot. One that they share would take a quarter of the memory, and two long
    # prompts at once would both fail when it is full, after minutes of work.
    p.n_ctx = options.context_size * options.parallel
    p.cache_ram_mib = 1024
    if options.threads:
        p.cpuparams.n_threads = options.threads
    # Embeddings from the same process: a text must fit into one batch.
    p.embedding = True
    p.n_batch = p.n_ubatch = options.batch
    if options.pooling != "model":
        p.pooling_type = getattr(xllamacpp.llama_pooling_type, "LLAMA_POOLING_TYPE_" + options.pooling.upper())
    add(xllamacpp, p, options)
    return xllamacpp, p


def add(xllamacpp, p, options):
    """Sets what a person added for this model."""
    named = lambda kind, name: getattr(getattr(xllamacpp, kind), name.upper())
    attention = {"on": "ENABLED", "off": "DISABLED", "auto": "AUTO"}[options.flash_attn]
    p.flash_attn_type = named("llama_flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_" + attention)
    p.cache_type_k = named("ggml_type", "GGML_TYPE_" + options.cache_type_k)
    p.cache_type_v = named("ggml_type", "GGML_TYPE_" + options.cache_type_v)
    p.load_mode = named("llama_load_mode", "LLAMA_LOAD_MODE_" + options.load_mode)
    p.n_cache_reuse, p.swa_full = options.cache_reuse, options.swa_full
    if options.gpu_layers is not None:
        p.n_gpu_layers = options.gpu_layers
    if not options.draft:
        return
    draft = p.speculative.draft
    draft.mparams.path = options.draft
    p.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
    if options.spec_draft_n_max is not None:
        draft.n_max = options.spec_draft_n_max
    if options.spec_draft_n_min is not None:
        draft.n_min = options.spec_draft_n_min


def main():
    options = arguments()
    key, identity = read_line("key"), read_line("identity")
    guard = guard_the_load()
    try:
        xllamacpp, p = parameters(options, key, identity)
        server = xllamacpp.Server(p)
    except Exception as problem:  # only loading comes here, which has seen nobody's words
        sys.exit(f"cannot load the model: {problem}")
    threading.Thread(target=end_with_stdin, daemon=True).start()
    os.kill(guard, signal.SIGKILL)
    os.waitpid(guard, 0)
    print(json.dumps({"event": "ready", "address": server.listening_address}), flush=True)
    threading.Event().wait()


main()
