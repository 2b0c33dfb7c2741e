// Command mlxbar-tray is the menu-bar icon: it keeps the server running and opens the window.
//
// It is a program of its own because the library that draws the icon and the one that draws the
// window cannot be linked into one on macOS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/getlantern/systray"
	"github.com/gofrs/flock"

	"mlxbar/backend/datadir"
	"mlxbar/backend/desktop"
	"mlxbar/backend/display"
	"mlxbar/backend/tray"
)

func main() {
	dir := flag.String("data-dir", "", "the data folder")
	session := flag.String(desktop.SessionFlag, "", "the session that another of mlxbar's programs starts this one in")
	flag.Parse()
	if err := run(*dir, *session); err != nil {
		fmt.Fprintln(os.Stderr, "mlxbar-tray:", err)
		os.Exit(1)
	}
}

func run(dir, session string) error {
	root, err := datadir.Resolve(dir)
	if err != nil {
		return err
	}
	host := desktop.NewHost(root)
	defer host.Close()
	if err := errors.Join(host.Paths.EnsureDirs(), host.Enter(session)); err != nil {
		return err
	}
	lock := flock.New(host.Paths.TrayLock, flock.SetPermissions(0o600))
	if mine, err := lock.TryLock(); err != nil {
		return fmt.Errorf("see whether a tray runs: %w", err)
	} else if !mine {
		return nil // one is there, that is all anybody wanted
	}
	defer lock.Unlock()
	if over, err := host.Over(); over || err != nil {
		return err // whoever started it has been quit since
	}
	if err := display.Check(); err != nil {
		return fmt.Errorf("show the icon: %w", err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tell := startTelling(ctx)
	defer tell.end()
	var kept error
	ended := make(chan struct{})
	systray.Run(func() {
		defer close(ended)
		defer systray.Quit()
		menu := newMenu(ctx)
		kept = tray.Keep(ctx, tray.Desk{
			Host:        tracedHost{host, tell},
			Show:        menu.show,
			OpenWindow:  func() error { return host.Launch("mlxbar-app") },
			CloseWindow: host.QuitWindow,
			Copy:        desktop.System().Copy,
			Clock:       time.Now,
			Log:         tell.log,
			Warning:     tell.warning,
		}, menu.clicks)
	}, nil)
	stop()
	<-ended
	return kept
}
