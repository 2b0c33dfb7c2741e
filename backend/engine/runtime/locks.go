package runtime

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

// Lock is a hash-locked requirement file that the binary embeds. Module is what
// must be importable for an environment made of it to count as whole. Python is the
// oldest version that it was resolved for, "" for 3.10.
type Lock struct {
	Name   string
	Module string
	Python string
	Text   []byte
}

//go:embed locks/llamacpp.lock
var llamacppLock []byte

//go:embed locks/mlx.lock
var mlxLock []byte

//go:embed locks/starter.lock
var starterLock []byte

// LlamaCPP locks the environment of the engine llamacpp.
var LlamaCPP = Lock{Name: "llamacpp", Module: "xllamacpp", Text: llamacppLock}

// MLX locks the environment of the engine mlx. What mlx-lm is for older versions of Python
// runs program code that a model's folder brings.
var MLX = Lock{Name: "mlx", Module: "mlx_lm.server", Python: "3.11", Text: mlxLock}

// Hash is the SHA-256 of the lock's text, in hex.
func (l Lock) Hash() string {
	sum := sha256.Sum256(l.Text)
	return hex.EncodeToString(sum[:])
}

// dirName carries the hash, so that an upgrade makes a new environment and a
// rollback finds the old one.
func (l Lock) dirName() string { return l.Name + "-" + l.Hash()[:12] }
