package download

import (
	"context"
	"time"
)

const (
	tellEvery = time.Second
	// speedOver is how much time the speed is an average of.
	speedOver = 5 * time.Second
)

// speed is how fast bytes came of late.
type speed struct {
	samples []sample
}

type sample struct {
	at    time.Time
	bytes int64 // in all
}

// add notes that bytes were there at a time, a few times a second at most.
func (s *speed) add(at time.Time, bytes int64) {
	if n := len(s.samples); n > 0 && at.Sub(s.samples[n-1].at) < 200*time.Millisecond {
		return
	}
	s.samples = append(s.samples, sample{at, bytes})
	for len(s.samples) > 2 && at.Sub(s.samples[0].at) > speedOver {
		s.samples = s.samples[1:]
	}
}

// now is bytes a second; 0 when it is not known.
func (s *speed) now(at time.Time, bytes int64) float64 {
	if len(s.samples) == 0 {
		return 0
	}
	first := s.samples[0]
	elapsed := at.Sub(first.at).Seconds()
	if elapsed <= 0 || bytes <= first.bytes {
		return 0
	}
	return float64(bytes-first.bytes) / elapsed
}

// progress counts bytes that came and tells of them now and then.
func (m *Manager) progress(j *job, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j.done += n
	now := time.Now()
	j.speed.add(now, j.done)
	if j.state.Status == Downloading && now.Sub(j.told) >= tellEvery {
		j.told = now
		m.OnChange(j.seen(now))
	}
}

// count looks at the disk anew for how much is there.
func (m *Manager) count(j *job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j.done, j.speed = j.state.here(j.dir), speed{}
}

// enter puts a running job into a state, unless it was halted meanwhile.
func (m *Manager) enter(ctx context.Context, j *job, s Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil || j.state.Status == s {
		return
	}
	j.speed = speed{}
	m.set(j, s, "")
	if s == Downloading {
		j.speed.add(time.Now(), j.done)
	}
}

// seen is the job as others see it, with the lock held.
func (j *job) seen(now time.Time) Job {
	s := &j.state
	out := Job{
		ID: s.ID, Repo: s.Repo, File: s.File, Revision: s.Commit, Model: s.Model, Parts: len(s.Files), Status: s.Status, Problem: s.Problem,
		TotalBytes: s.total(), DoneBytes: j.done, CreatedAt: s.CreatedAt,
	}
	if s.Status == Done {
		out.DoneBytes = out.TotalBytes
	}
	if s.Status == Downloading {
		if out.BytesPerSecond = j.speed.now(now, j.done); out.BytesPerSecond > 0 {
			left := float64(out.TotalBytes-out.DoneBytes) / out.BytesPerSecond
			out.SecondsLeft = &left
		}
	}
	if s.Status == Waiting && !j.retry.IsZero() {
		at := j.retry
		out.RetryAt = &at
	}
	return out
}
