package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const defaultTimeout = 10 * time.Second

// sending is what OTEL_TRACES_EXPORTER and its like ask for.
type sending int

const (
	sendWhereSaid sending = iota // to the endpoints that are named
	sendOTLP                     // by OTLP, to localhost when no endpoint is named
	sendNothing
)

// vars reads variables and gathers what is wrong with them. An empty one is as good as none.
type vars struct {
	get    func(string) string
	faults []error
}

func (v *vars) err() error {
	if len(v.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", errTelemetry, errors.Join(v.faults...))
}

func (v *vars) text(name string) string { return strings.TrimSpace(v.get(name)) }

// fault notes what is wrong with a variable, and shows its value.
func (v *vars) fault(name, why string) {
	v.note(fmt.Errorf("%s=%s %s", name, v.text(name), why))
}

// secretFault is fault for a value that must not be shown.
func (v *vars) secretFault(name, why string) { v.note(fmt.Errorf("%s %s", name, why)) }

// note keeps one fault once: what all signals share is read for each.
func (v *vars) note(err error) {
	if !slices.ContainsFunc(v.faults, func(e error) bool { return e.Error() == err.Error() }) {
		v.faults = append(v.faults, err)
	}
}

func (v *vars) choice(name, usual string, choices ...string) string {
	value := strings.ToLower(v.text(name))
	switch {
	case value == "":
		return usual
	case !slices.Contains(choices, value):
		v.fault(name, "is none of "+strings.Join(choices, ", "))
		return usual
	}
	return value
}

// among says whether a variable has one of these values.
func (v *vars) among(name string, values ...string) bool {
	return slices.Contains(values, strings.ToLower(v.text(name)))
}

func (v *vars) number(name string, usual int) int {
	text := v.text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<20 {
		v.fault(name, "is no number from 1 to 1048576")
		return usual
	}
	return n
}

func (v *vars) milliseconds(name string, usual time.Duration) time.Duration {
	text := v.text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		v.fault(name, "is no number of milliseconds, such as 10000")
		return usual
	}
	return time.Duration(n) * time.Millisecond
}

func (v *vars) ratio(name string) float64 {
	text := v.text(name)
	if text == "" {
		return 1
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		v.fault(name, "is no share from 0 to 1")
		return 1
	}
	return f
}

// pairs reads key=value,key=value with values as in a URL. Values may be secret and are not shown.
func (v *vars) pairs(name string) map[string]string {
	all := map[string]string{}
	for i, pair := range strings.Split(v.text(name), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || key == "" || strings.ContainsAny(key, " \t:\"") || strings.ContainsAny(decoded, "\r\n\x00") {
			v.secretFault(name, fmt.Sprintf("is not of the form key=value,key=value, values written as in a URL (see its entry %d)", i+1))
			continue
		}
		all[key] = decoded
	}
	return all
}

// propagators holds OTEL_PROPAGATORS to the headers of a trace that are read and passed on; where nothing is sent, to all that there are.
func (v *vars) propagators(sends bool) {
	const name = "OTEL_PROPAGATORS"
	known := []string{"tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace", "none"}
	var asked []string
	for one := range strings.SplitSeq(v.text(name), ",") {
		if one = strings.ToLower(strings.TrimSpace(one)); one != "" {
			asked = append(asked, one)
		}
	}
	slices.Sort(asked)
	if !sends && !slices.ContainsFunc(asked, func(one string) bool { return !slices.Contains(known, one) }) {
		return
	}
	if len(asked) > 0 && !slices.Equal(slices.Compact(asked), []string{"baggage", "tracecontext"}) {
		v.fault(name, "is not tracecontext,baggage, which are all the headers of a trace that are read and passed on")
	}
}

// exporter says what OTEL_<SIGNAL>_EXPORTER asks for.
func (v *vars) exporter(signal string) sending {
	name := "OTEL_" + strings.ToUpper(signal) + "_EXPORTER"
	asked := sendWhereSaid
	for one := range strings.SplitSeq(v.text(name), ",") {
		switch one = strings.ToLower(strings.TrimSpace(one)); {
		case one == "":
		case one == "otlp":
			return sendOTLP
		case one == "none", one == "prometheus" && signal == "metrics": // /metrics is there in any case
			asked = sendNothing
		default:
			v.fault(name, "is neither otlp nor none")
		}
	}
	return asked
}

// otlp is the destination that OTEL_EXPORTER_OTLP_* name for a signal, if they do.
func (v *vars) otlp(signal string, always bool) (destination, bool) {
	own := v.text(otlpName(signal, "ENDPOINT"))
	general := v.text(otlpName("", "ENDPOINT"))
	var to string
	switch {
	case own != "":
		u, ok := v.address(otlpName(signal, "ENDPOINT"), own)
		if !ok {
			return destination{}, false
		}
		to = u.String()
	case general != "":
		u, ok := v.address(otlpName("", "ENDPOINT"), general)
		if !ok {
			return destination{}, false
		}
		to = under(u.String(), signal)
	case always:
		to = under("http://localhost:4318", signal)
	default:
		return destination{}, false
	}
	for _, name := range v.either(signal, "PROTOCOL") {
		v.choice(name, protocol, protocol)
	}
	timeout := defaultTimeout
	for _, name := range v.either(signal, "TIMEOUT") {
		timeout = v.milliseconds(name, defaultTimeout)
	}
	d := newDestination(to, timeout, v.security(signal, to))
	for _, name := range v.either(signal, "HEADERS") {
		d.headers = v.pairs(name)
	}
	for _, name := range v.either(signal, "COMPRESSION") {
		d.gzip = v.compressed(name)
	}
	return d, true
}

// protocol is how everything is sent.
const protocol = "http/protobuf"

// way reads how a signal, or for "" all of them, would be sent, whether or not it is. What lies in files is looked at
// only where it is used.
func (v *vars) way(signal string) {
	if name := otlpName(signal, "ENDPOINT"); v.text(name) != "" {
		v.address(name, v.text(name))
	}
	if name := otlpName(signal, "PROTOCOL"); !v.among(name, "grpc", "http/json") {
		v.choice(name, protocol, protocol)
	}
	v.milliseconds(otlpName(signal, "TIMEOUT"), defaultTimeout)
	v.pairs(otlpName(signal, "HEADERS"))
	v.compressed(otlpName(signal, "COMPRESSION"))
}

func (v *vars) compressed(name string) bool { return v.choice(name, "none", "gzip", "none") == "gzip" }

// library reads what OpenTelemetry's library reads itself: of one that it cannot read it says nothing.
func (v *vars) library() {
	for _, name := range []string{
		"OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
		"OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
	} {
		if text := v.text(name); text != "" {
			if _, err := strconv.Atoi(text); err != nil {
				v.fault(name, "is no whole number")
			}
		}
	}
	v.choice("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based", "always_on", "always_off", "trace_based")
}

func otlpName(signal, what string) string {
	if signal != "" {
		what = strings.ToUpper(signal) + "_" + what
	}
	return "OTEL_EXPORTER_OTLP_" + what
}

// either is the variable that counts for a signal: its own, or the one for all; or none.
func (v *vars) either(signal, what string) []string {
	for _, name := range []string{otlpName(signal, what), otlpName("", what)} {
		if v.text(name) != "" {
			return []string{name}
		}
	}
	return nil
}

// address reads a URL without anything secret in it, for complaints show it.
func (v *vars) address(name, text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		v.secretFault(name, "is no address such as http://localhost:4318")
	case u.User != nil:
		v.secretFault(name, "holds a name or password; send them with "+otlpName("", "HEADERS"))
	case u.RawQuery != "" || u.Fragment != "":
		v.secretFault(name, "has something after its path, which cannot be sent")
	default:
		return u, true
	}
	return nil, false
}

// security reads the certificates; nil when the system's serve.
func (v *vars) security(signal, to string) *tls.Config {
	if !strings.HasPrefix(to, "https:") {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, name := range v.either(signal, "CERTIFICATE") {
		raw, err := os.ReadFile(v.text(name))
		c.RootCAs = x509.NewCertPool()
		if err != nil || !c.RootCAs.AppendCertsFromPEM(raw) {
			v.fault(name, "is no file of certificates in PEM that can be read")
		}
	}
	keys := v.either(signal, "CLIENT_KEY")
	certificates := v.either(signal, "CLIENT_CERTIFICATE")
	if len(keys)+len(certificates) == 1 {
		v.secretFault(otlpName("", "CLIENT_CERTIFICATE"), "and "+otlpName("", "CLIENT_KEY")+" go together, and one of them is missing")
	}
	if len(keys)+len(certificates) == 2 {
		pair, err := tls.LoadX509KeyPair(v.text(certificates[0]), v.text(keys[0]))
		if err != nil {
			v.fault(certificates[0], "and its key are no pair of files in PEM that can be read")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}
