package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"
)

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		want  string
		stack []string
	}{
		{groupSyscalls, []string{"internal/runtime/syscall.Syscall6", "syscall.RawSyscall6", "syscall.write", "internal/poll.(*FD).Write", "net.(*conn).Write", "net/http.(*conn).serve"}},
		{groupSyscalls, []string{"syscall.syscall", "syscall.write", "mlxbar/backend/audit.(*Recorder).run"}},
		{groupNet, []string{"runtime.memmove", "bufio.(*Writer).Write", "net/http.(*response).write", "mlxbar/backend/gateway.(*relay).forward"}},
		{groupNet, []string{"net/http.(*Transport).roundTrip", "mlxbar/backend/gateway.(*upstreamClient).send"}},
		{groupNet, []string{"net/textproto.(*Reader).ReadMIMEHeader", "net/http.readRequest"}},
		{groupNet, []string{"mlxbar/backend/gateway/httpconn.(*conn).head", "mlxbar/backend/gateway.(*exchange).post"}},
		{groupNet, []string{"bytes.IndexByte", "mlxbar/backend/gateway/httphead.End", "mlxbar/backend/gateway/httpserver.(*conn).head"}},
		{groupNet, []string{"mlxbar/backend/gateway/httpserver.(*response).send", "mlxbar/backend/gateway.(*relay).whole"}},
		{groupNet, []string{"mlxbar/backend/gateway/socket.(*Socket).Write", "mlxbar/backend/gateway/httpserver.(*response).send"}},
		{groupSyscalls, []string{"internal/runtime/syscall.Syscall6", "syscall.RawSyscall6", "syscall.RawSyscall", "mlxbar/backend/gateway/socket.call"}},
		{groupRelay, []string{"bytes.IndexByte", "mlxbar/backend/gateway/sse.(*Reader).Next", "net/http.HandlerFunc.ServeHTTP"}},
		{groupRelay, []string{"net/http/httputil.(*ReverseProxy).copyBuffer", "net/http.HandlerFunc.ServeHTTP"}},
		{groupJSON, []string{"github.com/tidwall/gjson.validany", "mlxbar/backend/gateway/openai.ParseRequest"}},
		{groupJSON, []string{"encoding/json/v2.unmarshal", "mlxbar/backend/gateway.x"}},
		{groupAudit, []string{"runtime.cgocall", "github.com/mattn/go-sqlite3._Cfunc_step", "mlxbar/backend/audit.(*Recorder).write"}},
		{groupAudit, []string{"runtime.mapaccess1_faststr", "mlxbar/backend/storage.(*DB).Write"}},
		{groupTelemetry, []string{"go.opentelemetry.io/otel/sdk/trace.(*recordingSpan).End", "mlxbar/backend/gateway.x"}},
		{groupTLS, []string{"crypto/tls.(*Conn).Write", "net/http.(*persistConn).writeLoop"}},
		{groupTLS, []string{"crypto/internal/fips140/aes/gcm.gcmAesEnc", "crypto/tls.(*halfConn).encrypt", "net/http.(*persistConn).writeLoop"}},
		{groupRelay, []string{"crypto/internal/sysrand.Read", "crypto/rand.Text", "mlxbar/backend/gateway/requestid.New"}},
		{groupAlloc, []string{"runtime.nextFreeFast", "runtime.mallocgc", "runtime.newobject", "net/http.readRequest"}},
		{groupGC, []string{"runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker.func2", "runtime.gcBgMarkWorker"}},
		{groupGC, []string{"runtime.scanobject", "runtime.gcAssistAlloc", "runtime.mallocgc", "net/http.readRequest"}},
		{groupScheduler, []string{"internal/runtime/syscall.EpollWait", "runtime.netpoll", "runtime.findRunnable", "runtime.schedule", "runtime.park_m", "runtime.mcall"}},
		{groupScheduler, []string{"runtime.futex", "runtime.futexwakeup", "runtime.startm", "runtime.wakep", "net/http.(*Server).Serve"}},
		{groupRest, []string{"runtime.memclrNoHeapPointers"}},
		{groupRest, []string{"sync.(*Mutex).Lock", "network.Something"}},
		{groupRest, nil},
	} {
		if got := groupOf(c.stack); got != c.want {
			t.Errorf("%q belongs to %q, want %q", c.stack, got, c.want)
		}
	}
}

func TestPackageOfAFunction(t *testing.T) {
	for function, want := range map[string]string{
		"main.main": "main", "net/http.(*conn).serve": "net/http", "github.com/mattn/go-sqlite3.(*SQLiteStmt).exec": "github.com/mattn/go-sqlite3",
		"mlxbar/backend/live.(*Hub[mlxbar/backend/audit.Record]).Publish": "mlxbar/backend/live", "slices.SortFunc[go.shape.[]net/http.x]": "slices", "": "",
	} {
		if got := packageOf(function); got != want {
			t.Errorf("%s is of package %q, want %q", function, got, want)
		}
	}
}

// TestAProfileIsAddedUp writes a profile of three stacks, as the runtime does.
func TestAProfileIsAddedUp(t *testing.T) {
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10_000_000,
	}
	for i, name := range []string{"net/http.(*conn).serve", "mlxbar/backend/audit.(*Recorder).run", "net.(*conn).Read"} {
		id := uint64(i + 1)
		f := &profile.Function{ID: id, Name: name}
		l := &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{int64(id), int64(id) * 10_000_000}})
	}
	file := filepath.Join(t.TempDir(), "cpu.pprof")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(out); err != nil {
		t.Fatal(err)
	}
	out.Close()
	s := &spending{Way: wayGateway}
	if err := s.read(file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{groupNet: 0.04, groupAudit: 0.02}, s.ByGroup); diff != "" || s.Seconds != 0.06 {
		t.Errorf("%v s: %s", s.Seconds, diff)
	}
	if err := os.WriteFile(file, []byte("no profile"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.read(file); err == nil {
		t.Error("what is no profile was taken for one")
	}
}
