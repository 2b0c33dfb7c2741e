package prices

import (
	"bytes"
	_ "embed" // for the built-in prices
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strings"
	"sync"
	"time"
)

// version is the layout of the file.
const version = 1

//go:embed builtin.json
var builtin []byte

// builtIn are the prices that mlxbar brings along. They are read when they are first wanted: most commands
// never ask for one.
var builtIn = sync.OnceValue(func() []Price {
	list, err := parse(builtin)
	if err != nil {
		panic(fmt.Sprintf("the built-in prices: %v", err)) // a file of ours
	}
	return list
})

// parse reads a file of prices. Its error names every fault with its place.
func parse(raw []byte) ([]Price, error) {
	var file struct {
		Version  int               `json:"version"`
		Currency string            `json:"currency"`
		Prices   []json.RawMessage `json:"prices"`
	}
	if err := strictly(raw, &file); err != nil {
		return nil, err
	}
	var faults []string
	if file.Version != version {
		faults = append(faults, fmt.Sprintf("version must be %d", version))
	}
	if file.Currency != "USD" {
		faults = append(faults, "currency must be USD")
	}
	list := make([]Price, len(file.Prices))
	for i, entry := range file.Prices {
		at := fmt.Sprintf("prices[%d]", i)
		if err := strictly(entry, &list[i]); err != nil {
			faults = append(faults, at+": "+err.Error())
			continue
		}
		if !bytes.Contains(entry, []byte(`"input"`)) {
			faults = append(faults, at+".input must be there")
		}
		for _, fault := range list[i].check() {
			faults = append(faults, at+"."+fault)
		}
	}
	if len(faults) > 0 {
		return nil, errors.New(strings.Join(faults, "; "))
	}
	return list, nil
}

// strictly decodes one JSON value and takes no member that is not known, for that may be a misspelt one.
func strictly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("is not JSON of this layout: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("has something behind its end")
	}
	return nil
}

// check sets what is derived, and says what is wrong, each time beginning with the field's name.
func (p *Price) check() (faults []string) {
	must := func(ok bool, field, want string) {
		if !ok {
			faults = append(faults, field+" must "+want)
		}
	}
	must(len(p.Models) > 0, "models", "name one model or more")
	for _, m := range p.Models {
		must(strings.TrimSpace(m) != "", "models", "not hold an empty name")
	}
	must(p.Kind == "openai" || p.Kind == "anthropic", "kind", "be openai or anthropic")
	must(p.Host == strings.ToLower(p.Host) && !strings.ContainsAny(p.Host, "/: "), "host", "be a host's name in lower case, such as api.openai.com")
	must(p.Over >= 0, "over", "be 0 or more")
	for _, rate := range []struct {
		name string
		of   *float64
	}{{"input", &p.Input}, {"cached_input", p.CachedInput}, {"cache_write", p.CacheWrite}, {"cache_write_1h", p.CacheWrite1H}, {"output", p.Output}} {
		must(rate.of == nil || *rate.of >= 0 && *rate.of <= maxRate && !math.IsNaN(*rate.of), rate.name, fmt.Sprintf("be from 0 to %d dollars a million tokens", maxRate))
	}
	var err error
	p.from, err = time.Parse(time.DateOnly, p.From)
	must(err == nil, "from", "be a day such as 2026-01-31")
	_, err = time.Parse(time.DateOnly, p.Seen)
	must(err == nil, "seen", "be a day such as 2026-01-31")
	source, err := url.Parse(p.Source)
	must(err == nil && (source.Scheme == "https" || source.Scheme == "http") && source.Host != "", "source", "be the address of a page, such as https://openai.com/api/pricing")
	return faults
}

// maxRate is more than any model costs: a mistake, such as a price of a thousand million tokens.
const maxRate = 100_000
