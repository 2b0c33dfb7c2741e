curl -N {{sh (printf "%s/chat/completions" .Base)}} -H 'Content-Type: application/json'{{if .Key}} -H "Authorization: Bearer $MLXBAR_API_KEY"{{end}} -d @- <<'JSON'
{"model": {{q .Model}}, "stream": true, "messages": [{"role": "user", "content": "Say hello"}]}
JSON
