package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
	"time"

	"mlxbar/backend/testkit"
)

// pythonSDKs is one Python process with the official clients, which asks many questions at a time; testdata/sdks.py is the other
// end.
type pythonSDKs struct {
	said *testkit.Output

	mu      sync.Mutex
	in      io.Writer
	number  int
	waiting map[int]chan answer
}

// numbered is how an answer is found among others.
type numbered struct {
	Number int `json:"number"`
	answer
}

func (h *house) pythonSDKs() *pythonSDKs {
	h.t.Helper()
	p := &pythonSDKs{said: &testkit.Output{}, waiting: map[int]chan answer{}}
	in, out := h.python("sdks.py", p.said)
	p.in = in
	go func() {
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() {
			var n numbered
			if err := json.Unmarshal(scanner.Bytes(), &n); err != nil {
				continue // who waits for it hears nothing, and what the process said is shown
			}
			p.mu.Lock()
			to := p.waiting[n.Number]
			delete(p.waiting, n.Number)
			p.mu.Unlock()
			if to != nil {
				to <- n.answer
			}
		}
	}()
	return p
}

// by asks through one of the clients.
func (p *pythonSDKs) by(name string) func(*house, question) answer {
	return func(_ *house, q question) answer {
		came := make(chan answer, 1)
		p.mu.Lock()
		p.number++
		p.waiting[p.number] = came
		raw, err := json.Marshal(struct {
			SDK    string `json:"sdk"`
			Number int    `json:"number"`
			question
		}{name, p.number, q})
		if err == nil {
			_, err = p.in.Write(append(raw, '\n'))
		}
		p.mu.Unlock()
		if err != nil {
			return answer{Error: &raised{Class: "no client", Message: err.Error() + "\n" + p.said.String()}}
		}
		select {
		case a := <-came:
			return a
		case <-time.After(patience):
			return answer{Error: &raised{Class: "no client", Message: "it says nothing\n" + p.said.String()}}
		}
	}
}
