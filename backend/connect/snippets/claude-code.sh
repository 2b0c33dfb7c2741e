export ANTHROPIC_BASE_URL={{sh .URL}}
export ANTHROPIC_AUTH_TOKEN={{if .Key}}"$MLXBAR_API_KEY"{{else}}not-needed{{end}}
export ANTHROPIC_MODEL={{sh .Model}}
export ANTHROPIC_DEFAULT_OPUS_MODEL={{sh .Model}}
export ANTHROPIC_DEFAULT_SONNET_MODEL={{sh .Model}}
export ANTHROPIC_DEFAULT_HAIKU_MODEL={{sh .Model}}
export CLAUDE_CODE_ATTRIBUTION_HEADER=0
claude
