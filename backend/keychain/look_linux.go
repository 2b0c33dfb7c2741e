package keychain

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"
)

// The Secret Service's names: https://specifications.freedesktop.org/secret-service.
const (
	secretsName    = "org.freedesktop.secrets"
	secretsPath    = "/org/freedesktop/secrets"
	loginPath      = secretsPath + "/collection/login"
	defaultPath    = secretsPath + "/aliases/default"
	serviceFace    = "org.freedesktop.Secret.Service"
	collectionFace = "org.freedesktop.Secret.Collection"
)

// look sees whether the session has a Secret Service, before the library is asked: that one
// would start a bus where there is none, wait for ever on one that is silent, and have the
// person asked for a password.
func look(ctx context.Context, m manner) error {
	conn, err := dbus.SessionBusPrivateNoAutoStartup(dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	defer conn.Close()
	if err := conn.Auth(nil); err != nil {
		return silent(ctx, err)
	}
	if err := conn.Hello(); err != nil {
		return silent(ctx, err)
	}
	there, err := served(ctx, conn)
	if err != nil {
		return silent(ctx, err)
	}
	if !there {
		return fmt.Errorf("%w: nobody is %s on the session's bus", ErrNone, secretsName)
	}
	if m == asking {
		return nil
	}
	return locked(ctx, conn)
}

// silent is what it means that the bus gave no answer.
func silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("the session's bus does not answer: %w", ctx.Err())
	}
	return fmt.Errorf("%w: %w", ErrNone, err)
}

// served says whether the service runs, or starts when it is asked.
func served(ctx context.Context, conn *dbus.Conn) (bool, error) {
	var owned bool
	err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, secretsName).Store(&owned)
	if err != nil || owned {
		return owned, err
	}
	var names []string
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ListActivatableNames", 0).Store(&names)
	return slices.Contains(names, secretsName), err
}

// locked is ErrLocked when reading would have the person asked for a password.
func locked(ctx context.Context, conn *dbus.Conn) error {
	var collections []dbus.ObjectPath
	if err := property(ctx, conn, secretsPath, serviceFace, "Collections", &collections); err != nil {
		return silent(ctx, err)
	}
	path := dbus.ObjectPath(loginPath) // which of the two it is, is the library's rule
	if !slices.Contains(collections, path) {
		path = defaultPath
	}
	var is bool
	err := property(ctx, conn, path, collectionFace, "Locked", &is)
	var said dbus.Error
	switch {
	case err == nil && is:
		return ErrLocked
	case errors.As(err, &said): // it has no collection: then there is nothing in it
		return ErrNotFound
	case err != nil:
		return silent(ctx, err)
	}
	return nil
}

func property(ctx context.Context, conn *dbus.Conn, at dbus.ObjectPath, face, name string, into any) error {
	var value dbus.Variant
	err := conn.Object(secretsName, at).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, face, name).Store(&value)
	if err != nil {
		return err
	}
	return value.Store(into)
}

// letGo closes the connection that the library would keep until the program's end.
func letGo() {
	there, err := dbus.SessionBusPrivateNoAutoStartup()
	if err != nil { // it has gone meanwhile, and asking the library for it would start another
		return
	}
	there.Close()
	if conn, err := dbus.SessionBus(); err == nil {
		conn.Close() // nobody else has it
	}
}
