package e2e

import (
	"syscall"
	"testing"

	"mlxbar/backend/audit"
)

func TestAServerThatIsToldToEndFinishesItsStreams(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	c.begin(call{Do: "chat.completions.create", With: h.says(20, with{"stream": true})})
	c.first()
	h.stop()
	o := c.end()[0]
	if o.Error != nil || o.FinishReason != "length" {
		t.Errorf("the stream ended with %+v", o)
	}
	h.start()
	r := h.record(o.RequestID)
	checkLocal(t, r)
	checkSuccess(t, r, o, "/v1/chat/completions", true)
}

func TestAServerThatIsKilledLeavesNoEngineAndFindsTheRequestInterrupted(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	c.begin(call{Do: "chat.completions.create", With: h.says(endless, with{"stream": true})})
	c.first()
	h.eventually("the request is on disk", func() bool { return len(h.records()) == 1 })
	if err := h.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.wait(-1)
	o := c.end()[0]
	if o.Error == nil || o.FinishReason != "" {
		t.Errorf("the client took a broken stream for whole: %+v", o)
	}
	h.start()
	r := h.record(o.RequestID)
	if r.Status != audit.Interrupted || r.Backend != audit.Local || r.Model != local || !r.Stream || r.HTTPStatus != nil || r.TotalTokens != nil {
		t.Errorf("record %+v", r)
	}
}
