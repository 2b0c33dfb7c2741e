package models_test

import (
	"path/filepath"
	"testing"

	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

func TestTheStarterIsWhole(t *testing.T) {
	m, err := models.NewLibrary(filepath.Join(testkit.Prepared(t), "models")).Find(models.StarterName)
	if err != nil {
		t.Fatal(err)
	}
	want := models.Facts{Architecture: "llama", ContextLength: 8192, Parameters: 134_515_008, Quantization: "Q4_1", License: "apache-2.0", CacheBytes: 30 * 3 * (64 + 64) * 2}
	if m.Facts != want || m.Size != 98362432 || m.Format != models.GGUF {
		t.Errorf("the starter is %+v, want %+v", m, want)
	}
}
