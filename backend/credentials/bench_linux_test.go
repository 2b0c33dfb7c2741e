package credentials

import (
	"os"
	"testing"

	"mlxbar/backend/settings"
	"mlxbar/backend/testkit/secrets"
)

// What a request pays for a key that is held.
func BenchmarkKey(b *testing.B) {
	secrets.New(b)
	s := New(nil, os.Getenv)
	defer s.Close()
	s.holds("far", entry{key: "sk-far"})
	p := &settings.Provider{Name: "far", APIKeyKeychain: "far"}
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Key(ctx, p); err != nil {
				b.Error(err)
			}
		}
	})
}
