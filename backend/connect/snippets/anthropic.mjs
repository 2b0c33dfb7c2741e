import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: {{q .URL}}, apiKey: {{if .Key}}process.env.MLXBAR_API_KEY{{else}}"not-needed"{{end}} });
const stream = client.messages.stream({
  model: {{q .Model}},
  max_tokens: 256,
  messages: [{ role: "user", content: "Say hello" }],
});
for await (const event of stream) {
  if (event.type === "content_block_delta" && event.delta.type === "text_delta") process.stdout.write(event.delta.text);
}
