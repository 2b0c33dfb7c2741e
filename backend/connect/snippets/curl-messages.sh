curl -N {{sh (printf "%s/messages" .Base)}} -H 'Content-Type: application/json' -H 'anthropic-version: 2023-06-01'{{if .Key}} -H "x-api-key: $MLXBAR_API_KEY"{{end}} -d @- <<'JSON'
{"model": {{q .Model}}, "max_tokens": 256, "stream": true, "messages": [{"role": "user", "content": "Say hello"}]}
JSON
