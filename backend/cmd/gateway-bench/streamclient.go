package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mlxbar/backend/bench"
)

// streamsCommand holds many streams open, in a process of its own, and tells how long each event
// was on its way: the upstream writes into it when it was sent, by the clock that is read here too.
const streamsCommand = "hold-streams"

// clockMark is what the upstream's script "clock" begins its tokens with.
const clockMark = "at="

// delays are how long a number of things took.
type delays struct {
	Count  int64   `json:"count"`
	P50MS  float64 `json:"p50_ms"`
	P99MS  float64 `json:"p99_ms"`
	P999MS float64 `json:"p99_9_ms"`
	MaxMS  float64 `json:"max_ms"`
}

// startingFor is how many pauses pass until the last stream is asked for.
const startingFor = 10

func runStreams(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c streamClient
	f := flag.NewFlagSet("gateway-bench "+streamsCommand, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.url, "url", "", "the `address` to ask")
	f.StringVar(&c.path, "path", chatPath, "the path to ask there")
	f.IntVar(&c.streams, "streams", 1000, "streams at once")
	f.IntVar(&c.events, "events", 40, "events of each")
	f.DurationVar(&c.pause, "pause", 500*time.Millisecond, "between two of them")
	if err := f.Parse(args); err != nil {
		return err
	}
	took, err := c.hold(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(summarize(took))
}

func summarize(took []float64) delays {
	return delays{Count: int64(len(took)), P50MS: bench.Median(took), P99MS: bench.Percentile(took, 99), P999MS: bench.Percentile(took, 99.9), MaxMS: slices.Max(took)}
}

type streamClient struct {
	url, path       string
	streams, events int
	pause           time.Duration
}

// hold asks for every stream, at times that spread their events evenly, and reads all to their ends. It gives
// the milliseconds of every event.
func (c *streamClient) hold(ctx context.Context) ([]float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([][]float64, c.streams)
	var all sync.WaitGroup
	for i := range c.streams {
		begin := startingFor * c.pause * time.Duration(i) / time.Duration(c.streams)
		took[i] = make([]float64, 0, c.events)
		all.Go(func() {
			select {
			case <-time.After(begin):
			case <-ctx.Done():
				return
			}
			if err := c.read(ctx, &took[i]); err != nil {
				cancel(fmt.Errorf("stream %d: %w", i, err))
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	joined := slices.Concat(took...)
	if len(joined) == 0 {
		return nil, fmt.Errorf("%s: no event has come", c.url)
	}
	return joined, nil
}

// read reads one stream on a connection of its own. It needs one goroutine, so that what is
// measured is not the client.
func (c *streamClient) read(ctx context.Context, took *[]float64) error {
	body := messagesBody(fmt.Sprintf("clock-%d=%s", c.events, c.pause), true) // which serves Chat Completions as well
	conn, err := dialPost(ctx, c.url, c.path, body)
	if err != nil {
		return err
	}
	defer conn.close()
	res, err := conn.post()
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		return fmt.Errorf("status %d, %s", res.StatusCode, kind)
	}
	lines := bufio.NewReaderSize(res.Body, 2<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if sent, ok := sentAt(line); ok {
			*took = append(*took, float64(time.Since(sent))/float64(time.Millisecond))
		}
	}
}

// sentAt is the time that an event's line holds, if it does.
func sentAt(line []byte) (time.Time, bool) {
	_, rest, found := bytes.Cut(line, []byte(`"`+clockMark))
	if !found {
		return time.Time{}, false
	}
	var ns int64
	for i, d := range rest {
		if d < '0' || d > '9' {
			return time.Unix(0, ns), i > 0
		}
		ns = ns*10 + int64(d-'0')
	}
	return time.Time{}, false
}
