// Asks plain, streamed and with a refused key, and prints what the official client makes of the answers as JSON.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 10_000 });
const ask = { model: "gpt-4o-mini", messages: [{ role: "user", content: "one two three" }] };

const { data: reply, response } = await client.chat.completions.create(ask).withResponse();
const plain = {
  text: reply.choices[0].message.content,
  finish: reply.choices[0].finish_reason,
  tokens: reply.usage.completion_tokens,
  id: response.headers.get("x-wk-call-id"),
  requestId: reply._request_id,
};

const streamed = { text: "", finish: null, tokens: null };
const stream = await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  streamed.text += chunk.choices[0]?.delta.content ?? "";
  streamed.finish = chunk.choices[0]?.finish_reason ?? streamed.finish;
  streamed.tokens = chunk.usage?.completion_tokens ?? streamed.tokens;
}

const cut = { text: "", error: null };
try {
  for await (const chunk of await client.chat.completions.create({ ...ask, model: "scripted/stream-cut", stream: true })) {
    cut.text += chunk.choices[0]?.delta.content ?? "";
  }
} catch (error) {
  cut.error = error instanceof OpenAI.APIError;
}

const refused = await new OpenAI({ baseURL, apiKey: "sk-fake", maxRetries: 0 }).chat.completions.create(ask).then(
  () => null,
  (error) => ({ isAuthentication: error instanceof OpenAI.AuthenticationError, code: error.code }),
);

console.log(JSON.stringify({ plain, streamed, cut, refused }));
