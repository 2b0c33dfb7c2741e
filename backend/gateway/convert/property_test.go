package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/openai/chat"
	"mlxbar/backend/gateway/openai/responses"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/sse"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// sameMeaning compares two requests apart from where things stood, how messages in
// a row are cut, and what was noted.
func sameMeaning(a, b *turn.Request) string {
	return cmp.Diff(plainly(a), plainly(b))
}

func plainly(r *turn.Request) turn.Request {
	c := *r
	c.Notes, c.Usage, c.Choice.At, c.Format.At, c.Reasoning.At = nil, false, "", "", ""
	c.System = unplaced(r.System)
	c.Tools = nil
	for _, t := range r.Tools {
		t.At, t.Schema = "", wire.Compact(t.Schema)
		c.Tools = append(c.Tools, t)
	}
	c.Messages = nil
	for _, m := range turn.Merge(r.Messages, turn.SameSpeaker) {
		c.Messages = append(c.Messages, turn.Message{Role: m.Role, Blocks: unplaced(m.Blocks)})
	}
	return c
}

func unplaced(blocks []turn.Block) (plain []turn.Block) {
	for _, b := range blocks {
		b.At, b.Content = "", unplaced(b.Content)
		plain = append(plain, b)
	}
	return plain
}

func TestARequestKeepsItsMeaningThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRequest(t)
		asChat, notes, fault := chat.EncodeRequest(want, turn.NewNames(want), chat.Options{})
		if fault != nil || len(notes) > 0 {
			t.Fatalf("%v, notes %v", fault, notes)
		}
		fromChat, fault := chat.DecodeRequest(asChat)
		if fault != nil {
			t.Fatalf("%v in %s", fault, asChat)
		}
		if diff := sameMeaning(want, fromChat); diff != "" {
			t.Fatalf("chat lost something:\n%s", diff)
		}
		asMessages, notes, fault := anthropic.EncodeRequest(fromChat, turn.NewNames(fromChat), anthropic.Options{})
		if fault != nil || len(notes) > 0 {
			t.Fatalf("%v, notes %v", fault, notes)
		}
		fromMessages, fault := anthropic.DecodeRequest(asMessages)
		if fault != nil {
			t.Fatalf("%v in %s", fault, asMessages)
		}
		fromMessages.Format.Name = want.Format.Name // Messages has none
		if diff := sameMeaning(want, fromMessages); diff != "" {
			t.Fatalf("Messages lost something:\n%s\n%s", diff, asMessages)
		}
	})
}

func TestAnAnswerKeepsItsMeaningThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawAnswer(t)
		fromChat, fault := chat.DecodeAnswer("it", chat.EncodeAnswer(want, turn.Reply{ID: "x"}))
		if fault != nil {
			t.Fatal(fault)
		}
		messagesSay(t, want, fromChat)
	})
}

// messagesSay holds that a, written as Messages and read again, is what is wanted.
func messagesSay(t *rapid.T, want, a *turn.Answer) {
	raw, fault := anthropic.EncodeAnswer(a, turn.Reply{ID: "x"})
	if fault != nil {
		t.Fatal(fault)
	}
	got, fault := anthropic.DecodeAnswer("it", raw)
	if fault != nil {
		t.Fatal(fault)
	}
	got.ID = want.ID
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// A stream in any pieces, whatever it interleaves, says the same in every protocol
// as the answer that is not streamed.
func TestAStreamSaysWhatTheAnswerSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAnswer(t)
		events := chatStream(t, a)
		reply := turn.Reply{ID: "x"}
		streamed := feed(t, turn.NewConverter(chat.NewDecoder("it"), anthropic.NewEncoder(reply)), events)

		decoder := turn.NewConverter(anthropic.NewDecoder("it"), chat.NewEncoder(turn.Reply{ID: "x", Usage: true}))
		again := feed(t, decoder, dataOf(streamed))
		got := collect(t, chat.NewDecoder("it"), dataOf(again))
		got.ID = a.ID
		if diff := cmp.Diff(a, got); diff != "" {
			t.Fatalf("chat, Messages and back: %s\n%s", diff, streamed)
		}

		_, asked, fault := responses.DecodeRequest([]byte(`{"model":"m","input":"x"}`))
		if fault != nil {
			t.Fatal(fault)
		}
		out := dataOf(feed(t, turn.NewConverter(chat.NewDecoder("it"), responses.NewEncoder(reply, asked)), events))
		var last struct{ Response json.RawMessage }
		if err := json.Unmarshal([]byte(out[len(out)-1]), &last); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(responses.EncodeAnswer(a, reply, asked)), string(last.Response)); diff != "" {
			t.Fatalf("Responses: %s", diff)
		}
	})
}

func feed(t *rapid.T, c *turn.Converter, events []string) (out []byte) {
	var fault *problem.Error
	for _, e := range events {
		if out, fault = feedOnce(c, out, []byte(e)); fault != nil {
			t.Fatalf("%v at %s", fault, e)
		}
	}
	if !c.Done() {
		t.Fatal("the stream has no end")
	}
	return out
}

// feedOnce lets nothing stand of the data, as a reader of a stream that reads on.
func feedOnce(c *turn.Converter, dst, data []byte) ([]byte, *problem.Error) {
	data = bytes.Clone(data)
	dst, fault := c.Feed(dst, data)
	for i := range data {
		data[i] = '#'
	}
	return dst, fault
}

func dataOf(stream []byte) (events []string) {
	reader := sse.NewReader(bytes.NewReader(stream), 1<<20)
	for {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			panic(err)
		}
		events = append(events, string(sse.Data(event)))
	}
}

// collect joins what a stream says.
func collect(t *rapid.T, d turn.Decoder, events []string) *turn.Answer {
	a := &turn.Answer{}
	var bodies []string
	for _, data := range events {
		steps, fault := d.Decode(nil, []byte(data))
		if fault != nil {
			t.Fatalf("%v at %s", fault, data)
		}
		for _, e := range steps {
			switch e.Kind {
			case turn.Began:
				a.ID, a.Model = e.ID, e.Model
			case turn.BlockBegan:
				a.Blocks = append(a.Blocks, turn.Block{Kind: e.Block, ID: e.ID, Name: e.Name})
				bodies = nil
			case turn.Delta:
				bodies = append(bodies, e.Body)
			case turn.BlockEnded:
				b, text := &a.Blocks[len(a.Blocks)-1], wire.Unescape([]byte(strings.Join(bodies, "")))
				if b.Kind == turn.ToolCall {
					b.Arguments = text
				} else {
					b.Text = text
				}
			case turn.Ended:
				a.Stop = e.Stop
			case turn.Done:
				a.Usage = e.Usage
			}
		}
	}
	return a
}

// A stream that breaks off anywhere before its end never ends as if it were whole.
func TestACutStreamHasNoEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := chatStream(t, drawAnswer(t))
		cut := events[:rapid.IntRange(0, len(events)-3).Draw(t, "events")] // the finish, usage and [DONE] are missing
		for _, encoder := range []turn.Encoder{anthropic.NewEncoder(turn.Reply{ID: "x"}), chat.NewEncoder(turn.Reply{ID: "x"})} {
			c := turn.NewConverter(chat.NewDecoder("it"), encoder)
			var out []byte
			for _, e := range cut {
				var fault *problem.Error
				if out, fault = c.Feed(out, []byte(e)); fault != nil {
					t.Fatal(fault)
				}
			}
			out, fault := c.Close(out)
			if fault == nil || fault.Kind != problem.UpstreamCut || c.Done() {
				t.Fatalf("%v, done %v", fault, c.Done())
			}
			if s := string(c.Fail(out, fault, "r")); strings.Contains(s, "message_stop") || strings.Contains(s, "[DONE]") || !strings.Contains(s, `"error"`) {
				t.Fatalf("got %s", s)
			}
		}
	})
}
