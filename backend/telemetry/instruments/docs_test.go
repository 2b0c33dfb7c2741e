package instruments

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/otlptranslator"
)

// The tables of the documentation are made from the declarations: what this test prints belongs
// between the two marks there.
func TestTheDocumentationHasTheTables(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "OBSERVABILITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"metrics": metricTable(t), "spans": spanTable(), "attributes": attributeTable()} {
		_, rest, _ := strings.Cut(string(raw), "<!-- "+name+" -->\n")
		got, _, found := strings.Cut(rest, "<!-- end -->")
		if !found || strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("docs/OBSERVABILITY.md is to have, between <!-- %s --> and <!-- end -->:\n\n%s", name, want)
		}
	}
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

func metricTable(t *testing.T) string {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	kinds := map[Kind]otlptranslator.MetricType{Counter: otlptranslator.MetricTypeMonotonicCounter, Histogram: otlptranslator.MetricTypeHistogram, Gauge: otlptranslator.MetricTypeGauge}
	var b strings.Builder
	b.WriteString("| OpenTelemetry | Prometheus | Kind, unit | What it says | Attributes |\n|---|---|---|---|---|\n")
	for _, i := range All() {
		name, err := namer.Build(otlptranslator.Metric{Name: i.Name, Unit: i.Unit, Type: kinds[i.Kind]})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s, %s | %s | %s |\n", i.Name, name, i.Kind, i.Unit, i.Description, quoted(i.Attributes))
	}
	return b.String()
}

func spanTable() string {
	var b strings.Builder
	b.WriteString("| Span | Kind | What it is | Attributes |\n|---|---|---|---|\n")
	for _, s := range Spans() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.Kind, s.Description, quoted(s.Attributes))
	}
	return b.String()
}

func attributeTable() string {
	var b strings.Builder
	b.WriteString("| Attribute | What it holds |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(Attributes())) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, Attributes()[name])
	}
	return b.String()
}

func TestEveryAttributeIsExplainedAndUsed(t *testing.T) {
	used := map[string]bool{}
	for _, i := range All() {
		for _, a := range i.Attributes {
			used[a] = true
		}
	}
	for _, s := range Spans() {
		for _, a := range s.Attributes {
			used[a] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(Attributes())); !slices.Equal(got, want) {
		t.Errorf("used are\n%v, explained\n%v", got, want)
	}
}
