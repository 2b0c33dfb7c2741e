// Command mlxbar-app is mlxbar's window. It shows the server's pages and lends them what only a
// native program can do: save dialogs, the clipboard, starting and stopping the server. It is there
// only while the window is open, and nothing else ends with it.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
	"github.com/wailsapp/wails/v2/pkg/options/linux"
	"github.com/wailsapp/wails/v2/pkg/options/mac"

	"mlxbar/backend/datadir"
	"mlxbar/backend/desktop"
	"mlxbar/backend/display"
	"mlxbar/frontend"
)

func main() {
	dir := flag.String("data-dir", "", "the data folder")
	session := flag.String(desktop.SessionFlag, "", "the session that another of mlxbar's programs starts this one in")
	flag.Parse()
	if err := run(*dir, *session); err != nil {
		fmt.Fprintln(os.Stderr, "mlxbar-app:", err)
		os.Exit(1)
	}
}

func run(dir, session string) error {
	if !frontend.Built() {
		return errors.New("this program was built without its pages; build it with make build")
	}
	root, err := datadir.Resolve(dir)
	if err != nil {
		return err
	}
	host := desktop.NewHost(root)
	defer host.Close()
	if err := errors.Join(host.Paths.EnsureDirs(), host.Enter(session)); err != nil {
		return err
	}
	app := newApp(host)
	defer app.tell.end()
	var stop context.CancelFunc
	app.told, stop = signal.NotifyContext(app.told, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := openWindow(app); err != nil {
		return fmt.Errorf("open the window: %w", err)
	}
	return nil
}

// openWindow lasts as long as the window. Without a display to open it on, Wails panics: it alone knows which of two it
// would take, so it is not asked beforehand.
func openWindow(app *App) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			if err = display.Check(); err == nil {
				panic(fault)
			}
		}
	}()
	return wails.Run(windowOptions(app))
}

func windowOptions(app *App) *options.App {
	return &options.App{
		Title:       "mlxbar",
		Width:       1080,
		Height:      720,
		MinWidth:    900,
		MinHeight:   600,
		AssetServer: &assetserver.Options{Assets: frontend.Dist(), Handler: app.host.Proxy()},
		Bind:        []any{app},
		OnStartup:   app.startup,
		OnDomReady:  app.domReady,
		OnShutdown:  func(context.Context) { app.shutdown() },
		SingleInstanceLock: &options.SingleInstanceLock{
			UniqueId:               instanceID(app.host.Paths.Root),
			OnSecondInstanceLaunch: func(options.SecondInstanceData) { app.show(app.ctx) },
		},
		Linux: &linux.Options{ProgramName: "mlxbar", WebviewGpuPolicy: linux.WebviewGpuPolicyNever},
		Mac:   &mac.Options{About: &mac.AboutInfo{Title: "mlxbar", Message: "One local address for language models."}},
	}
}

// instanceID lets one window be open per data folder.
func instanceID(root string) string {
	sum := sha256.Sum256([]byte(root))
	return "mlxbar" + hex.EncodeToString(sum[:8])
}
