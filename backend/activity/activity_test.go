package activity

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sum(points []Point) (requests, tokens int64) {
	for _, p := range points {
		requests, tokens = requests+p.Requests, tokens+p.Tokens
	}
	return requests, tokens
}

func TestTheHistoryIsTenMinutesLong(t *testing.T) {
	var h history
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h.add(start, 1, 0)
	h.add(start.Add(4*time.Second), 1, 7) // the same five seconds
	h.add(start.Add(5*time.Second), 0, 3)
	h.add(start.Add(9*time.Minute), 1, 0)

	points := h.points(start.Add(9*time.Minute + 55*time.Second))
	if len(points) != kept || points[0] != (Point{start, 2, 7}) || points[1] != (Point{start.Add(5 * time.Second), 0, 3}) || points[108].Requests != 1 {
		t.Errorf("the points are %+v", points)
	}
	for i, p := range points[1:] {
		if p.At.Sub(points[i].At) != 5*time.Second {
			t.Fatalf("from point %d to the next it is %s", i, p.At.Sub(points[i].At))
		}
	}
	if now := h.point(epoch(start)); now != points[0] {
		t.Errorf("the point of that moment is %+v", now)
	}
	// Ten minutes later its place in the ring belongs to another.
	later := start.Add(10 * time.Minute)
	if requests, tokens := sum(h.points(later)); requests != 1 || tokens != 3 {
		t.Errorf("the oldest point stayed: %d requests, %d tokens", requests, tokens)
	}
	h.add(later, 1, 1)
	if now := h.point(epoch(later)); now != (Point{later, 1, 1}) {
		t.Errorf("the new point in an old place is %+v", now)
	}
	if requests, _ := sum(h.points(start.Add(time.Hour))); requests != 0 {
		t.Errorf("an hour later %d requests are told of", requests)
	}
}

func TestPointsAreCountedByMany(t *testing.T) {
	var h history
	now := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				h.add(now.Add(time.Duration(i)*10*time.Millisecond), 1, 2)
			}
		})
	}
	all.Wait()
	if requests, tokens := sum(h.points(now.Add(10 * time.Second))); requests != 8000 || tokens != 16000 {
		t.Errorf("%d requests and %d tokens, want 8000 and 16000", requests, tokens)
	}
}

var errWhy = errors.New("why")

func TestRequestsRunUntilTheyEnd(t *testing.T) {
	l := NewRequests()
	var cause error
	begin := func(id int64, requestID string) *Request {
		return l.Begin(Running{ID: id, RequestID: requestID, StartedAt: time.Unix(100-id, 0)}, func(err error) { cause = err })
	}
	a, b := begin(1, "a"), begin(2, "b")
	if list := l.List(); len(list) != 2 || list[0].RequestID != "b" || list[0].Phase != Waiting || list[0].TTFTMS != nil {
		t.Errorf("running are %+v, want the oldest first", list)
	}
	b.ServedBy("LOCAL", "model", "engine")
	b.Begun(12.5)
	b.Sent(100, 3)
	b.Sent(150, 5)
	got := l.List()[0]
	if got.ServedModel != "model" || got.Provider != "engine" || got.Phase != Streaming || *got.TTFTMS != 12.5 || got.Bytes != 150 || got.Tokens != 5 {
		t.Errorf("it shows as %+v", got)
	}
	if !l.Cancel("b", errWhy) || !errors.Is(cause, errWhy) {
		t.Errorf("cancelled for %v", cause)
	}
	b.End(6) // its usage tells of one more
	b.End(9) // and a second end of nothing
	if cause = nil; l.Cancel("b", errWhy) || cause != nil {
		t.Error("a request that has ended was cancelled")
	}
	if requests, tokens := sum(l.History(time.Now())); requests != 2 || tokens != 6 {
		t.Errorf("counted are %d requests and %d tokens, want 2 and 6", requests, tokens)
	}
	a.End(0)
	if list := l.List(); len(list) != 0 {
		t.Errorf("these still run: %+v", list)
	}
}

// A client may give several requests one id.
func TestRequestsOfOneIDAreCancelledTogether(t *testing.T) {
	l := NewRequests()
	cancelled := 0
	for id := range int64(3) {
		defer l.Begin(Running{ID: id, RequestID: "same"}, func(error) { cancelled++ }).End(0)
	}
	if !l.Cancel("same", errWhy) || cancelled != 3 {
		t.Errorf("%d of 3 were cancelled", cancelled)
	}
}

func TestReadingsAreComparedByTheirTime(t *testing.T) {
	at := time.Now()
	self := os.Getpid()
	s := between(
		reading{at, 100, 1000, map[int]float64{self: 1, 7: 50, 8: 2}},
		reading{at.Add(2 * time.Second), 101, 1004, map[int]float64{self: 1.5, 7: 53, 9: 4}},
	)
	if s.Machine.CPUPercent != 25 || s.Process.CPUPercent != 25 || s.CPUPercent[7] != 150 {
		t.Errorf("the sample is %+v", s)
	}
	if _, known := s.CPUPercent[9]; known {
		t.Error("a process that is new has a share already")
	}
	// A counter that went backwards, as after a sleep, is no negative share.
	if s := between(reading{at, 5, 10, nil}, reading{at.Add(time.Second), 4, 12, nil}); s.Machine.CPUPercent != 0 {
		t.Errorf("backwards it is %+v", s.Machine)
	}
}

func TestTheMeterMeasuresThisMachine(t *testing.T) {
	var m Meter
	busy := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-busy:
				return
			default:
			}
		}
	})
	s := m.Sample(t.Context(), []int{os.Getppid()})
	close(busy)
	work.Wait()
	if s.Machine.CPUCount < 1 || s.Machine.CPUCount < runtime.NumCPU() || s.Machine.MemoryTotalBytes == 0 || s.Machine.MemoryUsedBytes == 0 ||
		s.Machine.MemoryUsedBytes > s.Machine.MemoryTotalBytes || s.Machine.CPUPercent > 100 {
		t.Errorf("the machine is %+v", s.Machine)
	}
	if s.Process.MemoryBytes == 0 || s.Process.CPUPercent <= 0 {
		t.Errorf("this process, which was busy, is %+v", s.Process)
	}
	if _, known := s.CPUPercent[os.Getppid()]; !known {
		t.Errorf("its parent is not among %v", s.CPUPercent)
	}
	// Whoever asks right after it gets the same, and no measuring.
	m.last.at = time.Now()
	if again := m.Sample(t.Context(), nil); again.Machine != s.Machine {
		t.Errorf("a second sample is %+v, want the first", again.Machine)
	}
}

// What one streamed answer of 16 tokens costs here, from many goroutines at once.
func BenchmarkARequest(b *testing.B) {
	l := NewRequests()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := l.Begin(Running{RequestID: "req"}, func(error) {})
			r.ServedBy("LOCAL", "model", "engine")
			r.Begun(1)
			for n := range int64(16) {
				r.Sent(200*n, n)
			}
			r.End(16)
		}
	})
}

func BenchmarkASample(b *testing.B) {
	for b.Loop() {
		between(read(b.Context(), []int{os.Getppid()}), reading{})
	}
}
