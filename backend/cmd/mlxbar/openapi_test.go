package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"mlxbar/backend/testkit"
)

// The pages' types are made from a copy of the description. This holds the copy to
// what the server says; `npm run check` holds the types to the copy.
func TestThePagesKnowTheAPIAsItIs(t *testing.T) {
	command := openAPICommand()
	var said bytes.Buffer
	command.SetOut(&said)
	command.SetArgs(nil)
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(testkit.Root(t), "frontend", "src", "lib", "api", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, said.Bytes()) {
		t.Error("the API has changed: run `npm run api` in frontend and commit openapi.json and schema.ts")
	}
}
