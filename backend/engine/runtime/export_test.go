package runtime

// The tests stand outside the package, because what prepares their data folder
// uses it. This is what they see of its inside.

const (
	Marker        = marker
	StagingPrefix = stagingPrefix
	UVFailed      = uvFailed
	StarterHash   = starterHash
)

var (
	Locks     = map[string][]byte{"llamacpp": llamacppLock, "mlx": mlxLock, "starter": starterLock}
	UVEnviron = uvEnviron
)

func (s Starter) CopyIn(file string) error { return s.copyIn(file) }
func (s Starter) Path() string             { return s.path() }
func (s Starter) Record() string           { return s.record() }
