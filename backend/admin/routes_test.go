package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/gateway/problem"
)

// routes are requests to every operation, in an order. kind is "" for a success, which then has
// the status; location is the first fault's.
var routes = []struct {
	name, operation, query, body string
	status                       int
	kind                         problem.Kind
	location, says               string
}{
	{"the status", "GET /api/status", "", "", 200, "", "", `"state":"running"`},
	{"an unknown parameter", "GET /api/status", "?verbose=1", "", 0, problem.InvalidRequest, "query.verbose", "unknown"},
	{"the description", "GET /api/openapi.json", "", "", 200, "", "", `"openapi":"3.1`},
	{"a shutdown", "POST /api/shutdown", "", "", 202, "", "", ""},

	{"the settings", "GET /api/settings", "", "", 200, "", "", `"timeouts":{"chat":"15m"`},
	{"their schema", "GET /api/settings/schema", "", "", 200, "", "", "https://json-schema.org/draft/2020-12/schema"},
	{"new settings", "PUT /api/settings", "", `{"timeouts": {"chat": "20m"}}`, 200, "", "", `"chat":"20m"`},
	{"new settings out of range", "PUT /api/settings", "", `{"timeouts": {"chat": "3s"}}`, 0, problem.InvalidRequest, "timeouts.chat", "1m to 120m"},
	{"settings of a newer mlxbar", "PUT /api/settings", "", `{"version": 99}`, 0, problem.InvalidRequest, "version", "newer"},
	{"settings that are a list", "PUT /api/settings", "", `[]`, 0, problem.InvalidRequest, "body", "must be a JSON object"},
	{"no settings", "PUT /api/settings", "", "", 0, problem.InvalidRequest, "", ""},
	{"settings without end", "PUT /api/settings", "", strings.Repeat(" ", 2<<20), 0, problem.BodyTooLarge, "", ""},
	{"a changed setting", "PATCH /api/settings", "", `{"timeouts": {"chat": "20m"}}`, 200, "", "", `"chat":"20m"`},
	{"a setting back at its default", "PATCH /api/settings", "", `{"timeouts": {"chat": null}}`, 200, "", "", `"chat":"15m"`},
	{"a setting misspelt", "PATCH /api/settings", "", `{"timeout": {"chat": "20m"}}`, 0, problem.InvalidRequest, "timeout", "did you mean timeouts?"},
	{"a setting of another type", "PATCH /api/settings", "", `{"server": {"max_body_mb": "5"}}`, 0, problem.InvalidRequest, "server.max_body_mb", "whole number"},
	{"a setting in broken JSON", "PATCH /api/settings", "", `{"server": `, 0, problem.InvalidRequest, "body", "ends too early"},

	{"the models", "GET /api/models", "", "", 200, "", "", `{"models":[{"name":"idle","size_bytes":1048576,"format":"gguf","architecture":"",`},
	{"the broken ones", "GET /api/models", "", "", 200, "", "", `"broken":[{"name":"","file":"broken.gguf","folder":"","problem":"it is cut off","arriving":false}]`},
	{"the folders", "GET /api/models", "", "", 200, "", "", `"folders":[{"path":"/models","read_only":false,"problem":""}]`},
	{"the engines", "GET /api/engines", "", "", 200, "", "", `"engines":[{"model":"loaded"`},
	{"the providers, none", "GET /api/providers", "", "", 200, "", "", `{"providers":[]}`},
	{"what runs nearby, nothing", "GET /api/providers/nearby", "", "", 200, "", "", `{"servers":[]}`},
	{"a key for no provider", "PUT /api/providers/{name}/key", "nope", `{"key": "sk-guess"}`, 0, problem.NotFound, "", "no provider of this name"},
	{"a provider's key that is empty", "PUT /api/providers/{name}/key", "nope", `{"key": ""}`, 0, problem.InvalidRequest, "body.key", "must not be empty"},
	{"a provider's key with a line break", "PUT /api/providers/{name}/key", "nope", `{"key": "sk-guess\n"}`, 0, problem.InvalidRequest, "body.key", "without blanks or line breaks"},
	{"a provider's key with a letter of another alphabet", "PUT /api/providers/{name}/key", "nope", `{"key": "sk-guéss-guess"}`, 0, problem.InvalidRequest, "body.key", "ASCII"},
	{"a provider's key without end", "PUT /api/providers/{name}/key", "nope", `{"key": "` + strings.Repeat("guess", 401) + `"}`, 0, problem.InvalidRequest, "body.key", "at most 2000"},
	{"a provider's key of another type", "PUT /api/providers/{name}/key", "nope", `{"key": ["sk-guess"]}`, 0, problem.InvalidRequest, "body.key", "string"},
	{"a provider's key under another name", "PUT /api/providers/{name}/key", "nope", `{"sk-guess": "sk-guess"}`, 0, problem.InvalidRequest, "body", "key"},
	{"a provider's key as it is", "PUT /api/providers/{name}/key", "nope", `"sk-guess"`, 0, problem.InvalidRequest, "body", "object"},
	{"a provider's key in broken JSON", "PUT /api/providers/{name}/key", "nope", `{"key": "sk-guess`, 0, problem.InvalidRequest, "body", ""},
	{"testing no provider", "POST /api/providers/{name}/test", "nope", "", 0, problem.NotFound, "", "no provider of this name"},

	{"loading", "POST /api/models/{name}/load", "idle", "", 202, "", "", ""},
	{"loading what is unknown", "POST /api/models/{name}/load", "nope", "", 0, problem.ModelNotFound, "", `"nope"`},
	{"loading what is broken", "POST /api/models/{name}/load", "broken", "", 0, problem.EngineUnavailable, "", "it is cut off"},
	{"loading what is too large", "POST /api/models/{name}/load", "large", "", 0, problem.ModelTooLarge, "", "expected to take 9 GB"},
	{"the memory for models", "GET /api/engines", "", "", 200, "", "", `"memory":{"limit_bytes":3145728,"used_bytes":2097152,"machine_bytes":4194304}`},
	{"what a model takes", "GET /api/models", "", "", 200, "", "", `"memory_bytes":2097152,"memory_tokens":7,"memory_share":0.5,"fits":true`},
	{"a model that does not fit", "GET /api/models", "", "", 200, "", "", `"memory_bytes":4194304,"memory_tokens":7,"memory_share":1,"fits":false`},
	{"loading while the server stops", "POST /api/models/{name}/load", "closed", "", 0, problem.ShuttingDown, "", ""},
	{"loading that goes wrong", "POST /api/models/{name}/load", "defect", "", 0, problem.Internal, "", "its log has the cause"},
	{"unloading", "POST /api/models/{name}/unload", "loaded", "", 204, "", "", ""},
	{"unloading what is unknown", "POST /api/models/{name}/unload", "nope", "", 0, problem.ModelNotFound, "", `"nope"`},

	{"where a model goes", "GET /api/routes/explain", "?model=idle", "", 200, "", "", `{"model":"idle","route":"","spread":"order","targets":[{"provider":"local","model":"idle","leaves":false,"here":true,"unlisted":false,"weight":1,"running":0,"skip":"","retry_at":null}]}`},
	{"where a model goes, in other letters", "GET /api/routes/explain", "?model=Idle", "", 200, "", "", `"model":"Idle","leaves":false,"here":true`},
	{"where no model goes", "GET /api/routes/explain", "", "", 0, problem.InvalidRequest, "query.model", "required"},

	{"the keys, none", "GET /api/keys", "", "", 200, "", "", `{"keys":[]}`},
	{"a key", "POST /api/keys", "", `{"name": "editor", "limits": {"models": ["gpt-*"], "requests_per_minute": 5}}`, 201, "", "", `"secret":"sk-mlxbar-`},
	{"a key without a name", "POST /api/keys", "", `{"name": " "}`, 0, problem.InvalidRequest, "body.name", "must not be empty"},
	{"a key with a wrong limit", "POST /api/keys", "", `{"name": "a", "limits": {"tokens_per_day": -1}}`, 0, problem.InvalidRequest, "body.limits.tokens_per_day", "from 0"},
	{"a key of another type", "POST /api/keys", "", `{"name": 5}`, 0, problem.InvalidRequest, "body.name", "string"},
	{"a change of no key", "PUT /api/keys/{id}", "key_nope", `{"name": "a"}`, 0, problem.NotFound, "", "no API key of this id"},
	{"having no key back", "POST /api/keys/{id}/undelete", "key_nope", "", 0, problem.NotFound, "", "no API key of this id"},
	{"taking no key back", "DELETE /api/keys/{id}", "key_nope", "", 0, problem.NotFound, "", "no API key of this id"},

	{"the activity", "GET /api/activity", "", "", 200, "", "", `"engines":[{"model":"loaded","engine":"llamacpp","state":"ready","pid":7,"cpu_percent":0,"memory_bytes":5242880}],"running":[],"history":[{"at":`},
	{"the running requests, none", "GET /api/requests", "", "", 200, "", "", `{"requests":[]}`},
	{"cancelling what does not run", "POST /api/requests/{request_id}/cancel", "req_nope", "", 0, problem.NotFound, "", "No request of this id is running."},

	{"the audit", "GET /api/audit", "", "", 200, "", "", `{"records":[],"next":"","until":0}`},
	{"the audit, filtered", "GET /api/audit", "?model=m&backend=LOCAL&status=error&endpoint=/v1/embeddings&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00%2B01:00&limit=1000", "", 200, "", "", `"records":[]`},
	{"a filter that stands twice", "GET /api/audit", "?backend=LOCAL&backend=OPENAI", "", 0, problem.InvalidRequest, "query.backend", "twice"},
	{"a query that cannot be read", "GET /api/audit/stats", "?model=%zz", "", 0, problem.InvalidRequest, "query", "escape"},
	{"an unknown backend", "GET /api/audit", "?backend=local", "", 0, problem.InvalidRequest, "query.backend", "LOCAL, OPENAI, ANTHROPIC"},
	{"an unknown status", "GET /api/audit", "?status=failed", "", 0, problem.InvalidRequest, "query.status", "interrupted"},
	{"an endpoint that is none", "GET /api/audit", "?endpoint=chat", "", 0, problem.InvalidRequest, "query.endpoint", "a path"},
	{"a date that is none", "GET /api/audit", "?from=yesterday", "", 0, problem.InvalidRequest, "query.from", "RFC 3339"},
	{"a day that is none", "GET /api/audit", "?to=2026-02-30T00:00:00Z", "", 0, problem.InvalidRequest, "query.to", "RFC 3339"},
	{"an end before its start", "GET /api/audit", "?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "", 0, problem.InvalidRequest, "query.to", "later than from"},
	{"a cursor that is none", "GET /api/audit", "?cursor=abc", "", 0, problem.InvalidRequest, "query.cursor", "earlier page"},
	{"no records a page", "GET /api/audit", "?limit=0", "", 0, problem.InvalidRequest, "query.limit", "1 to 1000"},
	{"too many a page", "GET /api/audit", "?limit=1001", "", 0, problem.InvalidRequest, "query.limit", "1 to 1000"},
	{"a limit that is no number", "GET /api/audit", "?limit=ten", "", 0, problem.InvalidRequest, "query.limit", "1 to 1000"},
	{"another order", "GET /api/audit", "?sort=duration_ms&order=asc&offset=5&until=7", "", 200, "", "", `"until":7`},
	{"an order by a column without index", "GET /api/audit", "?sort=client", "", 0, problem.InvalidRequest, "query.sort", "started_at, model, backend, endpoint, duration_ms, total_tokens"},
	{"an order that is none", "GET /api/audit", "?order=down", "", 0, problem.InvalidRequest, "query.order", "asc, desc"},
	{"an offset below nothing", "GET /api/audit", "?offset=-1", "", 0, problem.InvalidRequest, "query.offset", "0 or more"},
	{"an until that is none", "GET /api/audit", "?until=now", "", 0, problem.InvalidRequest, "query.until", "earlier page"},
	{"a cursor with an offset", "GET /api/audit", "?offset=1&cursor=AAAAAAAAAAE", "", 0, problem.InvalidRequest, "query.cursor", "no offset"},
	{"a cursor in another order", "GET /api/audit", "?sort=model&cursor=AAAAAAAAAAE", "", 0, problem.InvalidRequest, "query.cursor", "newest first"},
	{"a record that is not there", "GET /api/audit/{request_id}", "req_nope", "", 0, problem.NotFound, "", "no record of this request"},
	{"deleting all records", "DELETE /api/audit", "", "", 200, "", "", `{"deleted":0}`},
	{"having them back when there were none", "POST /api/audit/undelete", "", "", 0, problem.Conflict, "", "nothing was deleted"},
	{"a filter misspelt", "GET /api/audit", "?modle=m", "", 0, problem.InvalidRequest, "query.modle", "unknown"},
	{"the sums", "GET /api/audit/stats", "?status=success", "", 200, "", "", `"total":0,"successful":0,"errors":0`},
	{"the sums of an unknown status", "GET /api/audit/stats", "?status=failed", "", 0, problem.InvalidRequest, "query.status", "interrupted"},
	{"the models of the audit", "GET /api/audit/models", "", "", 200, "", "", `{"models":[]}`},
	{"a flush", "POST /api/audit/flush", "", "", 204, "", "", ""},
	{"the ledger", "GET /api/ledger", "?from=2026-02-01&to=2026-02-28&zone=UTC", "", 200, "", "", `{"from":"2026-02-01","to":"2026-02-28","zone":"UTC","compare_with":"gpt-5-mini","lines":[],"providers":[],"left":{"requests":0,`},
	{"the ledger of a day that is none", "GET /api/ledger", "?from=2026-02-30", "", 0, problem.InvalidRequest, "query.from", "a day such as"},
	{"the ledger of days in no order", "GET /api/ledger", "?from=2026-02-02&to=2026-02-01", "", 0, problem.InvalidRequest, "query.to", "not before from"},
	{"the ledger of a zone that is none", "GET /api/ledger", "?zone=Mars", "", 0, problem.InvalidRequest, "query.zone", "Europe/Berlin"},
	{"the ledger as CSV", "GET /api/ledger/export", "?format=csv", "", 200, "", "", "day,provider,"},
	{"the ledger in another format", "GET /api/ledger/export", "?format=xlsx", "", 0, problem.InvalidRequest, "query.format", "csv or jsonl"},
	{"the ledger of too many days", "GET /api/ledger/export", "?format=csv&from=1990-01-01&to=2026-01-01", "", 0, problem.InvalidRequest, "query.from", "at most"},
	{"the prices", "GET /api/prices", "", "", 200, "", "", `"own":[],"built_in":[{"models":["gpt-3.5-turbo"`},

	{"an export as CSV", "GET /api/audit/export", "?format=csv", "", 200, "", "", "request_id,"},
	{"an export as JSONL", "GET /api/audit/export", "?format=jsonl", "", 200, "", "", ""},
	{"an export without format", "GET /api/audit/export", "", "", 0, problem.InvalidRequest, "query.format", ""},
	{"an export in another format", "GET /api/audit/export", "?format=xlsx", "", 0, problem.InvalidRequest, "query.format", "csv or jsonl"},
	{"an export with an odd watch", "GET /api/audit/export", "?format=csv&watch=a/b", "", 0, problem.InvalidRequest, "query.watch", "letters, digits"},
	{"an export of an unknown backend", "GET /api/audit/export", "?format=csv&backend=x", "", 0, problem.InvalidRequest, "query.backend", "LOCAL"},

	{"the benchmarks, none", "GET /api/benchmarks", "", "", 200, "", "", `{"runs":[],"job":null}`},
	{"no benchmarks a page", "GET /api/benchmarks", "?limit=0", "", 0, problem.InvalidRequest, "query.limit", ">= 1"},
	{"too many a page", "GET /api/benchmarks", "?limit=1001", "", 0, problem.InvalidRequest, "query.limit", "<= 1000"},
	{"benchmarks before none", "GET /api/benchmarks", "?before=99", "", 0, problem.InvalidRequest, "query.before", "no run that is kept"},
	{"benchmarks before something else", "GET /api/benchmarks", "?before=now", "", 0, problem.InvalidRequest, "query.before", "invalid integer"},
	{"keeping nothing", "POST /api/benchmarks", "", "", 0, problem.InvalidRequest, "", ""},
	{"keeping a text", "POST /api/benchmarks", "", "hello", 0, problem.InvalidRequest, "body", "no JSON"},
	{"keeping something else", "POST /api/benchmarks", "", `{"a": 1}`, 0, problem.InvalidRequest, "body.format", "no results file of mlx-benchmark"},
	{"keeping another version", "POST /api/benchmarks", "", `{"format": "mlx-benchmark", "version": 2}`, 0, problem.InvalidRequest, "body.version", "is of version 2"},
	{"keeping what lacks something", "POST /api/benchmarks", "", `{"format": "mlx-benchmark", "version": 1}`, 0, problem.InvalidRequest, "body", "missing properties"},
	{"keeping under a long name", "POST /api/benchmarks", "?label=" + strings.Repeat("x", 81), `{}`, 0, problem.InvalidRequest, "query.label", "80 characters"},
	{"keeping what has no end", "POST /api/benchmarks", "", strings.Repeat(" ", 64<<20+1), 0, problem.BodyTooLarge, "", ""},
	{"a benchmark", "GET /api/benchmarks/{id}", "1", "", 0, problem.NotFound, "", "No benchmark of this id"},
	{"a benchmark by name", "GET /api/benchmarks/{id}", "one", "", 0, problem.InvalidRequest, "path.id", "invalid integer"},
	{"renaming none", "PATCH /api/benchmarks/{id}", "1", `{"label": "x"}`, 0, problem.NotFound, "", ""},
	{"renaming without a name", "PATCH /api/benchmarks/{id}", "1", `{}`, 0, problem.InvalidRequest, "body", "label"},
	{"a name of two lines", "PATCH /api/benchmarks/{id}", "1", `{"label": "x\ny"}`, 0, problem.InvalidRequest, "body.label", "control character"},
	{"a long name", "PATCH /api/benchmarks/{id}", "1", `{"label": "` + strings.Repeat("é", 81) + `"}`, 0, problem.InvalidRequest, "body.label", "80 characters"},
	{"deleting a benchmark that is not there", "DELETE /api/benchmarks/{id}", "1", "", 0, problem.NotFound, "", ""},
	{"having it back", "POST /api/benchmarks/{id}/undelete", "1", "", 0, problem.Conflict, "", "not deleted"},
	{"the benchmark that runs, none", "GET /api/benchmarks/job", "", "", 0, problem.NotFound, "", "No benchmark has been started"},
	{"stopping none", "DELETE /api/benchmarks/job", "", "", 0, problem.Conflict, "", "No benchmark is running"},
	{"starting nothing", "POST /api/benchmarks/job", "", "", 0, problem.InvalidRequest, "", ""},
	{"starting another kind", "POST /api/benchmarks/job", "", `{"kind": "race"}`, 0, problem.InvalidRequest, "body.kind", "run, suite"},
	{"starting a run of no model", "POST /api/benchmarks/job", "", `{"kind": "run"}`, 0, problem.InvalidRequest, "body.model", "names the model"},
	{"a model of two lines", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "a\nb"}`, 0, problem.InvalidRequest, "body.model", "control character"},
	{"a model without end", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "` + strings.Repeat("m", 257) + `"}`, 0, problem.InvalidRequest, "body.model", "256 bytes"},
	{"removing", "DELETE /api/models/{name}", "loaded", "", 200, "", "", `{"undo_until":"`},
	{"removing what is broken", "DELETE /api/models/{name}", "cut?broken=true", "", 200, "", "", `{"undo_until":"`},
	{"removing what is unknown", "DELETE /api/models/{name}", "nope", "", 0, problem.ModelNotFound, "", `"nope"`},
	{"removing what lies elsewhere", "DELETE /api/models/{name}", "idle", "", 0, problem.Conflict, "", "models folder"},
	{"removing while the server stops", "DELETE /api/models/{name}", "closed", "", 0, problem.ShuttingDown, "", ""},
	{"removing that goes wrong", "DELETE /api/models/{name}", "defect", "", 0, problem.Internal, "", "its log has the cause"},
	{"having a model back", "POST /api/models/{name}/undelete", "loaded", "", 204, "", "", ""},
	{"having a model back too late", "POST /api/models/{name}/undelete", "idle", "", 0, problem.Conflict, "", "any more"},
	{"a suite of two models", "POST /api/benchmarks/job", "", `{"kind": "suite", "model": "a,b"}`, 0, problem.InvalidRequest, "body.model", "comma"},
	{"another prompt", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "prompt": "hello"}`, 0, problem.InvalidRequest, "body.prompt", "short, medium, long"},
	{"no runs", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "runs": 0}`, 0, problem.InvalidRequest, "body.runs", ">= 1"},
	{"too many runs", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "runs": 1001}`, 0, problem.InvalidRequest, "body.runs", "<= 1000"},
	{"runs in words", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "runs": "ten"}`, 0, problem.InvalidRequest, "body.runs", "integer"},
	{"no tokens", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "max_tokens": 0}`, 0, problem.InvalidRequest, "body.max_tokens", ">= 1"},
	{"more tokens than can be kept", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "runs": 1000, "max_tokens": 1001}`, 0, problem.InvalidRequest, "body.runs", "1000000 at most"},
	{"a suite with more", "POST /api/benchmarks/job", "", `{"kind": "suite", "runs": 1000, "max_tokens": 201}`, 0, problem.InvalidRequest, "body.runs", "200000 at most"},
	{"a warm-up below nothing", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "warmup": -1}`, 0, problem.InvalidRequest, "body.warmup", ">= 0"},
	{"no concurrency", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "concurrency": []}`, 0, problem.InvalidRequest, "body.concurrency", "1"},
	{"a concurrency of nothing", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "concurrency": [1, 0]}`, 0, problem.InvalidRequest, "body.concurrency[1]", "1 to 64"},
	{"a concurrency above the runs", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "runs": 2, "concurrency": [3]}`, 0, problem.InvalidRequest, "body.concurrency[0]", "runs is 2"},
	{"a concurrency twice", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "concurrency": [1, 1]}`, 0, problem.InvalidRequest, "body.concurrency[1]", "twice"},
	{"a benchmark under a name of two lines", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "label": "x\ty"}`, 0, problem.InvalidRequest, "body.label", "control character"},
	{"a field too many", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m", "file": "/etc/passwd"}`, 0, problem.InvalidRequest, "body.file", "unexpected"},
	{"a benchmark", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m"}`, 202, "", "", `"state":"running","kind":"run"`},
	{"a second one", "POST /api/benchmarks/job", "", `{"kind": "run", "model": "m"}`, 0, problem.Conflict, "", "running already"},
	{"the benchmark that runs", "GET /api/benchmarks/job", "", "", 200, "", "", `"run_id":null`},
	{"it stands in the list", "GET /api/benchmarks", "", "", 200, "", "", `"job":{"id":"bench_1"`},
	{"stopping it", "DELETE /api/benchmarks/job", "", "", 202, "", "", `"state":"stopping"`},

	{"a login", "POST /api/session", "", `{"token": "` + token + `"}`, 204, "", "", ""},
	{"a login with a wrong token", "POST /api/session", "", `{"token": "guess"}`, 0, problem.Unauthorized, "", "run/admin.token"},
	{"a login with an empty token", "POST /api/session", "", `{"token": ""}`, 0, problem.Unauthorized, "", "run/admin.token"},
	{"a login with no token", "POST /api/session", "", `{}`, 0, problem.InvalidRequest, "body", "token"},
	{"a login with a number", "POST /api/session", "", `{"token": 5}`, 0, problem.InvalidRequest, "body.token", "string"},
	{"a login with something more", "POST /api/session", "", `{"token": "x", "user": "y"}`, 0, problem.InvalidRequest, "body.user", ""},
	{"a login in broken JSON", "POST /api/session", "", `{"token": `, 0, problem.InvalidRequest, "body", ""},
	{"a login without a body", "POST /api/session", "", "", 0, problem.InvalidRequest, "", ""},
	{"a login without end", "POST /api/session", "", `{"token": "` + strings.Repeat("x", 2<<20) + `"}`, 0, problem.BodyTooLarge, "", ""},
	{"tools to connect", "GET /api/connect", "?model=mine", "", 200, "", "", `"model":"mine"`},
	{"tools to connect, of something unknown", "GET /api/connect", "?tool=x", "", 0, problem.InvalidRequest, "query.tool", ""},
	{"a check", "POST /api/connect/check", "", `{"tool": "codex", "model": "mine"}`, 200, "", "", `"summary":"codex asked mine"`},
	{"a check of no tool", "POST /api/connect/check", "", `{"tool": "emacs", "model": "mine"}`, 0, problem.InvalidRequest, "body.tool", "claude-code"},
	{"a check of no model", "POST /api/connect/check", "", `{"tool": "codex", "model": ""}`, 0, problem.InvalidRequest, "body.model", ""},
	{"a check that fails inside", "POST /api/connect/check", "", `{"tool": "codex", "model": "inside"}`, 0, problem.Internal, "", ""},
	{"downloads", "GET /api/downloads", "", "", 200, "", "", `"downloads":[]`},
	{"a download of no repository", "POST /api/downloads", "", `{"repo": "../evil"}`, 0, problem.InvalidRequest, "body.repo", "must be a repository"},
	{"a download of no revision", "POST /api/downloads", "", `{"repo": "maker/Small-GGUF", "revision": "a..b"}`, 0, problem.InvalidRequest, "body.revision", "a branch"},
	{"a download of no such quantisation", "POST /api/downloads", "", `{"repo": "maker/Small-GGUF", "file": "Q9"}`, 0, problem.InvalidRequest, "body.file", "Q4_K_M"},
	{"a download of an unknown repository", "POST /api/downloads", "", `{"repo": "maker/nothing"}`, 0, problem.HubRefused, "", "HF_TOKEN"},
	{"a download of a gated repository", "POST /api/downloads", "", `{"repo": "maker/Gated-GGUF"}`, 0, problem.HubRefused, "", "accepted their terms"},
	{"a download of an unknown revision", "POST /api/downloads", "", `{"repo": "maker/Small-GGUF", "revision": "v9"}`, 0, problem.HubNotFound, "", "no such"},
	{"a download with something more", "POST /api/downloads", "", `{"repo": "a/b", "path": "/etc"}`, 0, problem.InvalidRequest, "body.path", ""},
	{"pausing nothing", "POST /api/downloads/{id}/pause", "x", "", 0, problem.NotFound, "", "no download"},
	{"resuming nothing", "POST /api/downloads/{id}/resume", "x", "", 0, problem.NotFound, "", "no download"},
	{"cancelling nothing", "DELETE /api/downloads/{id}", "x", "", 0, problem.NotFound, "", "no download"},
	{"a search of the Hub", "GET /api/hub/search", "?q=small", "", 200, "", "", `"repo":"maker/Small-GGUF"`},
	{"a search of the Hub for another format", "GET /api/hub/search", "?q=small&format=onnx", "", 0, problem.InvalidRequest, "query.format", "gguf"},
	{"files at the Hub", "GET /api/hub/files", "?repo=maker/Small-GGUF", "", 200, "", "", `"quantisation":"Q4_K_M","parts":1,"size_bytes":5000`},
	{"files of no repository", "GET /api/hub/files", "?repo=a/b/c", "", 0, problem.InvalidRequest, "query.repo", "must be a repository"},
	{"files of nothing", "GET /api/hub/files", "", "", 0, problem.InvalidRequest, "query.repo", ""},
	{"a login link", "POST /api/session/link", "", "", 201, "", "", "/login?code="},
	{"a logout", "DELETE /api/session", "", "", 204, "", "", ""},
}

func TestEveryRoute(t *testing.T) {
	h := newHouse(t)
	for _, c := range routes {
		t.Run(c.name, func(t *testing.T) {
			outer := h.t
			h.t = t
			defer func() { h.t = outer }()
			method, path, _ := strings.Cut(c.operation, " ")
			if at := strings.IndexByte(path, '{'); at > 0 {
				path = path[:at] + c.query + path[strings.IndexByte(path, '}')+1:]
			} else {
				path += c.query
			}
			resp := h.request(method, path, c.body)
			if c.kind == "" {
				if got := h.text(resp, c.status); !strings.Contains(got, c.says) {
					t.Errorf("the answer %q does not hold %q", got, c.says)
				}
				if resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("headers %v", resp.Header)
				}
				return
			}
			d := h.problem(resp, c.kind)
			if !strings.Contains(d.Detail, c.says) {
				t.Errorf("the detail %q does not say %q", d.Detail, c.says)
			}
			location := ""
			if len(d.Errors) > 0 {
				location = d.Errors[0].Location
			}
			if location != c.location {
				t.Errorf("the first fault is at %q, want %q: %+v", location, c.location, d.Errors)
			}
			raw, _ := json.Marshal(d)
			if strings.Contains(string(raw), errInside.Error()) || strings.Contains(string(raw), "guess") {
				t.Errorf("the answer tells too much: %s", raw)
			}
			if logged := strings.Contains(h.log.String(), d.RequestID); logged != (d.Status >= 500) {
				t.Errorf("status %d, and the log says %q", d.Status, h.log.String())
			}
		})
	}
}

func TestEveryRouteIsInTheTable(t *testing.T) {
	listed := map[string]bool{"GET /api/live": true, "DELETE /api/providers/{name}/key": true,
		"GET /api/hub/token": true, "PUT /api/hub/token": true, "DELETE /api/hub/token": true, "POST /api/hub/token/test": true} // have tests of their own
	for _, c := range routes {
		listed[c.operation] = true
	}
	for path, operations := range openAPI(t).Paths {
		for method := range operations {
			if name := strings.ToUpper(method) + " " + path; !listed[name] {
				t.Errorf("no test asks %s", name)
			}
		}
	}
}

func TestAShutdownIsPassedOn(t *testing.T) {
	h := newHouse(t)
	h.text(h.request("POST", "/api/shutdown", ""), http.StatusAccepted)
	if n := h.shutdowns.Load(); n != 1 {
		t.Errorf("the server was told %d times", n)
	}
}

func TestAFolderThatCannotBeReadIsAProblem(t *testing.T) {
	h := newHouse(t, func(c *admin.Config) { c.Library = library{errInside} })
	if d := h.problem(h.request("GET", "/api/models", ""), problem.Internal); strings.Contains(d.Detail, errInside.Error()) {
		t.Errorf("the detail %q tells of the inside", d.Detail)
	}
	if !strings.Contains(h.log.String(), errInside.Error()) {
		t.Errorf("the log does not tell the cause: %s", h.log)
	}
}

func TestProvidersAreShownWithoutTheirKeys(t *testing.T) {
	t.Setenv("FAR_KEY", "sk-secret-of-far")
	h := newHouse(t)
	h.text(h.request("PATCH", "/api/settings", `{"providers": [{"name": "far", "kind": "openai", "base_url": "https://far.example/v1", "api_key_env": "FAR_KEY"}]}`), 200)
	got := h.text(h.request("GET", "/api/providers", ""), 200)
	want := `{"providers":[{"name":"far","kind":"openai","base_url":"https://far.example/v1","api_key_env":"FAR_KEY","api_key_keychain":"",` +
		`"key":{"source":"variable","state":"variable-set","detail":""},"leaves":true,"open":[]}]}`
	if strings.TrimSpace(got) != want {
		t.Errorf("the providers are %s, want %s", got, want)
	}
}
