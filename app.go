package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wailsapp/wails/v2/pkg/runtime"

	"mlxbar/backend/desktop"
)

const (
	// trayPatience is how long the tray waits for the window.
	trayPatience = 2 * time.Second
	// leaveEvery is how often the window is told to close until it does.
	leaveEvery = 50 * time.Millisecond
	// leavePatience is how long it may take to.
	leavePatience = 3 * time.Second
)

// App is what the page may ask of the program around it. Everything else it asks of the server.
type App struct {
	host *desktop.Host
	tell *telling

	told    context.Context // ends when the window is told to close, by a signal
	ctx     context.Context // the window's, from startup on
	stop    context.CancelFunc
	work    sync.WaitGroup
	release func() error
	drawn   chan struct{} // closed when the page is there
	once    sync.Once     // closes it
	left    sync.Once     // leaves behind what stays

	askWhere func(context.Context, runtime.SaveDialogOptions) (string, error) // the system's save dialog
	emit     func(ctx context.Context, event string, data ...any)             // to the page
	warn     func(ctx context.Context, title, text string)                    // in a dialog
	leave    func(context.Context)                                            // closes the window
	exit     func(code int)                                                   // ends the program with a window that does not close
	patience time.Duration                                                    // with it

	draft  draft
	export exporting
	every  time.Duration // between two events of its progress
}

func newApp(host *desktop.Host) *App {
	return &App{
		host: host, tell: newTelling(), told: context.Background(), drawn: make(chan struct{}),
		askWhere: runtime.SaveFileDialog, emit: runtime.EventsEmit, warn: showWarning, leave: runtime.Quit, exit: os.Exit, patience: leavePatience, every: progressEvery,
	}
}

// startup brings up what the window needs around it: the tray, which keeps the server running,
// and the server itself, should there be no tray on this desktop.
func (a *App) startup(ctx context.Context) {
	a.ctx, a.stop = context.WithCancel(ctx)
	a.work.Go(func() {
		select {
		case <-a.told.Done():
			a.close()
		case <-a.ctx.Done():
		}
	})
	release, err := a.host.HoldWindow(a.ctx)
	if err != nil { // then Quit in the tray cannot close the window, and nothing else is lost
		a.tell.log().Error("the window could not be noted", "cause", err)
	}
	a.release = release
	// Not before it is noted: only then is it sure that this is the window, and that Quit finds it.
	if over, err := a.host.Over(); err != nil {
		a.tell.log().Error("whether mlxbar was quit meanwhile is not known", "cause", err)
	} else if over {
		a.work.Go(a.close)
		return
	}
	if a.ctx.Err() != nil { // it was closed while it waited
		return
	}
	a.work.Go(a.startTray)
	a.work.Go(a.startTelling)
	a.work.Go(func() {
		if _, err := a.host.Ensure(a.ctx); err != nil && !errors.Is(err, desktop.ErrNotRunning) {
			a.tell.log().Error("the server did not start", "cause", err)
			a.emit(a.ctx, "server:failed", err.Error())
		}
	})
	a.work.Go(func() {
		err := a.host.Watch(a.ctx, func(s desktop.State) { a.emit(a.ctx, "server:state", s) })
		if err != nil {
			a.tell.log().Error("the server is not watched", "cause", err)
		}
	})
}

// close closes the window, however early: before its loop runs the desktop's library takes no notice, and
// Wails, which hears one signal, tells it once.
func (a *App) close() {
	patience := time.After(a.patience)
	for a.ctx.Err() == nil {
		a.leave(a.ctx)
		select {
		case <-a.ctx.Done():
		case <-time.After(leaveEvery):
		case <-patience:
			a.abandon()
			return
		}
	}
}

// abandon ends the program beside a window that does not close: with a dialog open, the desktop's library does nothing else
// until somebody has answered it.
func (a *App) abandon() {
	a.stop()
	a.leaveBehind()
	a.tell.end()
	a.exit(0)
}

// startTray lets the window be drawn first: a person waits for that and not for the tray.
func (a *App) startTray() {
	select {
	case <-a.drawn:
	case <-time.After(trayPatience):
	case <-a.ctx.Done():
		return
	}
	if err := a.host.Launch("mlxbar-tray"); err != nil {
		a.tell.log().Error("the tray did not start", "cause", err)
	}
}

func (a *App) domReady(ctx context.Context) {
	a.once.Do(func() { close(a.drawn) }) // a page can be loaded again
	a.show(ctx)
}

func (a *App) show(ctx context.Context) {
	runtime.WindowShow(ctx)
	runtime.WindowUnminimise(ctx) // on Linux this is what brings it to the front
}

func (a *App) shutdown() {
	a.stop()
	a.work.Wait()
	a.leaveBehind()
}

// leaveBehind writes what the next window has to know, and takes back what it must not.
func (a *App) leaveBehind() {
	a.left.Do(func() {
		if err := a.putDraft(); err != nil {
			a.tell.log().Error("what was unsaved in the settings is lost", "cause", err)
		}
		if a.release == nil {
			return
		}
		if err := a.release(); err != nil {
			a.tell.log().Error("the window's note stays behind", "cause", err)
		}
	})
}

// ServerState tells how the server fares. Changes come as the event server:state.
func (a *App) ServerState() (desktop.State, error) { return a.host.Observe(a.ctx), nil }

// StartServer starts the server, also after it was stopped on purpose.
func (a *App) StartServer() (desktop.State, error) {
	if _, err := a.host.Start(a.ctx); err != nil {
		return desktop.State{}, err
	}
	return a.host.Observe(a.ctx), nil
}

// StopServer drains the server; it stays stopped until somebody starts it.
func (a *App) StopServer() (desktop.State, error) {
	if err := a.host.Stop(a.ctx); err != nil {
		return desktop.State{}, err
	}
	return a.host.Observe(a.ctx), nil
}

// CopyText puts text on the clipboard.
func (a *App) CopyText(text string) error { return runtime.ClipboardSetText(a.ctx, text) }

// OpenDataFolder shows the data folder in the system's file manager.
func (a *App) OpenDataFolder() error { return desktop.System().Open(a.ctx, a.host.Paths.Root) }

// errNotAModel refuses what the page has no business to open.
var errNotAModel = errors.New("it does not lie in the models folder")

// folderOf is the folder that a model of the models folder lies in.
func (a *App) folderOf(model string) (string, error) {
	if in, err := filepath.Rel(a.host.Paths.Models, model); err != nil || !filepath.IsLocal(in) || in == "." {
		return "", errNotAModel
	}
	return filepath.Dir(model), nil
}

// OpenFolderOf shows the folder there that a model of the models folder lies in.
func (a *App) OpenFolderOf(model string) error {
	folder, err := a.folderOf(model)
	if err != nil {
		return err
	}
	return desktop.System().Open(a.ctx, folder)
}

// OpenModelsFolder shows the models folder there.
func (a *App) OpenModelsFolder() error {
	if err := a.host.Paths.EnsureDirs(); err != nil { // nobody can look into one that is not there
		return err
	}
	return desktop.System().Open(a.ctx, a.host.Paths.Models)
}
