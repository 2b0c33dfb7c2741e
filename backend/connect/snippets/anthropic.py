{{if .Key}}import os

{{end}}from anthropic import Anthropic

client = Anthropic(base_url={{q .URL}}, api_key={{if .Key}}os.environ["MLXBAR_API_KEY"]{{else}}"not-needed"{{end}})
with client.messages.stream(
    model={{q .Model}},
    max_tokens=256,
    messages=[{"role": "user", "content": "Say hello"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
