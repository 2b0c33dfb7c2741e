package workload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// hashMost bounds what is read to tell a model by its hash: a second or two.
const hashMost = 2 << 30

// ModelHash is the SHA-256 of a local model's file in a data folder; "" when it is
// not there, not a single file, or too large to read it for this.
func ModelHash(ctx context.Context, dataDir, model string) string {
	if dataDir == "" {
		return ""
	}
	entries, err := os.ReadDir(filepath.Join(dataDir, "models"))
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if strings.ToLower(e.Name()) == model+".gguf" {
			return hashFile(ctx, filepath.Join(dataDir, "models", e.Name()))
		}
	}
	return ""
}

func hashFile(ctx context.Context, path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > hashMost {
		return ""
	}
	h, buffer := sha256.New(), make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := f.Read(buffer)
		h.Write(buffer[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil))
		}
		if err != nil {
			return ""
		}
	}
	return ""
}
