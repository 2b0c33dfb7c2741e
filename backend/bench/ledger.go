package bench

import "fmt"

// Ledger compares what was asked with what was recorded. When a load tool stops, it
// hangs up on the requests in flight, at most one for each connection: those are recorded
// as cancelled, or as successes that nobody counted, and may or may not have come
// as far as the upstream.
type Ledger struct {
	Completed int64 `json:"completed"` // answers that the clients got in full
	CutAtMost int64 `json:"cut_at_most"`
	Upstream  int64 `json:"upstream"` // requests that arrived there
	Rows      Rows  `json:"rows"`
}

// Rows are records by how they ended.
type Rows struct {
	Total     int64 `json:"total"`
	Success   int64 `json:"success"`
	Cancelled int64 `json:"cancelled"`
	Running   int64 `json:"running"`
}

// Cut is how many requests nobody waited for.
func (l Ledger) Cut() int64 { return l.Rows.Total - l.Completed }

// Problems lists what does not add up; nothing when every request is accounted for.
func (l Ledger) Problems() (problems []string) {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	r := l.Rows
	must(r.Running == 0, "%d records never ended", r.Running)
	must(r.Success+r.Cancelled+r.Running == r.Total, "%d records ended as neither success nor cancelled", r.Total-r.Success-r.Cancelled-r.Running)
	must(r.Success >= l.Completed, "%d answers were given and only %d recorded as successes", l.Completed, r.Success)
	must(l.Upstream <= r.Total, "the upstream saw %d requests and only %d are recorded", l.Upstream, r.Total)
	must(l.Upstream >= r.Success, "%d successes are recorded and the upstream saw only %d requests", r.Success, l.Upstream)
	must(l.Cut() <= l.CutAtMost, "%d records are of requests that nobody sent", l.Cut()-l.CutAtMost)
	return problems
}
