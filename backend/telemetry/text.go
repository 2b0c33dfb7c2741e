package telemetry

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// textOnly makes text of what a log line holds: with a byte in it that is none, such as out of a
// path that somebody asked for, the whole batch could not be sent.
type textOnly struct{}

func (textOnly) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (textOnly) OnEmit(_ context.Context, r *sdklog.Record) error {
	if body, wrong := cleaned(r.Body()); wrong {
		r.SetBody(body)
	}
	anyWrong := false
	all := make([]attribute.KeyValue, 0, r.AttributesLen())
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		value, wrong := cleaned(kv.Value)
		anyWrong = anyWrong || wrong
		all = append(all, attribute.KeyValue{Key: kv.Key, Value: value})
		return true
	})
	if anyWrong {
		r.SetAttributes(all...)
	}
	return nil
}

func (textOnly) Shutdown(context.Context) error   { return nil }
func (textOnly) ForceFlush(context.Context) error { return nil }

// cleaned gives v as text, and whether it was not. Keys are our own.
func cleaned(v attribute.Value) (_ attribute.Value, wrong bool) {
	switch v.Type() {
	case attribute.STRING:
		if s := v.AsString(); !utf8.ValidString(s) {
			return attribute.StringValue(strings.ToValidUTF8(s, "\uFFFD")), true
		}
	case attribute.STRINGSLICE:
		all := v.AsStringSlice()
		for i, s := range all {
			wrong = wrong || !utf8.ValidString(s)
			all[i] = strings.ToValidUTF8(s, "\uFFFD")
		}
		return attribute.StringSliceValue(all), wrong
	case attribute.SLICE:
		all := v.AsSlice()
		for i := range all {
			cleanedOne, wrongOne := cleaned(all[i])
			all[i], wrong = cleanedOne, wrong || wrongOne
		}
		return attribute.SliceValue(all...), wrong
	case attribute.MAP:
		all := v.AsMap()
		for i := range all {
			cleanedOne, wrongOne := cleaned(all[i].Value)
			all[i].Value, wrong = cleanedOne, wrong || wrongOne
		}
		return attribute.MapValue(all...), wrong
	}
	return v, false
}
