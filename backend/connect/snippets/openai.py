{{if .Key}}import os

{{end}}from openai import OpenAI

client = OpenAI(base_url={{q .Base}}, api_key={{if .Key}}os.environ["MLXBAR_API_KEY"]{{else}}"not-needed"{{end}})
stream = client.chat.completions.create(
    model={{q .Model}},
    messages=[{"role": "user", "content": "Say hello"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
