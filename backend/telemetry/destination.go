package telemetry

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A refusal for the moment is tried again after retryFirst, then after more, and given up
// after retryLast; meanwhile the queue takes what comes.
const (
	retryFirst = time.Second
	retryMost  = 5 * time.Second
	retryLast  = 20 * time.Second
)

// destination is where one signal goes.
type destination struct {
	url     string
	headers map[string]string
	timeout time.Duration
	gzip    bool
	delta   bool // it wants to hear of changes, not of sums
	// client is the destination's own: what the environment says of one must not reach another.
	client *http.Client
}

func newDestination(to string, timeout time.Duration, security *tls.Config) destination {
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// Telemetry comes every few seconds at most; a connection or two carry it.
		MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 5 * time.Second,
		TLSClientConfig: security, ForceAttemptHTTP2: true,
	}
	return destination{url: to, timeout: timeout, client: &http.Client{
		Transport: transport, Timeout: timeout,
		// Where an answer points was named by nobody, and would get the spans and the headers with them.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// under is where a signal goes below a base address.
func under(base, signal string) string { return strings.TrimSuffix(base, "/") + "/v1/" + signal }

func (d destination) spans(ctx context.Context) (sdktrace.SpanExporter, error) {
	compression := otlptracehttp.NoCompression
	if d.gzip {
		compression = otlptracehttp.GzipCompression
	}
	return otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(d.url), otlptracehttp.WithHeaders(d.headers), otlptracehttp.WithTimeout(d.timeout),
		otlptracehttp.WithCompression(compression), otlptracehttp.WithHTTPClient(d.client),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryLast}))
}

func (d destination) measures(ctx context.Context, p *plan) (sdkmetric.Exporter, error) {
	compression := otlpmetrichttp.NoCompression
	if d.gzip {
		compression = otlpmetrichttp.GzipCompression
	}
	temporality := p.temporality
	if d.delta {
		temporality = "delta"
	}
	return otlpmetrichttp.New(ctx,
		otlpmetrichttp.WithEndpointURL(d.url), otlpmetrichttp.WithHeaders(d.headers), otlpmetrichttp.WithTimeout(d.timeout),
		otlpmetrichttp.WithCompression(compression), otlpmetrichttp.WithHTTPClient(d.client),
		otlpmetrichttp.WithTemporalitySelector(temporalityOf(temporality)),
		otlpmetrichttp.WithAggregationSelector(aggregationOf(p.histogram)),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryLast}))
}

func (d destination) lines(ctx context.Context) (sdklog.Exporter, error) {
	compression := otlploghttp.NoCompression
	if d.gzip {
		compression = otlploghttp.GzipCompression
	}
	return otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(d.url), otlploghttp.WithHeaders(d.headers), otlploghttp.WithTimeout(d.timeout),
		otlploghttp.WithCompression(compression), otlploghttp.WithHTTPClient(d.client),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: retryLast}))
}

// temporalityOf is what OpenTelemetry's exporter specification says of the three preferences.
func temporalityOf(preference string) sdkmetric.TemporalitySelector {
	return func(kind sdkmetric.InstrumentKind) metricdata.Temporality {
		switch kind {
		case sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindHistogram:
			if preference != "cumulative" {
				return metricdata.DeltaTemporality
			}
		case sdkmetric.InstrumentKindObservableCounter:
			if preference == "delta" {
				return metricdata.DeltaTemporality
			}
		}
		return metricdata.CumulativeTemporality
	}
}

func aggregationOf(histogram string) sdkmetric.AggregationSelector {
	return func(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
		if kind == sdkmetric.InstrumentKindHistogram && histogram == "base2_exponential_bucket_histogram" {
			return sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}
		}
		return sdkmetric.DefaultAggregationSelector(kind)
	}
}
