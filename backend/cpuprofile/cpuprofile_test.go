package cpuprofile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/pprof/profile"

	"mlxbar/backend/cpuprofile"
)

func TestAProfileIsWrittenWhereItWasAskedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cpu.pprof")
	stop, err := cpuprofile.Start(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cpuprofile.Start(filepath.Join(t.TempDir(), "second")); err == nil {
		t.Error("two at once were begun")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil || p.PeriodType.Type != "cpu" {
		t.Errorf("what was written is no profile of the processor: %v, %v", p, err)
	}
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

func TestNoneWithoutAFile(t *testing.T) {
	stop, err := cpuprofile.Start("")
	if err != nil || stop() != nil {
		t.Error("none was asked for, and that is an error")
	}
}

func TestAFileThatIsThereIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "letter.txt")
	if err := os.WriteFile(file, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cpuprofile.Start(file); err == nil {
		t.Error("it was written over")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "dear" {
		t.Errorf("it holds %q now, %v", b, err)
	}
}
