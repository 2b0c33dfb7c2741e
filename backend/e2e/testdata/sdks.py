"""The official Python clients of OpenAI and Anthropic, led by a test: `sdks.py BASE_URL API_KEY`.

Each line on stdin is a question as JSON, asked at once in a thread of its own; each line on stdout is what came of one, with its
number. A question is the same for every client; here stands how each of them is asked it, and where its answer has what. Streams
are read by the clients' own helpers, which are strict about the order of events, and JSON by a schema through theirs that parse.
"""

import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import anthropic
import openai
from pydantic import BaseModel

BASE, KEY = sys.argv[1:3]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
assert base64.b64decode(PICTURE).startswith(b"\x89PNG")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["marzipan", "Paris"]}}, "required": ["city"], "additionalProperties": False}
TOOLS = {"weather": "What the weather is like.", "time": "What time it is."}


class Place(BaseModel):
    city: Literal["marzipan", "Paris"]


class Left(Exception):
    """The program has read enough of a stream and goes on."""


def options(q):
    return {"extra_headers": {"X-Request-ID": q["id"]}, "timeout": q.get("timeout") or 120}


def enough(q, seen):
    if q.get("leave_after") and seen >= q["leave_after"]:
        raise Left


class OfOpenAI:
    def __init__(self, key):
        self.client = openai.OpenAI(base_url=BASE + "/v1", api_key=key, max_retries=0)


class Chat(OfOpenAI):
    def parameters(self, q):
        content = q["prompt"]
        if q.get("image"):
            content = [{"type": "text", "text": content}, {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PICTURE}}]
        with_ = {"model": q["model"], "messages": [{"role": "user", "content": content}], "max_completion_tokens": q["limit"]}
        if q.get("tools"):
            with_["tools"] = [{"type": "function", "function": {"name": n, "description": d, "parameters": SCHEMA, "strict": True}} for n, d in TOOLS.items()]
        if q.get("force"):
            with_["tool_choice"] = "required"
        if q.get("schema"):
            with_["response_format"] = Place
        if q.get("think"):
            with_["reasoning_effort"] = "high"
        return with_

    def ask(self, q, with_, a):
        if q.get("stream"):
            with_ = {**with_, "stream_options": {"include_usage": True}}
            seen = 0
            with self.client.chat.completions.stream(**with_, **options(q)) as stream:
                for event in stream:
                    seen += event.type == "content.delta"
                    enough(q, seen)
                try:
                    whole = stream.get_final_completion()
                except openai.LengthFinishReasonError as short:  # which is what a limit is for
                    whole = short.completion
        elif q.get("schema"):
            whole = self.client.chat.completions.parse(**with_, **options(q))
        else:
            whole = self.client.chat.completions.create(**with_, **options(q))
        message = whole.choices[0].message
        a.update(text=message.content or "", thought=getattr(message, "reasoning_content", None) or "", stop=whole.choices[0].finish_reason)
        a["calls"] = [{"id": c.id, "name": c.function.name, "arguments": c.function.arguments} for c in message.tool_calls or []]
        a.update(prompt=whole.usage.prompt_tokens, completion=whole.usage.completion_tokens, cached=cached(whole.usage.prompt_tokens_details))
        if q.get("schema"):
            a["parsed"] = message.parsed.city
        return message

    def go_on(self, with_, message, a):
        results = [{"role": "tool", "tool_call_id": c["id"], "content": "It is fine."} for c in a["calls"]]
        return {**with_, "messages": with_["messages"] + [message] + results + [{"role": "user", "content": "Go on."}]}


class Responses(OfOpenAI):
    def parameters(self, q):
        content = q["prompt"]
        if q.get("image"):
            content = [{"type": "input_text", "text": content}, {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + PICTURE}]
        with_ = {"model": q["model"], "input": [{"role": "user", "content": content}], "max_output_tokens": q["limit"], "store": False}
        if q.get("tools"):
            with_["tools"] = [{"type": "function", "name": n, "description": d, "parameters": SCHEMA, "strict": True} for n, d in TOOLS.items()]
        if q.get("force"):
            with_["tool_choice"] = "required"
        if q.get("schema"):
            with_["text_format"] = Place
        if q.get("think"):
            with_.update(reasoning={"effort": "high", "summary": "auto"}, include=["reasoning.encrypted_content"])
        return with_

    def ask(self, q, with_, a):
        if q.get("stream"):
            seen, whole = 0, None
            with self.client.responses.stream(**with_, **options(q)) as stream:
                for event in stream:
                    seen += event.type == "response.output_text.delta"
                    enough(q, seen)
                    if event.type == "response.incomplete":  # where the helper knows no final response
                        whole = event.response
                whole = whole or stream.get_final_response()
        elif q.get("schema"):
            whole = self.client.responses.parse(**with_, **options(q))
        else:
            whole = self.client.responses.create(**with_, **options(q))
        a.update(text=whole.output_text, stop=whole.status, thought="", calls=[])
        for item in whole.output:
            if item.type == "reasoning":
                a.update(thought="".join(s.text for s in item.summary), signature=item.encrypted_content or "")
            if item.type == "function_call":
                a["calls"].append({"id": item.call_id, "name": item.name, "arguments": item.arguments})
        a.update(prompt=whole.usage.input_tokens, completion=whole.usage.output_tokens, cached=cached(whole.usage.input_tokens_details))
        if q.get("schema"):
            a["parsed"] = whole.output_parsed.city
        return whole.output

    def go_on(self, with_, output, a):
        results = [{"type": "function_call_output", "call_id": c["id"], "output": "It is fine."} for c in a["calls"]]
        output = [item.model_dump(mode="json", exclude_none=True, exclude={"parsed_arguments"}) for item in output]
        return {**with_, "input": with_["input"] + output + results + [{"role": "user", "content": "Go on."}]}


class Messages:
    def __init__(self, key):
        self.client = anthropic.Anthropic(base_url=BASE, api_key=key, max_retries=0)

    def parameters(self, q):
        content = [{"type": "text", "text": q["prompt"]}]
        if q.get("image"):
            content.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}})
        with_ = {"model": q["model"], "messages": [{"role": "user", "content": content}], "max_tokens": q["limit"]}
        if q.get("tools"):
            with_["tools"] = [{"name": n, "description": d, "input_schema": SCHEMA} for n, d in TOOLS.items()]
        if q.get("force"):
            with_["tool_choice"] = {"type": "any"}
        if q.get("schema"):
            with_["output_format"] = Place
        if q.get("think"):
            with_.update(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048)
        return with_

    def ask(self, q, with_, a):
        if q.get("stream"):
            seen = 0
            with self.client.messages.stream(**with_, **options(q)) as stream:
                for event in stream:
                    seen += event.type == "text"
                    enough(q, seen)
                whole = stream.get_final_message()
        elif q.get("schema"):
            whole = self.client.messages.parse(**with_, **options(q))
        else:
            whole = self.client.messages.create(**with_, **options(q))
        a.update(text="", stop=whole.stop_reason, thought="", calls=[])
        for block in whole.content:
            if block.type == "text":
                a["text"] += block.text
            if block.type == "thinking":
                a.update(thought=block.thinking, signature=block.signature)
            if block.type == "tool_use":
                a["calls"].append({"id": block.id, "name": block.name, "arguments": json.dumps(block.input, separators=(",", ":"))})
        read = whole.usage.cache_read_input_tokens or 0
        a.update(prompt=whole.usage.input_tokens + read, completion=whole.usage.output_tokens, cached=read)
        if q.get("schema"):
            a["parsed"] = whole.parsed_output.city
        return whole.content

    def go_on(self, with_, content, a):
        results = [{"type": "tool_result", "tool_use_id": c["id"], "content": "It is fine."} for c in a["calls"]]
        content = [block.model_dump(mode="json", exclude_none=True, exclude={"parsed_output"}) for block in content]
        return {**with_, "messages": with_["messages"] + [{"role": "assistant", "content": content}, {"role": "user", "content": results + [{"type": "text", "text": "Go on."}]}]}


def cached(details):
    return details.cached_tokens or 0 if details else 0


def failure(error):
    """What a program that catches the exception can learn from it."""
    return {
        "class": type(error).__name__,
        "kinds": [f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__],
        "status": getattr(error, "status_code", 0),
        "type": getattr(error, "type", None) or "",
        "message": str(error),
        "request_id": getattr(error, "request_id", None) or "",
    }


def answer(q):
    a = {"number": q["number"], "text": "", "calls": []}
    try:
        sdk = clients[q["sdk"]](q["key"]) if q.get("key") else shared[q["sdk"]]
        with_ = sdk.parameters(q)
        said = sdk.ask(q, with_, a)
        if q.get("then"):
            sdk.ask({**q, "id": q["id"] + ", then", "think": False}, {**sdk.go_on(with_, said, a), "model": q["then"]}, then := {})
            a["then"] = then["text"]
    except Left:
        a["left"] = True
    except Exception as error:
        a["error"] = failure(error)
    with lock:
        print(json.dumps(a), flush=True)


clients = {"chat": Chat, "responses": Responses, "messages": Messages}
shared = {name: make(KEY) for name, make in clients.items()}
lock = threading.Lock()
with ThreadPoolExecutor(64) as pool:
    for line in sys.stdin:
        pool.submit(answer, json.loads(line))
