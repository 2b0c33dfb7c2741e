package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"mlxbar/backend/datadir"
	"mlxbar/backend/desktop"
	"mlxbar/backend/hub"
	"mlxbar/backend/models"
	"mlxbar/backend/units"
)

func modelsRemove(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a model's files; a running server unloads it first",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			return removeModel(c, paths, args[0])
		},
	}
}

func removeModel(c *cobra.Command, paths datadir.Paths, name string) error {
	library := models.NewLibrary(paths.Models)
	m, err := library.Find(name)
	var broken *models.BrokenError
	switch {
	case errors.As(err, &broken):
		m.Name, m.Path = broken.Name, broken.Path
	case err != nil:
		return err
	}
	all, err := library.Contents()
	if err != nil {
		return err
	}
	files, err := all.FilesOf(paths.Models, m)
	if err != nil {
		return err
	}
	if broken == nil {
		if err := unload(c.Context(), paths, m.Name); err != nil {
			return err
		}
	}
	freed := int64(0)
	for _, file := range files {
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			freed += info.Size()
		}
		if err := os.RemoveAll(file); err != nil {
			return fmt.Errorf("remove %s: %w", m.Name, err)
		}
	}
	fmt.Fprintf(c.OutOrStdout(), "%s is removed (%s).\n", m.Name, units.Bytes(freed))
	return nil
}

// unload has a running server let go of a model.
func unload(ctx context.Context, paths datadir.Paths, name string) error {
	host := desktop.NewHost(paths.Root)
	defer host.Close()
	if _, err := host.Find(ctx); errors.Is(err, desktop.ErrNotRunning) {
		return nil
	}
	return host.Ask(ctx, http.MethodPost, "/api/models/"+url.PathEscape(name)+"/unload", nil, nil)
}

func modelsLogin() *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Keep a token of the Hugging Face Hub in the keychain",
		Long: `Keep a token of the Hugging Face Hub in the keychain

Only models whose makers ask for it need one. It is read from a prompt that does not show it, or from stdin:

  mlxbar models login <token.txt`,
		Args: noToken,
		RunE: func(c *cobra.Command, _ []string) error {
			token, err := readSecret(c, "token", "Token of the Hugging Face Hub")
			if err != nil {
				return err
			}
			if err := hub.CheckToken(token); err != nil {
				return fmt.Errorf("what was read %w", err)
			}
			return keepToken(c, hub.TokenName, "The token is in the keychain and counts from now on.", func(ctx context.Context) error {
				return hub.Tokens{}.Set(ctx, token)
			})
		},
	}
}

func modelsLogout() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Remove the Hub's token from the keychain",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return removeToken(c, hub.TokenName, "The token is removed.", hub.Tokens{}.Remove)
		},
	}
}
