// Package telemetry is what each of mlxbar's programs tells of itself in OpenTelemetry's terms:
// spans, metrics and log lines, sent to where the environment says, and to nobody when it says
// nothing. What a prompt, an answer or a key holds is never among it: see docs/OBSERVABILITY.md.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Scope is what mlxbar's own instruments and spans are named under.
const Scope = "mlxbar"

// maxSeries bounds the series of one instrument, whoever invents values for its attributes.
const maxSeries = 1000

// Config says who tells.
type Config struct {
	Service, Version string
	// Getenv is where the destination comes from; nil is Environment.
	Getenv func(string) string
	// Log hears, once a minute at most, that nothing can be delivered. Without one Shutdown and
	// Close tell it. It must not be one of the Handler that comes of this.
	Log *slog.Logger
	// Pull keeps metrics for Metrics to serve, whether or not they are sent as well.
	Pull bool
}

// Telemetry is one program's. The zero value tells nobody anything.
type Telemetry struct {
	tracer trace.Tracer
	meter  metric.Meter
	logs   log.LoggerProvider
	pull   http.Handler
	hosts  []string
	halt   halt
	words  words
	ends   []func(context.Context) error
	report *reporter // nil where nothing is sent
}

// Start is the one set-up that all programs call. It reads the environment, and the keychain for
// LOGFIRE_TOKEN, and sets up what they ask for. A variable that is wrong is an error which names
// it. Where nothing is to be sent nothing runs. Close or Shutdown ends it.
func Start(ctx context.Context, c Config) (*Telemetry, error) {
	if c.Getenv == nil {
		c.Getenv = Environment(ctx, c.Log)
	}
	p, err := readPlan(c.Getenv)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{halt: newHalt(), words: newWords(p.secrets())}
	t.hosts = p.hosts()
	res := p.resource(c)
	if p.sends() {
		t.listen(c.Log)
	}
	err = errors.Join(t.startTraces(ctx, p, res), t.startMetrics(ctx, p, res, c.Pull), t.startLogs(ctx, p, res))
	if err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

// Tracer makes spans; nil when none are sent, so that who asks can leave out all that leads to one.
func (t *Telemetry) Tracer() trace.Tracer { return t.tracer }

// Meter makes instruments; those of one that nobody reads cost next to nothing.
func (t *Telemetry) Meter() metric.Meter {
	if t.meter == nil {
		return metricnoop.Meter{}
	}
	return t.meter
}

// Metrics serves the metrics in Prometheus' format; nil without Config.Pull.
func (t *Telemetry) Metrics() http.Handler { return t.pull }

// Destinations are the hosts that something is sent to; none when nothing is.
func (t *Telemetry) Destinations() []string { return t.hosts }

// Shutdown sends what is left, for as long as ctx lets it, and ends what runs.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.halt.now == nil { // the zero value
		return nil
	}
	defer t.halt.now()
	defer context.AfterFunc(ctx, t.halt.now)()
	var work sync.WaitGroup
	errs := make([]error, len(t.ends))
	for i, end := range t.ends { // one that is slow leaves the others their time
		work.Go(func() { errs[i] = end(ctx) })
	}
	work.Wait()
	t.ends = nil
	if t.report != nil { // now, for spans and lines are complained of there and nowhere else, the last ones too
		errs = append(errs, t.report.close())
	}
	if err := errors.Join(errs...); err != nil {
		return errors.New(t.words.of(err)) // it may quote what is secret
	}
	return nil
}

// closePatience is how much longer a program may take to end because of what it has to tell.
const closePatience = 2 * time.Second

// Close is Shutdown for a program that ends: a collector that is away keeps nobody waiting, and
// what it did not take by then is lost.
func (t *Telemetry) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	return t.Shutdown(ctx)
}

func (t *Telemetry) onShutdown(end func(context.Context) error) { t.ends = append(t.ends, end) }

// listen has what OpenTelemetry complains of reach the program's own log. The library has one
// such place for the whole process.
func (t *Telemetry) listen(to *slog.Logger) {
	t.report = newReporter(to, t.words)
	otel.SetErrorHandler(t.report)
	otel.SetLogger(logr.Discard())
}

func (t *Telemetry) startTraces(ctx context.Context, p *plan, res *resource.Resource) error {
	if len(p.traces) == 0 {
		return nil
	}
	opts := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(res), sdktrace.WithSampler(p.sampler), sdktrace.WithRawSpanLimits(spanLimits()),
	}
	for _, d := range p.traces {
		exporter, err := d.spans(ctx)
		if err != nil {
			return err
		}
		opts = append(opts, sdktrace.WithBatcher(haltingSpans{exporter, t.halt},
			sdktrace.WithMaxQueueSize(p.spans.queue), sdktrace.WithMaxExportBatchSize(p.spans.batch),
			sdktrace.WithBatchTimeout(p.spans.delay), sdktrace.WithExportTimeout(p.spans.timeout)))
	}
	provider := sdktrace.NewTracerProvider(opts...)
	t.onShutdown(ending(provider.Shutdown, p.traces))
	t.tracer = provider.Tracer(Scope)
	return nil
}

func (t *Telemetry) startMetrics(ctx context.Context, p *plan, res *resource.Resource, pull bool) error {
	opts := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithCardinalityLimit(maxSeries)}
	if pull {
		reader, handler, err := newPull()
		if err != nil {
			return err
		}
		t.pull = handler
		opts = append(opts, sdkmetric.WithReader(reader))
	}
	for _, d := range p.metrics {
		exporter, err := d.measures(ctx, p)
		if err != nil {
			return err
		}
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(haltingMetrics{exporter, t.halt},
			sdkmetric.WithInterval(p.every), sdkmetric.WithTimeout(p.everyTimeout))))
	}
	if !pull && len(p.metrics) == 0 {
		return nil
	}
	provider := sdkmetric.NewMeterProvider(opts...)
	t.onShutdown(ending(provider.Shutdown, p.metrics))
	t.meter = provider.Meter(Scope)
	return nil
}

func (t *Telemetry) startLogs(ctx context.Context, p *plan, res *resource.Resource) error {
	if len(p.logs) == 0 {
		return nil
	}
	opts := []sdklog.LoggerProviderOption{sdklog.WithResource(res), sdklog.WithProcessor(textOnly{})}
	for _, d := range p.logs {
		exporter, err := d.lines(ctx)
		if err != nil {
			return err
		}
		opts = append(opts, sdklog.WithProcessor(sdklog.NewBatchProcessor(haltingLines{exporter, t.halt},
			sdklog.WithMaxQueueSize(p.lines.queue), sdklog.WithExportMaxBatchSize(p.lines.batch),
			sdklog.WithExportInterval(p.lines.delay), sdklog.WithExportTimeout(p.lines.timeout))))
	}
	provider := sdklog.NewLoggerProvider(opts...)
	t.onShutdown(ending(provider.Shutdown, p.logs))
	t.logs = provider
	return nil
}

// ending shuts a provider down, then closes the connections to its destinations.
func ending(shutdown func(context.Context) error, all []destination) func(context.Context) error {
	return func(ctx context.Context) error {
		err := shutdown(ctx)
		for _, d := range all {
			d.client.CloseIdleConnections()
		}
		return err
	}
}

// spanLimits keep one span small, whatever it is given.
func spanLimits() sdktrace.SpanLimits {
	limits := sdktrace.NewSpanLimits()
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = 1024
	}
	return limits
}
