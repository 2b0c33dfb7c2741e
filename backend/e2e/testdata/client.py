"""OpenAI's official client, led by a test: `client.py BASE_URL API_KEY`.

Each line on stdin is a call as JSON, each line on stdout what came of it: the answer as a client's user sees it,
or the exception. A call that is streamed says {"first": true} on a line of its own when its first token is there.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import openai


def say(what):
    print(json.dumps(what), flush=True)


def attribute(thing, path):
    for name in path.split("."):
        thing = getattr(thing, name)
    return thing


def failure(error):
    """What a program that catches the exception can learn from it."""
    response = getattr(error, "response", None)
    return {
        "class": type(error).__name__,
        "kinds": [kind.__name__ for kind in type(error).__mro__],
        "message": str(error),
        "status": getattr(error, "status_code", 0),
        "code": getattr(error, "code", None) or "",
        "type": getattr(error, "type", None) or "",
        "param": getattr(error, "param", None) or "",
        "request_id": getattr(error, "request_id", None) or "",
        "retry_after": response.headers.get("retry-after", "") if response is not None else "",
    }


class Outcome:
    """Gathers an answer, whole or chunk by chunk."""

    def __init__(self):
        self.facts = {"chunks": 0, "tokens": 0, "text": "", "finish_reason": "", "usage": None, "error": None, "request_id": ""}

    def headers(self, headers):
        self.facts["request_id"] = headers.get("x-request-id", "")

    def whole(self, answer):
        self.facts["answer"] = answer.model_dump(mode="json") if hasattr(answer, "model_dump") else None
        self.usage(answer)
        for choice in getattr(answer, "choices", None) or []:
            self.facts["text"] += choice.message.content or "" if hasattr(choice, "message") else choice.text
            self.facts["finish_reason"] = choice.finish_reason or ""
        for entry in getattr(answer, "data", None) or []:
            if hasattr(entry, "embedding"):
                self.facts.setdefault("dimensions", []).append(len(entry.embedding))

    def usage(self, answer):
        if getattr(answer, "usage", None):
            self.facts["usage"] = answer.usage.model_dump(mode="json")

    def chunk(self, chunk):
        self.facts["chunks"] += 1
        self.usage(chunk)
        for choice in chunk.choices:
            text = (choice.delta.content if hasattr(choice, "delta") else choice.text) or ""
            self.facts["text"] += text
            self.facts["finish_reason"] = choice.finish_reason or self.facts["finish_reason"]
            if text:
                self.facts["tokens"] += 1
                if self.facts["tokens"] == 1:
                    say({"first": True})


def in_step(call, client, outcome):
    raw = attribute(client, call["do"].replace(".create", ".with_raw_response.create"))(**call.get("with") or {})
    if not call.get("with", {}).get("stream"):
        if hasattr(raw, "headers"):
            outcome.headers(raw.headers)
            raw = raw.parse()
        outcome.whole(raw)
        return
    outcome.headers(raw.headers)
    stream = raw.parse()
    for chunk in stream:
        outcome.chunk(chunk)
        if call.get("close_after") and outcome.facts["tokens"] == call["close_after"]:
            stream.close()
            break


async def at_once(call, client, outcome):
    async with client:
        stream = await attribute(client, call["do"])(**call["with"])
        outcome.headers(stream.response.headers)
        async for chunk in stream:
            outcome.chunk(chunk)


def run(call):
    outcome = Outcome()
    options = {"base_url": sys.argv[1] + "/v1", "api_key": sys.argv[2], "max_retries": call.get("retries", 0), "timeout": call.get("timeout", 300)}
    try:
        if call.get("async"):
            asyncio.run(at_once(call, openai.AsyncOpenAI(**options), outcome))
        else:
            with openai.OpenAI(**options) as client:
                in_step(call, client, outcome)
    except Exception as error:
        outcome.facts["error"] = failure(error)
    return outcome.facts


for line in sys.stdin:
    call = json.loads(line)
    times = call.get("parallel", 1)
    with ThreadPoolExecutor(times) as pool:
        say({"outcomes": list(pool.map(run, [call] * times))})
