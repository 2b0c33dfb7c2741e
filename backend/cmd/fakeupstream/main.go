// Command fakeupstream serves scripted answers in OpenAI's and Anthropic's protocols, for trying
// the gateway by hand and for its benchmark. The model that a request names
// chooses the script; --help lists them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mlxbar/backend/testkit/upstream"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "fakeupstream:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:0", "`address` to listen on")
	key := flag.String("key", "", "bearer key that requests must carry")
	chunks := flag.Int("chunks", 8, "tokens of an answer that is given no number")
	delay := flag.Duration("delay", 300*time.Millisecond, "wait of slow scripts that are given none")
	withoutResponses := flag.Bool("without-responses", false, "have no /v1/responses, as many servers of OpenAI's protocol")
	untilStdin := flag.Bool("until-stdin", false, "end when stdin closes")
	flag.Usage = usage
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *untilStdin {
		go func() { io.Copy(io.Discard, os.Stdin); stop() }()
	}
	options := []upstream.Option{upstream.Addr(*addr), upstream.Key(*key), upstream.Chunks(*chunks), upstream.Delay(*delay), upstream.Forgetful()}
	if *withoutResponses {
		options = append(options, upstream.WithoutResponses())
	}
	s, err := upstream.Start(options...)
	if err != nil {
		return err
	}
	fmt.Println("ready on", s.URL)
	<-ctx.Done()
	return s.Close()
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprint(out, `fakeupstream serves scripted answers, streamed where a request asks for it:
  OpenAI     /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses, /v1/models
  Anthropic  /v1/messages, /v1/messages/count_tokens
  and        /counts, how many requests came, were answered and lost their client

The model of a request is [anything/]name[-n][=delay] out of:
`)
	for _, d := range upstream.Scripts() {
		fmt.Fprintf(out, "  %-15s %s\n", d.Model, d.About)
	}
	fmt.Fprintln(out, "\nFlags:")
	flag.PrintDefaults()
}
