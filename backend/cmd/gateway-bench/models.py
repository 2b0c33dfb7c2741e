"""Makes variants of a model for `gateway-bench advise`, and serves an MLX folder.

models.py gguf SOURCE.gguf FOLDER TYPE...   the same weights stored as F16, Q8_0, Q4_0 ...: FOLDER/NAME-TYPE.gguf
models.py mlx SOURCE.gguf FOLDER            the same weights as an MLX model folder (llama architecture, Q4_1 alone)
models.py serve ARGUMENTS                   mlx_lm's own server

A model that was quantised before is not made better by being stored more exactly: the variants are for
measuring speed and memory, and say nothing of quality.
"""

import json
import os
import sys


def variants(source, folder, *types):
    import gguf
    import numpy

    reader = gguf.GGUFReader(source)
    name = os.path.basename(source).removesuffix(".gguf")
    for wanted in types:
        kind = gguf.GGMLQuantizationType[wanted]
        architecture = reader.fields["general.architecture"].contents()
        writer = gguf.GGUFWriter(f"{folder}/{name}-{wanted.lower()}.gguf", architecture)
        for field in reader.fields.values():
            if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
                continue
            item = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=item)
        writer.add_file_type(gguf.LlamaFileType["MOSTLY_" + wanted])
        for tensor in reader.tensors:
            exact = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
            if len(tensor.shape) < 2:  # norms stay exact, as llama.cpp keeps them
                writer.add_tensor(tensor.name, exact)
            else:
                writer.add_tensor(tensor.name, gguf.quantize(exact, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


RENAMED = [
    ("blk.", "model.layers."),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("attn_norm", "input_layernorm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("token_embd", "model.embed_tokens"),
    ("output_norm", "model.norm"),
]


def mlx(source, folder):
    import mlx.core as mx

    weights, about = mx.load(source, return_metadata=True)
    out = {}
    for name, value in weights.items():
        if name.startswith("output."):
            continue
        for old, new in RENAMED:
            name = name.replace(old, new)
        out[name] = value
    os.makedirs(folder)
    mx.save_safetensors(f"{folder}/model.safetensors", out, metadata={"format": "mlx"})

    def number(key):
        return about["llama." + key].item()

    config = {
        "model_type": "llama",
        "hidden_size": int(number("embedding_length")),
        "num_hidden_layers": int(number("block_count")),
        "intermediate_size": int(number("feed_forward_length")),
        "num_attention_heads": int(number("attention.head_count")),
        "num_key_value_heads": int(number("attention.head_count_kv")),
        "rms_norm_eps": float(number("attention.layer_norm_rms_epsilon")),
        "vocab_size": int(number("vocab_size")),
        "rope_theta": float(number("rope.freq_base")),
        "rope_traditional": True,
        "tie_word_embeddings": True,
        "max_position_embeddings": int(number("context_length")),
        "bos_token_id": 1,
        "eos_token_id": 2,
        "quantization": {"group_size": 32, "bits": 4},
    }
    with open(f"{folder}/config.json", "w") as f:
        json.dump(config, f, indent=1)
    tokenizer(about, folder)


def tokenizer(about, folder):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = about["tokenizer.ggml.tokens"]
    merges = [tuple(m.split(" ")) for m in about["tokenizer.ggml.merges"]]
    t = Tokenizer(models.BPE(vocab={s: n for n, s in enumerate(tokens)}, merges=merges, unk_token=None))
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    t.decoder = decoders.ByteLevel()
    kinds = about["tokenizer.ggml.token_type"].tolist()
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s, k in zip(tokens, kinds) if k == 3])
    t.save(f"{folder}/tokenizer.json")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[1],
        "eos_token": tokens[2],
        "pad_token": tokens[2],
        "chat_template": about["tokenizer.chat_template"],
        "model_max_length": 8192,
    }
    with open(f"{folder}/tokenizer_config.json", "w") as f:
        json.dump(config, f, indent=1)


def serve(*arguments):
    os.environ["HF_HUB_OFFLINE"] = "1"  # it asks no network
    sys.argv = ["mlx_lm.server", *arguments]
    from mlx_lm.server import main

    main()


{"gguf": variants, "mlx": mlx, "serve": serve}[sys.argv[1]](*sys.argv[2:])
