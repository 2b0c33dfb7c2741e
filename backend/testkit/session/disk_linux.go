package session

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	left      = 256 << 10 // for one that is nearly full
	blockSize = 64 << 10
)

// A Disk is a folder that can have no room. Who may mount has a file system of its own there, which is filled;
// for others the system refuses longer files to one program, as a disk does that takes none.
type Disk struct {
	Dir     string
	s       *Session
	mounted bool
	usual   unix.Rlimit // of the program that was limited
}

// Disk gives a folder with room.
func (s *Session) Disk() *Disk {
	s.t.Helper()
	d := &Disk{s: s, Dir: filepath.Join(s.dir, "disk")}
	if err := os.Mkdir(d.Dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	err := unix.Mount("tmpfs", d.Dir, "tmpfs", 0, "size=64m,mode=700")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return d
	}
	if err != nil {
		s.t.Fatalf("mount a small disk: %v", err)
	}
	d.mounted = true
	s.t.Cleanup(func() {
		if err := unix.Unmount(d.Dir, unix.MNT_DETACH); err != nil {
			s.t.Error(err)
		}
	})
	return d
}

// Fill leaves room for next to nothing, for the program with this id at least. It tells what the
// system says of a file that does not fit.
func (d *Disk) Fill(pid int) error {
	d.s.t.Helper()
	if !d.mounted {
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &d.usual); err != nil {
			d.s.t.Fatal(err)
		}
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: left, Max: d.usual.Max}, nil); err != nil {
			d.s.t.Fatal(err)
		}
		return syscall.EFBIG
	}
	f, err := os.Create(d.ballast())
	if err != nil {
		d.s.t.Fatal(err)
	}
	defer f.Close()
	zeros := make([]byte, blockSize)
	for err == nil {
		_, err = f.Write(zeros)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.s.t.Fatalf("fill a disk: %v", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		err = f.Truncate(max(0, end-left))
	}
	if err != nil {
		d.s.t.Fatal(err)
	}
	return syscall.ENOSPC
}

// Clear makes room.
func (d *Disk) Clear(pid int) {
	d.s.t.Helper()
	err := error(nil)
	if d.mounted {
		err = os.Remove(d.ballast())
	} else {
		err = unix.Prlimit(pid, unix.RLIMIT_FSIZE, &d.usual, nil)
	}
	if err != nil {
		d.s.t.Fatal(err)
	}
}

func (d *Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Files are the names of what lies there, but for what fills it.
func (d *Disk) Files() []string {
	d.s.t.Helper()
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		d.s.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		if e.Name() != filepath.Base(d.ballast()) {
			names = append(names, e.Name())
		}
	}
	return names
}
