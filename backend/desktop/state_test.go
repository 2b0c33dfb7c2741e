package desktop

import "testing"

func TestAStatusIsReadAsFarAsItMattersHere(t *testing.T) {
	at := Server{PID: 5, Addr: "127.0.0.1:10242"}
	for name, c := range map[string]struct {
		body string
		want State
	}{
		"nothing loaded": {`{"state":"running","engines":[]}`, State{Phase: Running, Server: at}},
		"a download":     {`{"state":"running","downloading":1}`, State{Phase: Running, Server: at, Downloading: 1}},
		"models that have failed": {`{"state":"running","engines":[{"model":"a","state":"failed"},{"model":"b","state":"ready"},{"model":"c","state":"failed"}]}`,
			State{Phase: Running, Server: at, Failing: 2}},
		"one that drains": {`{"state":"draining"}`, State{Phase: Stopping, Server: at}},
		"another program": {`<html>`, State{Phase: Failed, Detail: "The server at 127.0.0.1:10242 gave an answer that is not mlxbar's."}},
	} {
		if got := fromStatus(at, []byte(c.body)); got.State != c.want {
			t.Errorf("%s: %+v, want %+v", name, got.State, c.want)
		}
		if got := fromStatus(at, []byte(c.body)).State; got.same(State{}) {
			t.Errorf("%s: it is as one that is stopped", name)
		}
	}
	if (State{Phase: Running}).same(State{Phase: Running, Failing: 1}) {
		t.Error("a model that fails is no news")
	}
}
