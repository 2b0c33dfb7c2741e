package places

import (
	"testing"

	"github.com/spf13/cobra"
)

func TestAPlaceIsNamedAsTheCommandLineDoes(t *testing.T) {
	c := &cobra.Command{Use: "pull REPO[:FILE or quantisation]", Annotations: map[string]string{Alias: "models=model"}}
	c.Flags().Int("requests-per-minute", 0, "")
	c.Flags().StringSlice("model", nil, "")
	for said, want := range map[string]string{
		"body.repo: must be a repository":                    "REPO: must be a repository",
		"path.file: is none":                                 "FILE: is none",
		"body.limits.requests_per_minute: must be 0 to 5":    "--requests-per-minute: must be 0 to 5",
		"query.model: stands twice":                          "--model: stands twice",
		"body.limits.models[1]: must be a pattern":           "--model: must be a pattern",
		"--save: it says no: body.repo: must be other (400)": "--save: it says no: REPO: must be other (400)",
		// What nobody typed stays.
		"body.key: holds a line's end":               "body.key: holds a line's end",
		"body.limits.models[1].model: must be there": "body.limits.models[1].model: must be there",
		"body: cannot be read":                       "body: cannot be read",
		"providers[0].repo: is the settings' place":  "providers[0].repo: is the settings' place",
		"nobody.repo: is no place":                   "nobody.repo: is no place",
		"the folder body.repo is full":               "the folder body.repo is full",
		"":                                           "",
	} {
		if got := In(c, said); got != want {
			t.Errorf("%q is told as %q, want %q", said, got, want)
		}
	}
}
