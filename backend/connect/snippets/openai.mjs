import OpenAI from "openai";

const client = new OpenAI({ baseURL: {{q .Base}}, apiKey: {{if .Key}}process.env.MLXBAR_API_KEY{{else}}"not-needed"{{end}} });
const stream = await client.chat.completions.create({
  model: {{q .Model}},
  messages: [{ role: "user", content: "Say hello" }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
