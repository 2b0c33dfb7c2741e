// Command fakeupstream serves scripted answers in OpenAI's protocol, for trying
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
	untilStdin := flag.Bool("until-stdin", false, "end when stdin closes")
	flag.Usage = usage
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *untilStdin {
		go func() { io.Copy(io.Discard, os.Stdin); stop() }()
	}
	s, err := upstream.Start(upstream.Addr(*addr), upstream.Key(*key), upstream.Chunks(*chunks), upstream.Delay(*delay), upstream.Forgetful())
	if err != nil {
		return err
	}
	fmt.Println("ready on", s.URL)
	<-ctx.Done()
	return s.Close()
}

func usage() {
	fmt.Fprintln(flag.CommandLine.Output(), "fakeupstream serves scripted answers; the model of a request is name[-n][=delay] out of:")
	for _, d := range upstream.Scripts() {
		fmt.Fprintf(flag.CommandLine.Output(), "  %-15s %s\n", d.Model, d.About)
	}
	flag.PrintDefaults()
}
