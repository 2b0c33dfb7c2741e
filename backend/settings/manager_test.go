package settings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// open opens the settings of a new folder, whose file holds text unless that is "".
func open(t *testing.T, text string) *Manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.json")
	if text != "" {
		write(t, path, text)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// watch watches m's file until the test ends and gives what is announced: the
// duration timeouts.chat of each change, or the problem.
func watch(t *testing.T, m *Manager) <-chan string {
	t.Helper()
	told := make(chan string, 64)
	m.Subscribe(func(_, now Settings) { told <- now.Timeouts.Chat.String() })
	m.OnProblem(func(err error) { told <- fmt.Sprint("problem: ", err) })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Watch did not end")
		}
	})
	return told
}

// hear waits for something to be told that holds part.
func hear(t *testing.T, told <-chan string, part string) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case got := <-told:
			if strings.Contains(got, part) {
				return
			}
		case <-deadline:
			t.Fatalf("nothing told of %q", part)
		}
	}
}

func TestTheFirstStartWritesWhatPeopleCanEdit(t *testing.T) {
	m := open(t, "")
	if got, err := Parse([]byte(read(t, m.Path()))); err != nil || got.Timeouts != Defaults().Timeouts || got.Schema != schemaRef {
		t.Errorf("the file holds %+v, %v", got, err)
	}
	schema := filepath.Join(filepath.Dir(m.Path()), schemaRef)
	if read(t, schema) != string(Schema()) {
		t.Error("the schema beside it is another")
	}
	for _, path := range []string{m.Path(), schema} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestOpenLeavesAPersonsFileAlone(t *testing.T) {
	const text = "{\n\t\"timeouts\": {\"chat\": \"20m\"}\n}"
	m := open(t, text)
	if got := read(t, m.Path()); got != text || m.Current().Timeouts.Chat.String() != "20m" {
		t.Errorf("the file holds %s; in force is %s", got, m.Current().Timeouts.Chat)
	}
	write(t, filepath.Join(filepath.Dir(m.Path()), schemaRef), "an older schema")
	write(t, m.Path(), `{"timeouts": {"chat": "3s"}}`)
	_, err := Open(m.Path())
	var invalid *Invalid
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), m.Path()) || !strings.Contains(err.Error(), "timeouts.chat") {
		t.Errorf("Open = %v", err)
	}
	if got := read(t, filepath.Join(filepath.Dir(m.Path()), schemaRef)); got != string(Schema()) {
		t.Error("the schema, which an editor needs to mend the file, was not renewed")
	}
}

func TestAPatch(t *testing.T) {
	m := open(t, `{"timeouts": {"chat": "20m"}, "server": {"allowed_origins": ["http://a"]}}`)
	for _, c := range []struct{ patch, want, fault string }{
		{`{"timeouts": {"idle": "1m"}}`, "20m 1m [http://a]", ""},
		{`{"timeouts": {"chat": null}}`, "15m 1m [http://a]", ""},
		{`{"timeouts": null, "server": {"allowed_origins": []}}`, "15m 2m []", ""},
		{`{}`, "15m 2m []", ""},
		{`{"timeouts": {"chat": "16m", "idle": "0s"}}`, "15m 2m []", "timeouts.idle"},
		{`{"timeouts": "16m"}`, "15m 2m []", "timeouts"},
		{`{"version": 3}`, "15m 2m []", ErrNewer.Error()},
		{`[]`, "15m 2m []", "object"},
	} {
		_, err := m.Patch([]byte(c.patch))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.patch, err, c.fault)
		}
		onDisk, err := Parse([]byte(read(t, m.Path())))
		if err != nil && c.fault == "" {
			t.Fatal(err)
		}
		for where, s := range map[string]Settings{"in force": m.Current(), "on disk": onDisk} {
			if got := fmt.Sprint(s.Timeouts.Chat, s.Timeouts.Idle, s.Server.AllowedOrigins); got != c.want {
				t.Errorf("%s: %s is %s, want %s", c.patch, where, got, c.want)
			}
		}
	}
}

func TestPatchesAtOnceAreAllKept(t *testing.T) {
	m := open(t, "")
	fields := []string{"chat", "completions", "embeddings", "first_token", "idle"}
	var all sync.WaitGroup
	for _, field := range fields {
		all.Go(func() {
			if _, err := m.Patch([]byte(`{"timeouts": {"` + field + `": "77m"}}`)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(read(t, m.Path()), "77m"); n != len(fields) {
		t.Errorf("%d of %d patches were kept", n, len(fields))
	}
}

func TestAPreparationThatRefusesKeepsTheOldSettings(t *testing.T) {
	m := open(t, "")
	no := &Invalid{[]FieldError{{Detail: "is in use", Location: "providers[0]"}}}
	undone := 0
	m.Prepare(func(_, _ Settings) (func(), error) { return func() { undone++ }, nil })
	remove := m.Prepare(func(old, new Settings) (func(), error) {
		if old.Timeouts.Chat == new.Timeouts.Chat {
			t.Error("it was asked about nothing")
		}
		return nil, no
	})
	before := read(t, m.Path())
	_, err := m.Patch([]byte(`{"timeouts": {"chat": "20m"}}`))
	var invalid *Invalid
	if !errors.As(err, &invalid) || invalid != no || read(t, m.Path()) != before || m.Current().Timeouts.Chat.String() != "15m" {
		t.Errorf("Patch = %v, in force %s", err, m.Current().Timeouts.Chat)
	}
	if undone != 1 {
		t.Errorf("what was prepared before was undone %d times", undone)
	}
	remove()
	if _, err := m.Replace([]byte(`{"timeouts": {"chat": "20m"}}`)); err != nil || m.Current().Timeouts.Chat.String() != "20m" || undone != 1 {
		t.Errorf("without it: %v, in force %s, undone %d times", err, m.Current().Timeouts.Chat, undone)
	}
}

func TestWhatWasPreparedIsUndoneWhenTheFileCannotBeWritten(t *testing.T) {
	m := open(t, "")
	undone := 0
	m.Prepare(func(_, _ Settings) (func(), error) {
		// Root writes everywhere, but not below a file.
		m.path = filepath.Join(m.path, "settings.json")
		return func() { undone++ }, nil
	})
	if _, err := m.Patch([]byte(`{"timeouts": {"chat": "20m"}}`)); err == nil || undone != 1 || m.Current().Timeouts.Chat.String() != "15m" {
		t.Errorf("Patch = %v, undone %d times, in force %s", err, undone, m.Current().Timeouts.Chat)
	}
}

// A port that was taken may be free by now: who saves the same file again means it.
func TestAnEditThatWasRefusedIsTriedAgainWhenItIsSavedAgain(t *testing.T) {
	m := open(t, "")
	refuse := true
	m.Prepare(func(_, _ Settings) (func(), error) {
		if refuse {
			return nil, &Invalid{[]FieldError{{Detail: "is taken", Location: "server.addr"}}}
		}
		return nil, nil
	})
	edit := strings.Replace(read(t, m.Path()), "15m", "20m", 1)
	write(t, m.Path(), edit)
	m.reload()
	if m.Problem() == nil || m.Current().Timeouts.Chat.String() != "15m" {
		t.Fatalf("problem %v, in force %s", m.Problem(), m.Current().Timeouts.Chat)
	}
	refuse = false
	m.reload()
	if m.Problem() != nil || m.Current().Timeouts.Chat.String() != "20m" {
		t.Errorf("again: problem %v, in force %s", m.Problem(), m.Current().Timeouts.Chat)
	}
}

func TestChangesAreToldInOrderUntilTheSubscriptionEnds(t *testing.T) {
	m := open(t, "")
	var told []string
	end := m.Subscribe(func(old, new Settings) {
		told = append(told, fmt.Sprint(old.Timeouts.Chat, ">", new.Timeouts.Chat))
	})
	for _, chat := range []string{"16m", "17m", "17m", "18m"} { // one changes nothing
		if _, err := m.Patch([]byte(`{"timeouts": {"chat": "` + chat + `"}}`)); err != nil {
			t.Fatal(err)
		}
	}
	end()
	if _, err := m.Patch([]byte(`{"timeouts": {"chat": "19m"}}`)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"15m>16m", "16m>17m", "17m>18m"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// Who ends a subscription frees what its hook uses right afterwards.
func TestTheEndOfASubscriptionWaitsForTheCallThatRuns(t *testing.T) {
	m := open(t, "")
	entered, leave := make(chan struct{}), make(chan struct{})
	var running, calls atomic.Int32
	end := m.Subscribe(func(_, _ Settings) {
		running.Add(1)
		if calls.Add(1) == 1 {
			close(entered)
		}
		<-leave
		running.Add(-1)
	})
	var all sync.WaitGroup
	patch := func(chat string) {
		if _, err := m.Patch([]byte(`{"timeouts": {"chat": "` + chat + `"}}`)); err != nil {
			t.Error(err)
		}
	}
	all.Go(func() { patch("16m") })
	<-entered
	ended := make(chan int32)
	all.Go(func() { end(); ended <- running.Load() })
	all.Go(func() { patch("17m") })
	select {
	case <-ended:
		t.Error("the subscription ended in the middle of a call")
		close(leave)
	case <-time.After(50 * time.Millisecond): // long enough for an end that does not wait
		close(leave)
		if n := <-ended; n != 0 {
			t.Errorf("%d calls ran on", n)
		}
	}
	before := calls.Load()
	all.Wait()
	patch("18m")
	if n := calls.Load(); n != before {
		t.Errorf("%d calls came after the end", n-before)
	}
}

func TestEditsByHand(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, path, text string){
		"in place": write,
		"in steps": func(t *testing.T, path, text string) {
			write(t, path, "")
			write(t, path, text[:len(text)/2])
			write(t, path, text)
		},
		"by a new file in its place": func(t *testing.T, path, text string) {
			write(t, path+"~", text)
			if err := os.Rename(path+"~", path); err != nil {
				t.Fatal(err)
			}
		},
		"by removing it first": func(t *testing.T, path, text string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, "")
			told := watch(t, m)
			for _, chat := range []string{"21m", "22m"} {
				edit(t, m.Path(), `{"timeouts": {"chat": "`+chat+`"}}`)
				hear(t, told, chat)
				if err := m.Problem(); err != nil {
					t.Errorf("a problem: %v", err)
				}
			}
		})
	}
}

func TestABadEditStaysAProblemUntilItIsMended(t *testing.T) {
	m := open(t, `{"timeouts": {"chat": "20m"}}`)
	told := watch(t, m)
	write(t, m.Path(), `{"timeouts": {"chat": "3s"}}`)
	hear(t, told, "problem: "+m.Path()+": invalid settings: timeouts.chat must be from 1m to 120m")
	write(t, m.Path(), `{"timeouts": {"chat": `)
	hear(t, told, "ends too early")
	if err := os.Remove(m.Path()); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "no such file")
	if m.Problem() == nil || m.Current().Timeouts.Chat.String() != "20m" {
		t.Errorf("problem %v, in force %s", m.Problem(), m.Current().Timeouts.Chat)
	}
	write(t, m.Path(), `{"timeouts": {"chat": "20m"}}`) // as it was
	hear(t, told, "problem: <nil>")
	write(t, m.Path(), `{"timeouts": 5}`)
	hear(t, told, "must be an object")
	if _, err := m.Patch([]byte(`{"timeouts": {"chat": "23m"}}`)); err != nil { // the API's word is over a file that is broken
		t.Fatal(err)
	}
	hear(t, told, "23m")
	if m.Problem() != nil || !strings.Contains(read(t, m.Path()), "23m") {
		t.Errorf("problem %v; the file holds %s", m.Problem(), read(t, m.Path()))
	}
	if kept := read(t, m.Path()+RefusedSuffix); kept != `{"timeouts": 5}` {
		t.Errorf("of the refused edit %q is kept", kept)
	}
}

// Nobody watches here, as in the moment before the watch hears of an edit.
func TestAChangeKeepsTheEditBeforeIt(t *testing.T) {
	m := open(t, `{"timeouts": {"chat": "20m"}}`)
	write(t, m.Path(), `{"timeouts": {"chat": "30m"}}`)
	now, err := m.Patch([]byte(`{"timeouts": {"embeddings": "4m"}}`))
	if err != nil || now.Timeouts.Chat.String() != "30m" || now.Timeouts.Embeddings.String() != "4m" {
		t.Errorf("in force: %+v, %v", now.Timeouts, err)
	}
}

// People keep such files in a folder of their own and link to them.
func TestALinkStaysALink(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "mine.json")
	write(t, elsewhere, `{"timeouts": {"chat": "20m"}}`)
	path := filepath.Join(t.TempDir(), "settings.json")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	told := watch(t, m)
	if _, err := m.Patch([]byte(`{"timeouts": {"chat": "21m"}}`)); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "21m")
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 || !strings.Contains(read(t, elsewhere), "21m") {
		t.Errorf("the link is %v, %v; its target holds %s", info.Mode(), err, read(t, elsewhere))
	}
	write(t, elsewhere, `{"timeouts": {"chat": "22m"}}`)
	hear(t, told, "22m")
}

func TestAWatchWhoseFolderGoesSaysSoUntilItIsBack(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mine")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "settings.json")
	write(t, path, `{"timeouts": {"chat": "20m"}}`)
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	told := watch(t, m)
	away := folder + " (away)"
	// It may not have begun to watch: then it says so all the same.
	if err := os.Rename(folder, away); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "problem: Edits of settings.json by hand take no effect at present")
	var unwatched *UnwatchedError
	if err := m.Problem(); !errors.As(err, &unwatched) {
		t.Errorf("the problem is %v", err)
	}
	write(t, filepath.Join(away, "settings.json"), `{"timeouts": {"chat": "3s"}}`)
	if err := os.Rename(away, folder); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "timeouts.chat must be") // what was edited meanwhile is looked at
	if err := m.Problem(); errors.As(err, &unwatched) {
		t.Errorf("it is watched again, and the problem is %v", err)
	}
	write(t, path, `{"timeouts": {"chat": "22m"}}`)
	hear(t, told, "22m")
	if err := m.Problem(); err != nil {
		t.Errorf("all is well, and the problem is %v", err)
	}
}

// The one problem must not hide the other, nor its end end the other.
func TestAFileThatIsRefusedAndUnwatchedSaysBoth(t *testing.T) {
	m := open(t, "")
	m.setUnwatched(&UnwatchedError{errors.New("no more watches")})
	write(t, m.Path(), `{"timeouts": {"chat": "3s"}}`)
	m.reload()
	if got := fmt.Sprint(m.Problem()); !strings.Contains(got, "no more watches") || !strings.Contains(got, "timeouts.chat") {
		t.Errorf("the problem is %s", got)
	}
	if _, err := m.Patch([]byte(`{"timeouts": {"chat": "20m"}}`)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(m.Problem()); !strings.Contains(got, "no more watches") || strings.Contains(got, "timeouts.chat") {
		t.Errorf("once the file is in force, the problem is %s", got)
	}
	m.setUnwatched(nil)
	if err := m.Problem(); err != nil {
		t.Errorf("all is well, and the problem is %v", err)
	}
}
