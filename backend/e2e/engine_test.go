package e2e

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
)

const endless = 6000 // tokens: far more than any test waits for

func (h *house) engineLog() string {
	h.t.Helper()
	raw, err := os.ReadFile(filepath.Join(h.paths.Logs, "engine-"+local+".log"))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(raw)
}

func TestAnEngineThatIsKilledInMidStreamIsAnErrorAndTheNextRequestWorks(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	c.begin(call{Do: "chat.completions.create", With: h.says(endless, with{"stream": true})})
	c.first()
	running := h.engineOf(local)
	if running.State != engine.Ready || running.PID == 0 || running.InFlight != 1 {
		t.Fatalf("engine %+v", running)
	}
	if err := syscall.Kill(running.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o := c.end()[0]
	if o.class() != "APIError" || o.Error.Code != "engine_stopped" || o.Tokens == 0 || o.FinishReason != "" {
		t.Fatalf("%+v", o)
	}
	r := h.record(o.RequestID)
	checkLocal(t, r)
	if r.Status != audit.Failed || r.ErrorType != string(problem.EngineStopped) || figure(r.HTTPStatus) != any(int64(502)) || r.TTFTMS == nil || r.TotalTokens != nil {
		t.Errorf("record %+v", r)
	}

	o = c.do(call{Do: "chat.completions.create", With: h.says(3, nil)})
	if o.Error != nil || o.Text == "" {
		t.Fatalf("the next request: %+v", o)
	}
	checkSuccess(t, h.record(o.RequestID), o, "/v1/chat/completions", false)
	if now := h.engineOf(local); now.PID == running.PID {
		t.Errorf("the engine still is %d", now.PID)
	}
}

// tokensAtEnd is what llama.cpp logs when a slot has done its work or has been told to stop.
var tokensAtEnd = regexp.MustCompile(`stop processing: n_tokens = (\d+)`)

func TestAClientThatClosesItsStreamStopsTheEngine(t *testing.T) {
	h := newHouse(t)
	o := h.client().do(call{Do: "chat.completions.create", With: h.says(endless, with{"stream": true}), CloseAfter: 2})
	if o.Error != nil || o.FinishReason != "" {
		t.Fatalf("%+v", o)
	}
	r := h.only()
	checkLocal(t, r)
	if r.Status != audit.Cancelled || r.RequestID != o.RequestID || figure(r.HTTPStatus) != any(int64(499)) || r.TotalTokens != nil {
		t.Errorf("record %+v", r)
	}
	h.eventually("the engine has stopped", func() bool { return tokensAtEnd.MatchString(h.engineLog()) })
	n, err := strconv.Atoi(tokensAtEnd.FindStringSubmatch(h.engineLog())[1])
	if err != nil || n >= endless {
		t.Errorf("the engine went on to %d tokens", n)
	}
	h.eventually("nothing is in flight", func() bool { return h.engineOf(local).InFlight == 0 })
}

func TestRequestsThatComeWhileTheModelLoadsAreAllAnsweredByOneEngine(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	if before := h.engineOf(local); before.PID != 0 {
		t.Fatalf("the engine runs already: %+v", before)
	}
	c.begin(call{Do: "chat.completions.create", With: h.says(4, nil), Parallel: 8})
	outcomes, ids := c.end(), map[string]bool{}
	for i, o := range outcomes {
		if o.Error != nil || o.Text == "" || o.Usage == nil {
			t.Errorf("request %d: %+v", i, o)
			continue
		}
		ids[o.RequestID] = true
		r := h.record(o.RequestID)
		checkLocal(t, r)
		checkSuccess(t, r, o, "/v1/chat/completions", false)
	}
	if len(ids) != 8 {
		t.Errorf("%d different request ids", len(ids))
	}
	if n := strings.Count(h.engineLog(), "started, pid"); n != 1 {
		t.Errorf("%d engines were started", n)
	}
}

// unknownArchitecture is a GGUF file without a fault that llama.cpp has no code for.
func unknownArchitecture() []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok {
				binary.Write(&b, binary.LittleEndian, uint64(len(s)))
				b.WriteString(s)
				continue
			}
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	const kindString, kindF32 = uint32(8), uint32(0)
	b.WriteString("GGUF")
	put(uint32(3), uint64(1), uint64(1)) // version, tensors, metadata
	put("general.architecture", kindString, "nothingknown")
	put("x.weight", uint32(1), uint64(4), kindF32, uint64(0))
	for b.Len()%32 != 0 {
		b.WriteByte(0)
	}
	b.Write(make([]byte, 64))
	return b.Bytes()
}

func TestAModelThatCannotBeLoadedIsSaidToEverybodyWhoWaitsForIt(t *testing.T) {
	h := newHouse(t)
	if err := os.WriteFile(filepath.Join(h.paths.Models, "strange.gguf"), unknownArchitecture(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := h.client()
	parameters := h.says(4, with{"model": "strange"})
	c.begin(call{Do: "chat.completions.create", With: parameters, Parallel: 8})
	for i, o := range c.end() {
		if o.class() != "InternalServerError" || o.Error.Status != 503 || o.Error.Code != "engine_unavailable" || !strings.Contains(o.Error.Message, "does not know the model's architecture") {
			t.Fatalf("request %d: %+v", i, o)
		}
		r := h.record(o.Error.RequestID)
		if r.Status != audit.Failed || r.ErrorType != string(problem.EngineUnavailable) || r.Model != "strange" || figure(r.HTTPStatus) != any(int64(503)) {
			t.Errorf("record %+v", r)
		}
	}
	if o := c.do(call{Do: "chat.completions.create", With: h.says(3, nil)}); o.Error != nil {
		t.Errorf("another model: %+v", o.Error)
	}
}
