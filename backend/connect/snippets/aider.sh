export OPENAI_API_BASE={{sh .Base}}
export OPENAI_API_KEY={{if .Key}}"$MLXBAR_API_KEY"{{else}}not-needed{{end}}
aider --no-show-model-warnings --model {{sh (printf "openai/%s" .Model)}}
